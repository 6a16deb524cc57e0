//! the loop
