//! For which secret a value was sealed: part of what is sealed, so that a sealed file is worth nothing elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Address, EnvName};

/// One secret of one environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The environment.
    pub environment: EnvName,
    /// Account, region and name of the secret there.
    pub secret: Address,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `{}`", self.secret, self.environment)
    }
}
