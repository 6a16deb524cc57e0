//! the journal
