//! What runs beside the stacks of a scenario, as data: secrets and DNS records, and what is done to them and to the
//! service `web` and its images ([`crate::fleet::Web`]).

mod draw;
mod play;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::fleet::Fleet;

/// The domain of the records.
pub(crate) const ZONE: &str = "example.com";

/// Names of generated fields, of which a secret has the first so many.
pub(crate) const FIELDS: [&str; 3] = ["password", "token", "salt"];

/// Secrets and records, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) secrets: BTreeMap<u8, Vault>,
    pub(crate) records: BTreeMap<u8, Named>,
}

/// A secret whose fields Landfast makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vault {
    /// How many fields it has.
    pub(crate) fields: u8,
    /// Hours after which they are made anew.
    pub(crate) every: Option<u8>,
    /// The service is restarted then, where there is one.
    pub(crate) restarts: bool,
    /// What its description says.
    pub(crate) edition: u8,
    /// It goes with its manifest.
    pub(crate) delete: bool,
}

/// A record `CNAME` in the zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    /// What it points to.
    pub(crate) target: u8,
    /// The stack whose output is part of that.
    pub(crate) upstream: Option<u8>,
    /// The first label of its name.
    pub(crate) label: u8,
}

/// A commit that concerns them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppEdit {
    /// A secret is wanted like this, or not at all.
    Secret(u8, Option<Vault>),
    /// A record is wanted like this, or not at all.
    Record(u8, Option<Named>),
    /// The service's image is selected like this.
    Select(String),
    /// The circuit breaker of the stack's service.
    Breaker(bool),
}

/// How an image fares that is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Quality {
    Good,
    Unpullable,
    Crashes,
    Unhealthy,
}

/// What somebody else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppAct {
    /// The next version of the image.
    Push(Quality),
    /// The newest tag comes to mean another image.
    MoveTag,
    /// A lifecycle policy removes the newest image.
    Expire,
    /// The autoscaler.
    Scale(u8),
    /// Somebody deploys the first version by hand.
    Redeploy,
    /// A value by hand, without the last field.
    PutSecret(u8),
    /// Back to the value before, by hand.
    PreviousSecret(u8),
    /// It is deleted by hand.
    DeleteSecret(u8),
    /// It points elsewhere.
    EditRecord(u8),
    /// It is gone, with its marker or without.
    DropRecord(u8, bool),
}

/// The name of a secret in Secrets Manager.
pub(crate) fn secret_name(number: u8) -> String {
    format!("dev/shop/v{number}")
}

impl Vault {
    pub(crate) fn names(&self) -> &'static [&'static str] {
        FIELDS.get(..usize::from(self.fields)).unwrap_or(&FIELDS)
    }

    fn manifest(&self, number: u8, restarts: bool) -> String {
        let mut text = format!(
            "apiVersion: landfast/v1\nkind: Secret\nmetadata: {{ name: v{number} }}\nspec:\n  name: {}\n  description: edition {}\n  generate:\n",
            secret_name(number),
            self.edition
        );
        for name in self.names() {
            let _ = writeln!(text, "    {name}: {{ length: 24 }}");
        }
        if let Some(hours) = self.every {
            let restart = if restarts && self.restarts { ", restart: [web]" } else { "" };
            let _ = writeln!(text, "  rotate: {{ every: {hours}h{restart} }}");
        }
        if self.delete {
            text.push_str("  deletionPolicy: delete\n");
        }
        text
    }
}

impl Named {
    /// Its name in the zone.
    pub(crate) fn host(&self) -> String {
        format!("n{}.{ZONE}", self.label)
    }

    fn manifest(&self, number: u8) -> String {
        let target = match self.upstream {
            Some(stack) => format!("t{}.${{stacks.s{stack}.outputs.Echo}}.example.net", self.target),
            None => format!("t{}.example.net", self.target),
        };
        format!(
            "apiVersion: landfast/v1\nkind: DnsRecord\nmetadata: {{ name: n{number} }}\nspec:\n  zone: {ZONE}\n  name: {}\n  type: CNAME\n  \
             target: \"{target}\"\n",
            self.host()
        )
    }

    /// What it should point to.
    pub(crate) fn points_to(&self, fleet: &Fleet) -> String {
        let size = self.upstream.and_then(|stack| Some(fleet.units.get(&stack)?.size));
        match size {
            Some(size) => format!("t{}.{size}.example.net", self.target),
            None => format!("t{}.example.net", self.target),
        }
    }
}

impl App {
    /// Their manifests.
    pub(crate) fn files(&self, restarts: bool) -> Vec<(String, String)> {
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|(number, vault)| (format!("dev/v{number}.yaml"), vault.manifest(*number, restarts)));
        let records = self.records.iter();
        let records = records.map(|(number, named)| (format!("dev/n{number}.yaml"), named.manifest(*number)));
        secrets.chain(records).collect()
    }

    /// Whether a record needs this stack.
    pub(crate) fn uses(&self, stack: u8) -> bool {
        self.records.values().any(|named| named.upstream == Some(stack))
    }

    pub(crate) fn size(&self) -> usize {
        self.secrets.len() + self.records.len()
    }
}

impl AppEdit {
    pub(crate) fn apply(&self, fleet: &mut Fleet) {
        match self {
            Self::Secret(number, Some(vault)) => _ = fleet.app.secrets.insert(*number, vault.clone()),
            Self::Secret(number, None) => _ = fleet.app.secrets.remove(number),
            Self::Record(number, Some(named)) => {
                let known = named.upstream.is_none_or(|stack| fleet.units.contains_key(&stack));
                // Two manifests of one name would be a mistake that loading refuses.
                let mut others = fleet.app.records.iter().filter(|(other, _)| *other != number);
                if known && others.all(|(_, other)| other.label != named.label) {
                    fleet.app.records.insert(*number, named.clone());
                }
            }
            Self::Record(number, None) => _ = fleet.app.records.remove(number),
            Self::Select(select) => {
                if let Some(web) = &mut fleet.web {
                    web.select.clone_from(select);
                }
            }
            Self::Breaker(on) => {
                if let Some(web) = &mut fleet.web {
                    web.breaker = *on;
                }
            }
        }
    }
}
