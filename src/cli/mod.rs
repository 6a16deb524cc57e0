//! the composition root
