//! What the operator's configuration leaves of an object: where it may be, which roles it may be given.

use std::collections::BTreeSet;

use super::diagnostic::Problem;
use super::environment::Env;
use super::made::Made;
use super::members::Sheet;
use crate::model::{DriftAction, Region, Text};
use crate::operator::What;

/// Holds an object against what the operator says.
pub(super) fn hold(made: &mut Made, sheet: &Sheet<'_>, env: &Env<'_>) -> Vec<Problem> {
    let mut held = Held { sheet, env, problems: Vec::new() };
    held.check(made);
    held.problems
}

struct Held<'h> {
    sheet: &'h Sheet<'h>,
    env: &'h Env<'h>,
    problems: Vec<Problem>,
}

impl Held<'_> {
    fn check(&mut self, made: &mut Made) {
        match made {
            Made::Stack(spec) => {
                self.region(&["spec", "region"], &spec.scope.region);
                self.name(What::StackName, &["spec", "stackName"], spec.stack_name.as_str());
                self.name(What::Manifest, &["spec", "template"], &spec.template_file);
                self.role(&["spec", "roleArn"], spec.role_arn.as_ref());
                self.drift(&mut spec.drift);
            }
            Made::Service(spec) => self.region(&["spec", "region"], &spec.scope.region),
            Made::Secret(spec) => {
                self.region(&["spec", "region"], &spec.scope.region);
                let replicas: BTreeSet<Region> =
                    spec.replicas.iter().flatten().map(|(region, _)| region.clone()).collect();
                for region in &replicas {
                    self.region(&["spec", "replicas"], region);
                }
            }
            Made::Record(_) => {}
            Made::Backup(spec) => {
                self.region(&["spec", "region"], &spec.scope.region);
                spec.copy_to.keys().for_each(|region| self.region(&["spec", "copyTo"], region));
                self.role(&["spec", "vault", "role"], spec.vault.as_ref().map(|vault| &vault.role));
            }
        }
    }

    fn forbid(&mut self, path: &[&str], why: String) {
        let doc = &self.sheet.doc;
        self.problems.push(Problem::error("not-allowed", why, &doc.file, doc.span(path)));
    }

    fn name(&mut self, what: What, path: &[&str], name: &str) {
        if let Err(why) = self.env.floor.allows(what, name) {
            self.forbid(path, why);
        }
    }

    fn region(&mut self, path: &[&str], region: &Region) {
        self.name(What::Region, path, region.as_str());
    }

    /// A role that is an output is known too late to be judged.
    fn role(&mut self, path: &[&str], role: Option<&Text>) {
        let Some(role) = role else { return };
        match (role.as_literal(), self.env.floor.limits_any(What::Role)) {
            (Some(role), _) => self.name(What::Role, path, role),
            (None, Some(by)) => {
                let why = format!("set this role to a literal value: the operator's {by} restricts roles");
                self.forbid(path, why);
            }
            (None, None) => {}
        }
    }

    fn drift(&mut self, drift: &mut Option<DriftAction>) {
        let Some(said) = self.env.floor.drift().filter(|said| drift.is_some_and(|asked| asked > said.value)) else {
            return;
        };
        *drift = Some(said.value);
        let doc = &self.sheet.doc;
        let message = format!("the operator's {} allows only drift reports here", said.by);
        self.problems.push(Problem::warning("limited", message, &doc.file, doc.span(&["spec", "drift", "action"])));
    }
}
