//! What becomes of one document in one environment.

use super::Severity;
use super::doc::Doc;
use super::maker::{Maker, Outcome, Resource, Surroundings, Waits};
use super::readiness;
use super::values::Patterns;
use crate::model::{Key, Region};
use crate::yaml::Node;

/// Instantiates a document.
pub(super) fn instantiate(
    key: &Key,
    doc: &Doc<'_>,
    resource: &dyn Resource,
    around: &Surroundings<'_>,
    patterns: &mut Patterns,
) -> Outcome {
    let default = &around.env.shell.scope.region;
    let names = around.env.names(default.as_str(), around.secrets);
    let mut maker =
        Maker { key, doc, around, patterns, names, region: default, out: Outcome::default(), waits: Waits::Always };
    let field = maker.at(&["spec", "region"]);
    let region = doc.at(&["spec", "region"]).and_then(Node::text).filter(|_| field.is_given());
    let region: Option<Region> = region.and_then(|region| maker.region(region, field));
    let region = region.as_ref().unwrap_or(default);
    let mut maker = Maker {
        names: around.env.names(region.as_str(), around.secrets),
        region,
        out: maker.out,
        patterns: maker.patterns,
        key,
        doc,
        around,
        waits: Waits::Always,
    };
    let made = resource.make(&mut maker);
    maker.depends_on();
    let ready = readiness::listed(&mut maker);
    let mut out = maker.out;
    let failed = out.problems.iter().any(|problem| problem.severity == Severity::Error);
    out.made = made.filter(|_| !failed);
    out.ready.extend(ready);
    out
}
