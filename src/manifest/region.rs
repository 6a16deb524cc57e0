//! Whether a region exists, as far as a release can know.

use super::diagnostic::{Problem, Severity, nearest};
use crate::model::Region;

/// The regions that this release knows (AWS: *AWS Regions and Availability Zones*).
const KNOWN: [&str; 46] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];
/// The part of a region's name before its number is one of these.
const DIRECTIONS: [&str; 9] =
    ["central", "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest"];

/// The region that was meant by a text that is none.
pub(super) fn meant(text: &str) -> Option<&'static str> {
    nearest(text, KNOWN)
}

/// Says of a region that it does not exist: an error if no region can have such a name, a warning if it may be newer than
/// this release.
pub(super) fn unknown(region: &Region, at: impl FnOnce(&'static str, String) -> Problem) -> Option<Problem> {
    let text = region.as_str();
    if KNOWN.contains(&text) {
        return None;
    }
    let possible = text.rsplit('-').nth(1).is_some_and(|direction| DIRECTIONS.contains(&direction));
    let problem = if possible {
        let message = format!("there is no region `{text}` that this release knows; it is used as it is");
        Problem { severity: Severity::Warning, ..at("unknown-region", message) }
    } else {
        at("unknown-region", format!("there is no region `{text}`"))
    };
    Some(problem.suggest(text, KNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Span;

    #[test]
    fn a_region_that_may_be_new_is_a_warning_and_one_that_cannot_exist_an_error() {
        let said = |text: &str| {
            let region: Region = text.parse().unwrap();
            let problem = unknown(&region, |code, message| Problem::error(code, message, &"a".into(), Span::default()));
            problem.map(|problem| (problem.severity, problem.help.unwrap_or_default()))
        };
        assert_eq!(said("eu-central-1"), None);
        assert_eq!(said("eu-centrl-1"), Some((Severity::Error, "did you mean `eu-central-1`?".to_owned())));
        assert_eq!(said("us-eest-1"), Some((Severity::Error, "did you mean `us-east-1`?".to_owned())));
        assert_eq!(said("eu-central-3").map(|(severity, _)| severity), Some(Severity::Warning));
        assert_eq!(said("nz-south-1").map(|(severity, _)| severity), Some(Severity::Warning));
    }
}
