//! A value that must never be printed, serialised or compared by accident.

use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// A secret text. `Debug`, `Display` and `Serialize` all show `<redacted>`; the memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Redacted(Zeroizing<String>);

impl Redacted {
    /// Takes a value out of sight.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself: for the request that carries it and for the fingerprint, nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Serialize for Redacted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_showing_a_redacted_value_shows_it() {
        let value = Redacted::new("canary".to_owned());
        let shown = format!("{value} {value:?} {}", serde_json::to_string(&value).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!(value.expose(), "canary");
    }
}
