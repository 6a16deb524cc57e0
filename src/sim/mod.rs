//! an in-memory AWS that bites
