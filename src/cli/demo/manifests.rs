//! The manifests of this repository, inside the binary, and the edits that the demonstration makes to them.

use std::collections::BTreeMap;

use crate::model::{FileContent, Snapshot};

/// Where the development environment keeps its parameters.
const PARAMETERS: &str = "environments/dev/dev-parameters.json";

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/", $path)))),*]
    };
}

/// All that the development environment is made of. A test holds that nothing is missing.
const SHIPPED: &[(&str, &[u8])] = shipped![
    "environments/dev/dev-parameters.json",
    "environments/dev/environment.yaml",
    "performance-mgmt/app.yaml",
    "performance-mgmt/backups.yaml",
    "performance-mgmt/policies/stateful.json",
    "performance-mgmt/stacks.yaml",
    "performance-mgmt/templates/alb.yaml",
    "performance-mgmt/templates/dynamodb.yaml",
    "performance-mgmt/templates/ecr.yaml",
    "performance-mgmt/templates/ecs-cluster.yaml",
    "performance-mgmt/templates/ecs-service.yaml",
    "performance-mgmt/templates/elasticache.yaml",
    "performance-mgmt/templates/iam.yaml",
    "performance-mgmt/templates/kms.yaml",
    "performance-mgmt/templates/monitoring.yaml",
    "performance-mgmt/templates/msk.yaml",
    "performance-mgmt/templates/network.yaml",
    "performance-mgmt/templates/security.yaml",
    "performance-mgmt/templates/traffic.yaml",
];

/// The manifests as they are committed at one moment of the demonstration.
#[derive(Clone)]
pub(super) struct Manifests(BTreeMap<String, String>);

impl Manifests {
    /// As shipped.
    pub(super) fn shipped() -> Self {
        let files = SHIPPED.iter();
        Self(files.map(|(path, bytes)| ((*path).to_owned(), String::from_utf8_lossy(bytes).into_owned())).collect())
    }

    /// The same, with `from` replaced by `to` in a file. `None` if it is not there: an edit must not come to nothing
    /// unnoticed.
    fn edited(mut self, path: &str, from: &str, to: &str) -> Option<Self> {
        let text = self.0.get_mut(path)?;
        if !text.contains(from) {
            return None;
        }
        *text = text.replacen(from, to, 1);
        Some(self)
    }

    /// The same, with another value of a parameter.
    pub(super) fn with_parameter(self, name: &str, value: &str) -> Option<Self> {
        let text = self.0.get(PARAMETERS)?;
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("\"{name}\":")))?.to_owned();
        let comma = if line.ends_with(',') { "," } else { "" };
        self.edited(PARAMETERS, &line, &format!("    \"{name}\": \"{value}\"{comma}"))
    }

    /// The same, with another name for the first table, which is no longer kept when it is replaced.
    pub(super) fn with_renamed_table(self) -> Option<Self> {
        let path = "performance-mgmt/templates/dynamodb.yaml";
        self.edited(path, "    UpdateReplacePolicy: Retain\n", "")?.edited(path, "-ReviewCycles", "-Reviews")
    }

    /// As if a directory had been read.
    pub(super) fn snapshot(&self) -> Snapshot {
        let bytes = |text: &String| FileContent::Bytes(text.as_bytes().into());
        let files = self.0.iter().map(|(path, text)| (path.clone(), bytes(text)));
        Snapshot::new("manifests", files.collect(), None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_development_environment_is_in_the_binary() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
        let snapshot = crate::source::read(&root).unwrap();
        let ours = |path: &&String| path.starts_with("environments/dev/") || path.starts_with("performance-mgmt/");
        let there: BTreeSet<&str> = snapshot.files.keys().filter(ours).map(String::as_str).collect();
        let here: BTreeSet<&str> = SHIPPED.iter().map(|(path, _)| *path).collect();
        assert_eq!(here, there);
    }

    #[test]
    fn an_edit_that_finds_nothing_is_no_edit() {
        assert!(Manifests::shipped().with_parameter("NoSuchParameter", "1").is_none());
        assert!(Manifests::shipped().with_renamed_table().is_some());
    }
}
