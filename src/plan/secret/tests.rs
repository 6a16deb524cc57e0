//! Decisions on secrets.
