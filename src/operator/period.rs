//! Durations, as every part of the configuration writes them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A duration as people write it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period(pub(super) Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let period = humantime::parse_duration(&text);
        period.map(Self).map_err(|_| de::Error::custom(format!("`{text}` is not a duration such as 15m, 1h or 7d")))
    }
}
