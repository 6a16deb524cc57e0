//! documents → validated `Desired`
