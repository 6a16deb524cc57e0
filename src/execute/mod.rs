//! runs steps
