//! `Secret`: its document, and the desired secret that it becomes in an environment.
//!
//! No value in the clear has a place here. Somebody will write one nevertheless; so no message repeats what such a
//! document says where a value could stand, and no snippet shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::diagnostic::Problem;
use super::document::{ApiVersion, Metadata, Or, Scalar, duration_or_reference_schema, number_schema};
use super::made::Made;
use super::maker::{At, Maker, Resource, Waits, word};
use super::nouns::CLEAR;
use super::readiness::{CheckDocument, HealthDocument};
use crate::model::{
    Charset, DeletionPolicy, Digest, GeneratedField, Key, Kind, Region, RotationSpec, SealedFile, SecretSource,
    SecretSpec, Text,
};
use crate::template::json_digest;
use crate::yaml::{Entry, Node};

/// The most that a secret can hold (AWS: Secrets Manager quotas).
const MAX_VALUE: usize = 65_536;
/// The most that an armored file of such a value has: a header for a few dozen recipients, four characters for three
/// bytes, and a line break after every 64 of them.
const MAX_SEALED: usize = (MAX_VALUE + 16_384) / 3 * 4 / 64 * 65 + 128;
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const DAY: Duration = Duration::from_hours(24);
/// How long a deleted secret can be restored (AWS: `DeleteSecret`, parameter `RecoveryWindowInDays`).
const RECOVERY_DAYS: RangeInclusive<u64> = 7..=30;
/// AWS's own rotation has the same longest interval.
const ROTATION: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(24_000);
/// Marks the document as a secret.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum SecretKind {
    /// A secret.
    Secret,
}

/// A secret in Secrets Manager, instantiated in every environment that includes this file. The manifest never contains
/// its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast secret")]
pub(super) struct SecretDocument {
    /// The version of the manifest language.
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    /// The kind of document.
    #[expect(dead_code, reason = "checked by its type")]
    kind: SecretKind,
    /// The object's metadata.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// The desired state.
    spec: SecretDocumentSpec,
}

/// The desired secret: exactly one of `generate`, `sealed` and `external`. Texts can contain `${env}`, `${system}`,
/// `${account}`, `${region}`, `${values.name}`, `${parameters.Name}` and, where stated, `${stacks.name.outputs.Key}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SecretSpec")]
struct SecretDocumentSpec {
    /// Its name in Secrets Manager; default `{env}/{system}/{name}`.
    #[serde(default)]
    name: Option<String>,
    /// Its description. If omitted, not managed.
    #[serde(default)]
    description: Option<String>,
    /// The KMS key that encrypts it: ID, ARN or alias. If omitted, the AWS managed key (with `external` or `adopt`: not
    /// managed). Stack outputs can be used.
    #[serde(default)]
    kms_key: Option<String>,
    /// Fields that Landfast generates once, by name. The value is a JSON object of them.
    #[serde(default)]
    generate: BTreeMap<String, FieldDocument>,
    /// A file that `landfast seal` wrote, relative to this one: the value, encrypted with age.
    #[serde(default)]
    sealed: Option<String>,
    /// `true`: the value is managed elsewhere; Landfast manages only the settings.
    #[serde(default)]
    external: Option<Or<bool>>,
    /// Tags, in addition to the environment's. Stack outputs can be used.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, where numbers are as they were written")]
    tags: BTreeMap<String, Scalar>,
    /// A resource policy: a JSON file, relative to this one. If omitted, not managed.
    #[serde(default)]
    resource_policy: Option<String>,
    /// Regions with a replica: a list, or a mapping from region to KMS key. If omitted, not managed.
    #[serde(default)]
    replicas: Option<ReplicasDocument>,
    /// When the generated fields are regenerated. If omitted, never.
    #[serde(default)]
    rotate: Option<RotateDocument>,
    /// What happens when this manifest is removed: `retain` (the default), or `delete`, if the environment's policy
    /// allows it.
    #[serde(default)]
    deletion_policy: Option<Or<DeletionPolicy>>,
    /// How long a deleted secret can be restored: `7d` to `30d` (the default).
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    recovery_window: Option<String>,
    /// The region of the primary. Default: the environment's region.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    region: Option<String>,
    /// Adopt an existing secret of this name that has no owner.
    #[serde(default)]
    adopt: Option<Or<bool>>,
    /// Checks that must pass before the secret is ready for its dependents.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    ready: Vec<CheckDocument>,
    /// Objects of this environment that must be ready first: a stack by its name, others as `service/name`. Needed only
    /// for dependencies that no reference shows.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    depends_on: Vec<String>,
}

/// How a field is generated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Field")]
struct FieldDocument {
    /// The length: 1 to 1,024 characters; default 32.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 1024>")]
    length: Option<Or<i64>>,
    /// The character set: `alphanumeric` (the default), `base64url`, `hex`, `digits`, `printable`.
    #[serde(default)]
    charset: Option<Or<Charset>>,
}

/// Regions, or regions with keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum ReplicasDocument {
    /// Regions, with the AWS managed key.
    List(Vec<String>),
    /// Regions, each with its key.
    Keys(BTreeMap<String, Option<ReplicaFields>>),
}

/// A replica.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Replica")]
struct ReplicaFields {
    /// The KMS key that encrypts it there. If omitted, the AWS managed key. Stack outputs can be used.
    #[serde(default)]
    kms_key: Option<String>,
}

/// When generated fields are regenerated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rotate")]
struct RotateDocument {
    /// How long a value is used, for example `30d`.
    #[schemars(schema_with = "duration_or_reference_schema")]
    every: String,
    /// Services of this environment to restart when the new value is current.
    #[serde(default)]
    restart: Vec<String>,
    /// A check that must pass with the pending value before it becomes current. `{version}` in the URL is the ID of the
    /// pending version.
    #[serde(default)]
    check: Option<HealthDocument>,
}

/// Fields of a document, whatever its kind, that look like a value in the clear.
pub(super) fn in_the_clear(root: &Node) -> impl Iterator<Item = &Entry> {
    let spec = root.get("spec").map(Node::entries).unwrap_or_default();
    root.entries().iter().chain(spec).filter(|entry| CLEAR.contains(&entry.key.as_str()))
}

/// Says of unknown fields that look like a value in the clear what they are.
pub(super) fn review(root: &Node, problems: &mut [Problem]) {
    for entry in in_the_clear(root) {
        for problem in problems.iter_mut().filter(|p| p.code == "unknown-field" && p.span == entry.key_span) {
            problem.code = "secret-in-plain-text";
            problem.message = format!("`{}` would store the secret in plain text in the manifest", entry.key).into();
            problem.help = Some(
                "let Landfast generate it (`generate`), encrypt it (`landfast seal` writes the file for `sealed`), or \
                manage it elsewhere (`external: true`). Replace the value that was written here: it is no longer secret"
                    .to_owned(),
            );
        }
    }
}

impl Resource for SecretDocument {
    fn make(&self, maker: &mut Maker<'_>) -> Option<Made> {
        self.spec.secret(maker).map(Made::Secret)
    }
}

impl SecretDocumentSpec {
    fn secret(&self, maker: &mut Maker<'_>) -> Option<SecretSpec> {
        let spec = maker.at(&["spec"]);
        let name = self.name(maker, spec);
        let description = self.description.as_ref().and_then(|text| maker.closed(text, spec.key("description")));
        if description.as_ref().is_some_and(|text| text.chars().count() > 2048) {
            maker.wrong("a description can have at most 2,048 characters", spec.key("description"));
        }
        let kms_key = self.kms_key.as_ref().map(|text| maker.open(text, spec.key("kmsKey")));
        let source = self.source(maker, spec);
        let tags = maker.tags();
        let place = spec.key("resourcePolicy");
        let resource_policy = maker.json_file(self.resource_policy.as_deref(), place, "resource policy");
        let replicas = self.replicas.as_ref().map(|replicas| replicas.replicas(maker, spec.key("replicas")));
        let rotation = self.rotate.as_ref().and_then(|rotate| rotate.rotation(maker, spec.key("rotate")));
        if self.rotate.is_some() && !spec.key("generate").is_given() {
            maker.wrong(
                "`rotate` needs `generate`: Landfast can rotate only values that it generates",
                spec.key("rotate"),
            );
        }
        let given = self.deletion_policy.as_ref();
        let place = spec.key("deletionPolicy");
        let deletion_policy = maker.choice(given, DeletionPolicy::Retain, place, "deletionPolicy", &word);
        let recovery_days = self.recovery_days(maker, spec.key("recoveryWindow"));
        let adopt = maker.flag(self.adopt.as_ref(), spec.key("adopt"), "adopt");
        let (scope, name, source, kms_key) =
            (maker.scope(), name?, source?, kms_key.map_or(Some(None), |key| key.map(Some))?);
        let value = match &source {
            SecretSource::Generated(fields) => (Some(fields), None),
            SecretSource::Sealed(file) => (None, Some(Digest::of_bytes(file.ciphertext.as_bytes()))),
            SecretSource::External => (None, None),
        };
        let policy = resource_policy.as_deref().map(json_digest);
        let rotates = rotation.as_ref().map(|rotation| (rotation.every, &rotation.restart, &rotation.check));
        let settings = (&scope, &name, &description, &kms_key, &tags, policy, &replicas);
        let digest = Digest::of(&(settings, value, rotates, deletion_policy, recovery_days, adopt));
        Some(SecretSpec {
            key: maker.key.clone(),
            scope,
            name,
            description,
            kms_key,
            source,
            tags,
            resource_policy,
            replicas,
            rotation,
            deletion_policy,
            recovery_days,
            adopt,
            depends_on: BTreeSet::new(),
            digest,
        })
    }

    /// Its name (AWS: `CreateSecret`, parameter `Name`).
    fn name(&self, maker: &mut Maker<'_>, spec: At<'_>) -> Option<String> {
        let (name, at) = match &self.name {
            Some(text) => (maker.closed(text, spec.key("name"))?, spec.key("name")),
            None => (format!("{}/{}/{}", maker.environment(), maker.system(), maker.key.name), maker.name_site()),
        };
        // AWS's services name theirs with a `!`, which no request of ours may have: `rds!cluster-…`, `events!connection/…`.
        let external = spec.key("external").is_given();
        let legal = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '=' | '.' | '@' | '-') || (external && c == '!')
        };
        if (1..=512).contains(&name.len()) && name.chars().all(legal) {
            return Some(name);
        }
        if name.contains('!') && name.replace('!', "").chars().all(legal) {
            let message = "only AWS services create secrets with `!` in their names";
            let problem = maker.error("invalid-value", message, at);
            maker.add(problem.help("use `external: true` for a secret that is created elsewhere"));
            return None;
        }
        maker.wrong("a secret's name must have 1 to 512 letters, digits and characters of `/_+=.@-`", at);
        None
    }

    fn source(&self, maker: &mut Maker<'_>, spec: At<'_>) -> Option<SecretSource> {
        let known = ["generate", "sealed", "external"];
        if known.into_iter().filter(|field| spec.key(field).is_given()).count() != 1 {
            maker.wrong("a secret has exactly one of `generate`, `sealed` and `external: true`", spec);
            return None;
        }
        if let Some(path) = &self.sealed {
            return sealed(maker, path, spec.key("sealed")).map(SecretSource::Sealed);
        }
        if spec.key("external").is_given() {
            if maker.flag(self.external.as_ref(), spec.key("external"), "external") {
                return Some(SecretSource::External);
            }
            maker.wrong("set the source of its value: `generate`, `sealed` or `external: true`", spec.key("external"));
            return None;
        }
        self.generated(maker, spec.key("generate")).map(SecretSource::Generated)
    }

    fn generated(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<BTreeMap<String, GeneratedField>> {
        if self.generate.is_empty() {
            maker.wrong("`generate` has no fields", at);
            return None;
        }
        let mut fields = BTreeMap::new();
        // The braces, and for each field its quotes, its colon and its comma.
        let mut size = 2;
        for (name, field) in &self.generate {
            let place = at.key(name);
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
            if !(1..=128).contains(&name.len()) || !name.chars().all(legal) {
                maker.wrong("a field's name must have 1 to 128 letters, digits and characters of `_./-`", place);
            }
            let length: u16 = maker.number(field.length.as_ref(), 32, 1..=1024, place.key("length"), "length");
            let charset =
                maker.choice(field.charset.as_ref(), Charset::default(), place.key("charset"), "charset", &word);
            size += name.len() + usize::from(length) + 6;
            fields.insert(name.clone(), GeneratedField { length, charset });
        }
        if size > MAX_VALUE {
            maker.wrong(format!("the fields have {size} bytes in total; the limit of a secret is {MAX_VALUE}"), at);
        }
        Some(fields)
    }

    fn recovery_days(&self, maker: &mut Maker<'_>, at: At<'_>) -> u8 {
        let (least, most) = (*RECOVERY_DAYS.start(), *RECOVERY_DAYS.end());
        let limits = DAY * 7..=DAY * 30;
        let window = maker.duration(self.recovery_window.as_deref(), at, "recoveryWindow", limits);
        let seconds = window.map_or(most * DAY.as_secs(), |window| window.as_secs());
        if !seconds.is_multiple_of(DAY.as_secs()) {
            maker.wrong(format!("`recoveryWindow` must be {least} to {most} whole days"), at);
        }
        u8::try_from(seconds / DAY.as_secs()).unwrap_or(30)
    }
}

/// Reads a sealed file as far as this can be done without a key. What stands in the field is not repeated: it may be a
/// value that somebody put into the wrong place.
fn sealed(maker: &mut Maker<'_>, path: &str, at: At<'_>) -> Option<SealedFile> {
    let (file, text) = maker.file(path, at)?;
    match is_sealed(text) {
        Ok(()) => {
            super::recipients::check(maker, &file, text, at);
            let unbound = maker.around.opens_unbound();
            Some(SealedFile { file: Arc::from(file), ciphertext: Arc::from(text), unbound })
        }
        Err(why) => {
            let problem = maker.error("not-sealed", why, at);
            maker.add(problem.help("create the file with `landfast seal`"));
            None
        }
    }
}

fn is_sealed(text: &str) -> Result<(), &'static str> {
    if !text.starts_with(ARMOR) {
        return Err("this file is not encrypted: an armored age file starts with `-----BEGIN AGE ENCRYPTED FILE-----`");
    }
    if text.len() > MAX_SEALED {
        return Err("this file is too large: a secret can have at most 64 KiB");
    }
    let mut bytes = Vec::new();
    let armored = age::armor::ArmoredReader::new(text.as_bytes()).read_to_end(&mut bytes);
    armored.map_err(|_| "this file is damaged: its armor cannot be decoded")?;
    match age::Decryptor::new_buffered(bytes.as_slice()) {
        Ok(file) if file.is_scrypt() => {
            Err("this file is encrypted with a passphrase, which a daemon cannot enter: encrypt it for recipients")
        }
        Ok(_) => Ok(()),
        Err(_) => Err("this file is damaged or in an unknown format: it has no age header"),
    }
}

impl ReplicasDocument {
    fn replicas(&self, maker: &mut Maker<'_>, at: At<'_>) -> BTreeMap<Region, Option<Text>> {
        let mut replicas = BTreeMap::new();
        match self {
            Self::List(regions) => {
                for (region, at) in regions.iter().zip(at.items()) {
                    replica(maker, region, None, at, &mut replicas);
                }
            }
            Self::Keys(regions) => {
                for (region, fields) in regions {
                    let at = at.key(region);
                    let key = fields.as_ref().and_then(|fields| fields.kms_key.as_ref());
                    let key = key.and_then(|text| maker.open(text, at.key("kmsKey")));
                    replica(maker, region, key, at, &mut replicas);
                }
            }
        }
        replicas
    }
}

fn replica(
    maker: &mut Maker<'_>,
    region: &str,
    key: Option<Text>,
    at: At<'_>,
    replicas: &mut BTreeMap<Region, Option<Text>>,
) {
    let Some(region) = maker.region(region, at) else { return };
    if region == maker.scope().region {
        maker.wrong(format!("{region} is the region of the secret itself"), at);
    } else {
        let message = format!("{region} is listed twice");
        if replicas.insert(region, key).is_some() {
            maker.wrong(message, at);
        }
    }
}

impl RotateDocument {
    fn rotation(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<RotationSpec> {
        let every = maker.duration(Some(&self.every), at.key("every"), "every", ROTATION);
        let mut restart: BTreeSet<Key> = BTreeSet::new();
        for (name, at) in self.restart.iter().zip(at.key("restart").items()) {
            if let Some(key) = maker.member(Kind::Service, name) {
                restart.insert(key);
                continue;
            }
            let message = format!("`{}` has no service `{name}`", maker.environment());
            let problem = maker.error("unknown-service", message, at).absent(name);
            let services = maker.around.members.of(Kind::Service).map(|sheet| sheet.name.as_str());
            maker.add(problem.suggest(name, services));
        }
        // A rotation comes long after the secret was made; what its check asks usually needs the secret to run at all.
        let before = std::mem::replace(&mut maker.waits, Waits::Never);
        let check = self.check.as_ref().map(|check| check.consumer(maker, at.key("check")));
        maker.waits = before;
        Some(RotationSpec { every: every?, restart, check: check.map_or(Some(None), |probe| probe.map(Some))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text "secret", for a recipient whose key nobody kept.
    fn armored() -> String {
        let key = age::x25519::Identity::generate().to_public();
        age::encrypt_and_armor(&key, b"{\"a\": \"secret\"}").unwrap()
    }

    #[test]
    fn a_sealed_file_is_known_without_its_key() {
        let good = armored();
        assert_eq!(is_sealed(&good), Ok(()));
        assert!(is_sealed("hunter2").unwrap_err().contains("not encrypted"));
        assert!(is_sealed(&good[..good.len() / 2]).unwrap_err().contains("damaged"));
        assert!(
            is_sealed(&format!("{ARMOR}\nAAAA\n-----END AGE ENCRYPTED FILE-----\n")).unwrap_err().contains("header")
        );
        assert!(is_sealed(&format!("{ARMOR}\n{}", "A".repeat(MAX_SEALED))).unwrap_err().contains("too large"));
    }

    #[test]
    fn the_largest_value_fits_when_it_is_sealed_for_many() {
        let keys: Vec<_> = (0..40).map(|_| age::x25519::Identity::generate().to_public()).collect();
        let recipients = keys.iter().map(|key| key as &dyn age::Recipient);
        let mut file = Vec::new();
        let armor = age::armor::ArmoredWriter::wrap_output(&mut file, age::armor::Format::AsciiArmor).unwrap();
        let encryptor = age::Encryptor::with_recipients(recipients).unwrap();
        let mut writer = encryptor.wrap_output(armor).unwrap();
        std::io::Write::write_all(&mut writer, &vec![b'x'; MAX_VALUE]).unwrap();
        writer.finish().and_then(age::armor::ArmoredWriter::finish).unwrap();
        assert_eq!(is_sealed(&String::from_utf8(file).unwrap()), Ok(()));
    }
}
