//! every decision
