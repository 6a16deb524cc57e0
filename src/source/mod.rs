//! directory → immutable `Snapshot`
