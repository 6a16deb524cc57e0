//! A plan without AWS: the manifests and an observation go in, the plan comes out, and nothing is asked or changed.
//!
//! `cargo run --example plan_offline`

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;
use landfast::model::{FingerprintKey, Memory, Objects, Observation, Revision};
use landfast::plan::{Goal, Input, plan};
use landfast::{manifest, report, source};

fn main() -> Result<(), Box<dyn Error>> {
    // Files of one moment, and what they say.
    let snapshot = source::read(Path::new("examples/smallest"))?;
    let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let loaded = manifest::load(&snapshot, revision);
    let now: Timestamp = "2026-01-01T09:00:00Z".parse()?;

    for environment in loaded.desired.environments.values() {
        // An account that was listed completely, and in which there is nothing.
        let observation =
            Observation { listings: BTreeMap::from([(environment.scope.clone(), Ok(()))]), ..Observation::begun(now) };
        // Nothing is remembered either.
        let memory = Memory {
            fingerprint_key: FingerprintKey::new([0; 32]),
            objects: Objects::default().into(),
            spent: Vec::new(),
            consent: None,
            freezes: std::sync::Arc::default(),
            reviews: std::sync::Arc::default(),
        };
        let plan = plan(&Input {
            desired: &loaded.desired,
            environment,
            observation: &observation,
            memory: &memory,
            now,
            goal: Goal::Converge,
            busy: &BTreeSet::new(),
        });
        std::io::stdout().write_all(report::plan(&plan, report::Paint::Plain).as_bytes())?;
    }
    Ok(())
}
