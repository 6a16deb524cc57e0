//! Stacks of others that import what the stacks of a seeded scenario export. While they do, nothing is deleted or changed
//! that AWS would refuse; once they let go, it goes on (L1).

use std::collections::BTreeMap;

use landfast::model::StackName;
use landfast::plan::OWNER_TAG;
use landfast::ports::PortError;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::fleet::{environment, export};
use crate::run::Run;
use crate::scenario::{Act, Event, Scenario};

/// Begins the names of stacks of others that say that they are ours.
pub(crate) const FORGED: &str = "theirs-";

impl Scenario {
    /// Gives a quarter of all seeds somebody who imports, and may let go again.
    pub(crate) fn add_outsiders(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x1739);
        if !rng.random_bool(0.25) {
            return;
        }
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..self.until);
            let act = if rng.random_bool(0.7) { Act::Import } else { Act::LetGo };
            self.events.push((at, Event::Console { stack: rng.random_range(0..8), act }));
        }
        self.events.sort_by_key(|(at, _)| *at);
    }
}

impl Run<'_> {
    /// Somebody makes a stack that imports what this one exports, if it does.
    pub(crate) fn import(&self, stack: u8) -> Result<(), PortError> {
        let import = export(stack);
        let template = format!(
            "Resources: {{ Uses: {{ Type: AWS::SSM::Parameter, Properties: {{ Type: String, Value: !ImportValue {import} }} }} }}"
        );
        let none = BTreeMap::new();
        self.rig.console().create_stack(&outsider(stack), &template, &none, &none).map(drop)
    }

    /// Somebody else's stack says that it is ours, of an object that no manifest has (S1).
    pub(crate) fn forge(&self, stack: u8) -> Result<(), PortError> {
        let tags = BTreeMap::from([(OWNER_TAG.to_owned(), format!("{}/stack/ghost{stack}", environment(stack)))]);
        let template = "Resources: { Theirs: { Type: AWS::SNS::Topic } }";
        self.rig.console().create_stack(&forged(stack), template, &BTreeMap::new(), &tags).map(drop)
    }

    pub(crate) fn let_go(&self, stack: u8) -> Result<(), PortError> {
        self.rig.console().delete_stack(&outsider(stack))
    }
}

fn forged(stack: u8) -> StackName {
    format!("{FORGED}{stack}").parse().unwrap()
}

fn outsider(stack: u8) -> StackName {
    format!("outsider-{stack}").parse().unwrap()
}
