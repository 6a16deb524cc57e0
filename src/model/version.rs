//! Versions in the tags of images, and ranges of them as manifests write them.
//!
//! Precedence is that of `SemVer` 2.0. Two rules of the libraries around it are not taken over, because people who come
//! from Flux, Helm or npm would get another image than they asked for: a version without an operator is that version
//! (Cargo reads `^`), and a range that names a pre-release takes every pre-release within its bounds (Cargo and npm take
//! those of the same three numbers only).

use std::fmt;

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

/// A range of versions: what its comparators, separated by commas, all admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    comparators: Vec<Comparator>,
    /// It takes pre-releases although it names none.
    prereleases: bool,
}

/// A text is no range of versions: why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRange(String);

impl fmt::Display for InvalidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidRange {}

/// The version that a tag names: three numbers and what follows a hyphen, with or without a `v` in front.
///
/// Leading zeros are of no account: versions by date have them (`2026.04.1`). A tag of fewer numbers is none: `1.4` is
/// the usual name of whatever is the newest of 1.4.
#[must_use]
pub fn version_of(tag: &str) -> Option<Version> {
    let (core, rest) = split(bare(tag));
    let mut numbers = core.split('.').map(|number| number.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    let (major, minor, patch) = (next()?, next()?, next()?);
    let digits = core.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numbers.next().is_some() || !digits {
        return None;
    }
    let pre = match rest {
        None => Prerelease::EMPTY,
        Some("") => return None,
        Some(rest) => Prerelease::new(&prerelease(rest)).ok()?,
    };
    Some(Version { major, minor, patch, pre, build: BuildMetadata::EMPTY })
}

/// The version that a tag might be taken for: of two numbers or one, the rest is zero; of more than three, the first three
/// count.
#[must_use]
pub fn nearest_version_of(tag: &str) -> Option<Version> {
    let core = bare(tag).split(['-', '_', '+']).next()?;
    let mut numbers = core.split('.').map(|number| number.parse::<u64>().ok());
    let major = numbers.next()??;
    let mut next = || numbers.next().map_or(Some(0), |number| number);
    let (minor, patch) = (next()?, next()?);
    version_of(tag).or(Some(Version::new(major, minor, patch)))
}

/// Without the `v` in front.
fn bare(tag: &str) -> &str {
    tag.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(tag)
}

/// The numbers, and what follows the first hyphen.
fn split(version: &str) -> (&str, Option<&str>) {
    version.split_once('-').map_or((version, None), |(core, rest)| (core, Some(rest)))
}

/// A pre-release as `SemVer` compares it: numbers without leading zeros, and what `git describe` appends (`-17-gabc1234`:
/// seventeen commits later) in parts of its own, so that seventeen is more than nine.
fn prerelease(text: &str) -> String {
    let text = described(text).unwrap_or_else(|| text.to_owned());
    text.split('.').map(plain).collect::<Vec<_>>().join(".")
}

fn described(text: &str) -> Option<String> {
    let (before, hash) = text.rsplit_once("-g")?;
    let hexadecimal = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (commit, rest) = hash.split_once('-').map_or((hash, ""), |(commit, rest)| (commit, rest));
    let (base, count) = before.rsplit_once('-').map_or((None, before), |(base, count)| (Some(base), count));
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !hexadecimal(commit) {
        return None;
    }
    let parts = base.into_iter().map(str::to_owned).chain([count.to_owned(), format!("g{commit}")]);
    let rest = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
    Some(parts.chain(rest).collect::<Vec<_>>().join("."))
}

/// A number without leading zeros, and anything else as it is.
fn plain(part: &str) -> &str {
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return part;
    }
    let digits = part.trim_start_matches('0');
    if digits.is_empty() { "0" } else { digits }
}

impl VersionRange {
    /// Reads `>=1.4, <2`, `~1.4.2`, `^2`, `1.4.x`, `*`, `1.4.2`.
    ///
    /// # Errors
    /// Why it is no range.
    pub fn parse(text: &str) -> Result<Self, InvalidRange> {
        let normal: Vec<String> = text.split(',').map(comparator).collect();
        let read = VersionReq::parse(&normal.join(", ")).map_err(|why| InvalidRange(why.to_string()))?;
        Ok(Self { comparators: read.comparators, prereleases: false })
    }

    /// The same range, with the pre-releases within its bounds if that is true, whether it names one or not.
    #[must_use]
    pub fn with_prereleases(self, prereleases: bool) -> Self {
        Self { prereleases, ..self }
    }

    /// Whether a version is within it. A pre-release is only if that was asked for, or the range names one.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        (version.pre.is_empty() || self.prereleases || self.names_a_prerelease()) && self.bounds(version)
    }

    /// Whether a version would be within it, if pre-releases counted.
    #[must_use]
    pub fn bounds(&self, version: &Version) -> bool {
        self.comparators.iter().all(|comparator| Bounds::of(comparator).hold(version))
    }

    /// Whether it is one version: `1.4.2`, `=1.4.2`.
    #[must_use]
    pub fn is_one(&self) -> bool {
        matches!(self.comparators.as_slice(), [one] if one.op == Op::Exact && one.patch.is_some())
    }

    fn names_a_prerelease(&self) -> bool {
        self.comparators.iter().any(|comparator| !comparator.pre.is_empty())
    }

    /// A version within it that a first build could have, a release if there is one.
    #[must_use]
    pub fn example(&self) -> Option<Version> {
        let around = self.comparators.iter().flat_map(|comparator| {
            let from = Bounds::of(comparator).from;
            [released(from.clone()), released(successor(from.clone())), from]
        });
        let around = around.chain([Version::new(1, 0, 0), Version::new(0, 1, 0)]);
        let nothing = Version::new(0, 0, 0);
        around
            .filter(|version| self.contains(version) && *version > nothing)
            .min_by_key(|version| (!version.pre.is_empty(), version.clone()))
    }
}

/// One comparator in the words of the library, which takes no leading zeros and reads a bare version as `^`.
fn comparator(text: &str) -> String {
    let text = text.trim();
    let operand = text.trim_start_matches(['<', '>', '=', '^', '~']);
    let operator = text.get(..text.len() - operand.len()).unwrap_or_default();
    let operand = bare(operand.trim());
    let (core, rest) = split(operand);
    let wildcard = core.split('.').any(|part| matches!(part, "*" | "x" | "X"));
    let core = core.split('.').map(plain).collect::<Vec<_>>().join(".");
    let rest = rest.map(|rest| format!("-{}", prerelease(rest))).unwrap_or_default();
    let operator = if operator.is_empty() && !wildcard && !operand.is_empty() { "=" } else { operator };
    format!("{operator}{core}{rest}")
}

/// The first version that a comparator admits, and the first one above that it does not. An upper bound that names no
/// pre-release leaves out those of its own version too: `<2` is not meant to admit `2.0.0-rc.1`.
struct Bounds {
    from: Version,
    /// `from` itself is not within.
    after: bool,
    below: Option<Version>,
}

impl Bounds {
    fn of(comparator: &Comparator) -> Self {
        let Comparator { op, major, minor, patch, pre } = comparator;
        let named =
            Version { pre: pre.clone(), ..Version::new(*major, minor.unwrap_or_default(), patch.unwrap_or_default()) };
        let (next_major, next_minor) = (|| first(*major + 1, 0, 0), || first(*major, named.minor + 1, 0));
        let next_patch = || first(*major, named.minor, named.patch + 1);
        // What follows all versions that begin with the numbers that are given.
        let following = || match (minor, patch) {
            (None, _) => next_major(),
            (_, None) => next_minor(),
            _ => next_patch(),
        };
        let whole = patch.is_some();
        let zero = Version::new(0, 0, 0);
        let (from, after, below) = match op {
            Op::Greater if whole => (named, true, None),
            Op::Greater => (released(following()), false, None),
            Op::GreaterEq => (named, false, None),
            Op::Less if !pre.is_empty() => (lowest(zero), false, Some(named)),
            Op::Less => (lowest(zero), false, Some(lowest(named))),
            Op::LessEq if whole => (lowest(zero), false, Some(successor(named))),
            Op::LessEq => (lowest(zero), false, Some(following())),
            Op::Exact if whole => (named.clone(), false, Some(successor(named))),
            Op::Tilde if whole => {
                let below = next_minor();
                (named, false, Some(below))
            }
            Op::Caret => {
                let below = match (*major, minor, patch) {
                    (1.., _, _) | (0, None, _) => next_major(),
                    (0, Some(1..), _) | (0, Some(0), None) => next_minor(),
                    (0, Some(0), Some(_)) => next_patch(),
                };
                (named, false, Some(below))
            }
            // `=1.4`, `~1.4`, `1.4.*`, and whatever operator the library may learn.
            _ => {
                let below = following();
                (named, false, Some(below))
            }
        };
        Self { from, after, below }
    }

    fn hold(&self, version: &Version) -> bool {
        let from = if self.after { *version > self.from } else { *version >= self.from };
        from && self.below.as_ref().is_none_or(|below| version < below)
    }
}

/// The lowest pre-release of a version: what is before all of it.
fn first(major: u64, minor: u64, patch: u64) -> Version {
    lowest(Version::new(major, minor, patch))
}

fn lowest(version: Version) -> Version {
    Version { pre: Prerelease::new("0").unwrap_or_default(), ..version }
}

fn released(version: Version) -> Version {
    Version { pre: Prerelease::EMPTY, ..version }
}

/// The first version above this one: the first pre-release of the next, or the pre-release with one more part.
fn successor(version: Version) -> Version {
    if version.pre.is_empty() {
        return first(version.major, version.minor, version.patch + 1);
    }
    Version { pre: Prerelease::new(&format!("{}.0", version.pre)).unwrap_or_default(), ..version }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn within(range: &str, tag: &str) -> bool {
        let range = VersionRange::parse(range).unwrap_or_else(|why| panic!("{range}: {why}"));
        version_of(tag).is_some_and(|version| range.contains(&version))
    }

    #[test]
    fn a_bare_version_is_exactly_that_one() {
        for (range, good, wrong) in [
            ("1.0.0", "1.0.0", "1.5.0"),
            ("v1.0.0", "1.0.0", "1.0.1"),
            ("1.4", "1.4.7", "1.5.0"),
            ("1", "1.9.0", "2.0.0"),
            ("0.3.1", "v0.3.1", "0.3.2"),
            ("1.5.0-rc.1", "1.5.0-rc.1", "1.5.0"),
            ("1.5.0-rc.1", "1.5.0-rc.1", "1.5.0-rc.2"),
            ("2026.04.1", "2026.04.1", "2026.4.2"),
        ] {
            assert!(within(range, good), "{range} has {good}");
            assert!(!within(range, wrong), "{range} has not {wrong}");
        }
    }

    #[test]
    fn a_range_that_names_a_prerelease_takes_them_all_and_no_other_does() {
        for (range, tag, is) in [
            (">=1.4.0-0, <2", "1.4.2-17-gabc1234", true),
            (">=1.4.0-0, <2", "1.9.0", true),
            (">=1.4.0-0, <2", "2.0.0-rc.1", false),
            (">=1.4.0-0, <2.0.0-zzz", "2.0.0-rc.1", true),
            (">=1.4.0, <2", "1.4.2-17-gabc1234", false),
            (">=1.4.0-rc.2", "1.4.0-rc.1", false),
            ("~1.4.0-0", "1.4.9-rc.1", true),
            ("~1.4.0-0", "1.5.0-rc.1", false),
            ("^1.4.0-0", "1.99.0-alpha", true),
            (">1.4.0-rc.1", "1.4.0", true),
            ("*", "1.0.0-rc.1", false),
        ] {
            assert_eq!(within(range, tag), is, "{range} and {tag}");
        }
    }

    #[test]
    fn prereleases_are_taken_within_the_bounds_if_they_are_asked_for() {
        let within = |range: &str, tag: &str| {
            let range = VersionRange::parse(range).unwrap().with_prereleases(true);
            range.contains(&version_of(tag).unwrap())
        };
        assert!(
            within(">=1.4, <2", "1.4.2-17-gabc1234") && within("1.*", "1.9.0-rc.1") && within("^1.4", "1.5.0-beta")
        );
        assert!(
            !within(">=1.4, <2", "2.0.0-rc.1") && !within(">=1.4.0", "1.4.0-rc.1") && !within("~1.4", "1.5.0-rc.1")
        );
    }

    #[test]
    fn a_tag_that_is_no_version_may_be_near_one() {
        for (tag, near) in [
            ("1.4", Some("1.4.0")),
            ("v2", Some("2.0.0")),
            ("1.4.2.9", Some("1.4.2")),
            ("2026.04_2", Some("2026.4.0")),
            ("1.5.0-rc.1", Some("1.5.0-rc.1")),
            ("latest", None),
            ("main-42", None),
            ("1.x", None),
        ] {
            assert_eq!(nearest_version_of(tag).map(|version| version.to_string()).as_deref(), near, "{tag}");
        }
    }

    #[test]
    fn commits_after_a_tag_are_counted() {
        let version = |tag: &str| version_of(tag).unwrap();
        assert!(version("1.4.2-17-gabc1234") > version("1.4.2-9-gfff0000"));
        assert!(version("v1.4.2-rc.1-17-gabc1234") > version("1.4.2-rc.1-9-gabc1234"));
        assert!(version("1.4.2-rc.1-17-gabc1234") > version("1.4.2-rc.1"));
        assert!(version("1.4.2-rc.1-17-gabc1234") < version("1.4.2-rc.2"));
        assert!(version("1.4.2-17-gabc1234-dirty") > version("1.4.2-17-gabc1234"));
        assert!(version("1.4.2-17-gabc1234") < version("1.4.2"), "as SemVer has it");
    }

    #[test]
    fn leading_zeros_are_of_no_account_and_partial_versions_are_none() {
        assert!(version_of("2026.04.1").unwrap() > version_of("2025.12.1").unwrap());
        assert_eq!(version_of("2026.04.01"), version_of("v2026.4.1"));
        assert_eq!(version_of("1.0.0-rc.007"), version_of("1.0.0-rc.7"));
        for none in
            ["1", "1.4", "v1.4", "latest", "1.4.2.1", "1.4.x", "1.4.", "1.4.2-", "1.4.2-a..b", "x1.4.2", "1.+4.2"]
        {
            assert_eq!(version_of(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_range_says_why() {
        for wrong in [">=1.4 <2", "1.4 || 2", "1.0 - 2.0", "", ">=", "latest", "1.4.2.1", ">=1.4,"] {
            assert!(VersionRange::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_has_an_example() {
        for (range, tag) in [
            (">=1.0.0-0, <2", Some("1.0.0")),
            ("=1.4.2", Some("1.4.2")),
            ("1.4.2", Some("1.4.2")),
            (">1", Some("2.0.0")),
            (">1.4.2", Some("1.4.3")),
            ("<1", Some("0.1.0")),
            ("*", Some("0.1.0")),
            ("=1.0.0-rc.1", Some("1.0.0-rc.1")),
            (">=3, <2", None),
        ] {
            let example = VersionRange::parse(range).unwrap().example().map(|version| version.to_string());
            assert_eq!(example.as_deref(), tag, "{range}");
        }
    }

    proptest! {
        /// Of released versions, the library says the same of everything that has an operator.
        #[test]
        fn released_versions_are_within_what_the_library_says(
            operator in prop::sample::select(vec!["=", ">", ">=", "<", "<=", "~", "^"]),
            range in "[0-3](\\.[0-3](\\.[0-3])?)?", version in "[0-3]\\.[0-3]\\.[0-3]",
        ) {
            let text = format!("{operator}{range}");
            let library = VersionReq::parse(&text).unwrap().matches(&Version::parse(&version).unwrap());
            prop_assert_eq!(within(&text, &version), library, "{} and {}", text, version);
        }

        #[test]
        fn what_semver_reads_is_read_as_it_is(version in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-[a-f]{1,3}(\\.[a-z]{1,4})?)?") {
            if let Ok(read) = Version::parse(&version) {
                prop_assert_eq!(version_of(&version), Some(read));
            }
        }
    }
}
