//! Manifests as they are written: the types that serde reads and that the JSON Schema is made from. Those of an
//! environment, and what the documents of all kinds share; each resource kind has its own beside what reads it.
//!
//! The doc comments are what an editor shows. Everything is still text here: names, durations and references are
//! checked where their meaning is known. The only file that names `serde_yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::model::{Broaden, DriftAction, Mode, Prune, Replace};
use crate::yaml::{Content, Node};

/// The group and version that this release reads.
pub(super) const API_VERSION: &str = "landfast/v1";

/// The only version there is so far.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// Version 1.
    #[serde(rename = "landfast/v1")]
    V1,
}

/// Says that this document is an environment.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum EnvironmentKind {
    /// An environment.
    Environment,
}

/// What a document is called.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    /// Lower-case letters, digits and hyphens, 1 to 63 of them, starting with a letter.
    #[schemars(regex(pattern = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    name: String,
}

/// An environment: one account and region, and the resource manifests that are instantiated in it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast environment")]
pub(super) struct EnvironmentDocument {
    /// The version of the manifest language.
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    /// What sort of document this is.
    #[expect(dead_code, reason = "checked by its type")]
    kind: EnvironmentKind,
    /// What it is called.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// What it should be.
    pub(super) spec: EnvironmentSpec,
}

/// What an environment is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvironmentSpec {
    /// The middle of the default stack name, `{env}-{system}-{name}`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"))]
    pub(super) system: String,
    /// The account, twelve digits in quotes. A call that would reach another account is refused.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: String,
    /// The region that stacks go to unless they say otherwise.
    #[schemars(regex(pattern = r"^[a-z]+(-[a-z0-9]+)+-[0-9]+$"))]
    pub(super) region: String,
    /// The role that is assumed to enter the account. Without it the credentials at hand are used.
    #[serde(default)]
    pub(super) role: Option<RoleSpec>,
    /// Directories or files with resource manifests, relative to this file. Directories are read with everything
    /// below them.
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// A CloudFormation parameter file, relative to this file: `{"Parameters": {"Key": "Value"}}`, or the list of
    /// `{"ParameterKey", "ParameterValue"}` that the AWS CLI takes. A parameter that a template declares and this file
    /// has is passed without being listed in the stack.
    #[serde(default)]
    pub(super) parameters: Option<String>,
    /// Values for `${values.name}`; nested ones are addressed with dots.
    #[serde(default)]
    pub(super) values: BTreeMap<String, ValueTree>,
    /// Tags of every stack. A stack's own tags win.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, Scalar>,
    /// The bucket that templates over 51,200 bytes are uploaded to.
    #[serde(default)]
    pub(super) template_bucket: Option<String>,
    /// What Landfast may do here by itself.
    #[serde(default)]
    pub(super) policy: PolicySpec,
}

/// A role to assume: its ARN, or its ARN with what its trust policy asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RoleSpec {
    /// The role's ARN.
    Arn(String),
    /// The role's ARN and more.
    Full(RoleFields),
}

/// A role to assume, with what its trust policy asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RoleFields {
    /// The role's ARN.
    pub(super) arn: String,
    /// The external id that the role's trust policy asks for.
    #[serde(default)]
    pub(super) external_id: Option<String>,
    /// The session name that CloudTrail shows; `landfast` unless said otherwise.
    #[serde(default)]
    pub(super) session_name: Option<String>,
}

/// What Landfast may do by itself in an environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicySpec {
    /// Whether it acts: `observe` only looks, `approve` acts on plans that a person approved, `apply` (the default)
    /// acts.
    #[serde(default)]
    pub(super) mode: Mode,
    /// What follows from a manifest that is gone: `never` deletes nothing, `confirm` (the default) deletes the stack
    /// once a person approves, `always` deletes it.
    #[serde(default)]
    pub(super) prune: Prune,
    /// What follows from a change that replaces or removes a stateful resource: `deny` (the default), `approve`, or
    /// `allow` where there is a fresh backup.
    #[serde(default)]
    pub(super) replace: Replace,
    /// What follows from a change that gives access to somebody who did not have it (statements added to policies, who
    /// may assume a role, ingress, public access): `deny`, `approve` (the default), or `allow`.
    #[serde(default)]
    pub(super) broaden: Broaden,
    /// How much may be changed and destroyed within a period without a person's consent.
    #[serde(default)]
    pub(super) budget: BudgetSpec,
    /// A regular expression that every stack name must match as a whole. Any name is good without it.
    #[serde(default)]
    pub(super) stack_name: Option<String>,
    /// Tags that every stack must have. None without it.
    #[serde(default)]
    pub(super) required_tags: Vec<String>,
    /// Changes to the list of resource types that hold state. By default these are the tables of DynamoDB, buckets,
    /// RDS, Neptune, DocumentDB and Redshift databases, ElastiCache and MemoryDB, MSK clusters, KMS keys, EFS and FSx
    /// file systems, EBS volumes, OpenSearch domains, Kinesis streams, queues, user pools, secrets, image repositories,
    /// log groups, Timestream tables, backup vaults and hosted zones; and every type that is not AWS's own, because nobody
    /// can tell what is behind it: custom resources, types from third parties, modules.
    #[serde(default)]
    pub(super) stateful_types: StatefulSpec,
    /// How old the newest completed backup of a stateful resource may be when it is replaced or removed; `24h` unless
    /// said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_schema")]
    pub(super) backup_max_age: Option<String>,
    /// What is done about what is changed past a stack: `report` (the default), or `revert`, which puts it back. A stack
    /// may say something else.
    #[serde(default)]
    pub(super) drift: DriftAction,
    /// How often the daemon looks at every stack for drift: `6h` unless said otherwise, at least `10m`, or `off`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_off_schema")]
    pub(super) drift_every: Option<String>,
    /// Age recipients (`age1…`) that sealed files may be sealed to. Every sealed file then needs the record that
    /// `landfast seal` writes beside it. Without it, nothing is checked.
    #[serde(default)]
    pub(super) seal_recipients: Option<Vec<String>>,
}

/// A budget for a period. What is not said keeps its default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BudgetSpec {
    /// Stacks changed; 50 unless said otherwise: a whole environment may be rolled out, a runaway loop may not run on.
    #[serde(default)]
    pub(super) stacks: Option<u32>,
    /// Stateful resources replaced or removed inside stacks; 0 unless said otherwise. Others do not count: every
    /// deployment of an image replaces a task definition.
    #[serde(default)]
    pub(super) replacements: Option<u32>,
    /// Stacks deleted; 0 unless said otherwise.
    #[serde(default)]
    pub(super) deletions: Option<u32>,
    /// The period; `1h` unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_schema")]
    pub(super) per: Option<String>,
}

/// Changes to the list of resource types that hold state.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StatefulSpec {
    /// Types that hold state too: `AWS::SSM::Parameter`.
    #[serde(default)]
    pub(super) add: Vec<String>,
    /// Types that are treated as if they held none: `AWS::Logs::LogGroup`, `Custom::Thing`.
    #[serde(default)]
    pub(super) remove: Vec<String>,
}

/// A text, a number or a boolean; all become text, as they are written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "its text is read from the tree, where numbers are as they were written")]
pub(super) enum Scalar {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text, in which references may stand.
    Text(String),
}

/// A scalar, or a list of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "as for a scalar")]
pub(super) enum ParameterValue {
    /// One value.
    One(Scalar),
    /// Several, joined by commas.
    List(Vec<Scalar>),
    /// What the stack has already.
    Kept(KeptValue),
}

/// What the stack has already.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Previous value")]
pub(super) struct KeptValue {
    /// `true`: no update changes it, and nobody here has to know it. Only for a stack that exists.
    #[expect(dead_code, reason = "as for a scalar")]
    previous: bool,
}

/// A scalar, or named ones.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ValueTree {
    /// One value.
    Leaf(#[expect(dead_code, reason = "as for a scalar")] Scalar),
    /// Named ones.
    Branch(BTreeMap<String, ValueTree>),
}

/// A value, or a text with a reference that gives it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Or<T> {
    /// The value itself.
    Known(T),
    /// A text with a reference in it.
    Text(Reference),
}

/// A text with a reference in it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Reference(#[schemars(regex(pattern = r"\$\{"))] pub(super) String);

/// The schema of a type.
pub(super) fn schema_of<T: JsonSchema>() -> Json {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// What [`humantime`] reads, near enough for an editor.
pub(super) const DURATION: &str = r"^([0-9]+ ?(ms|s|sec|m|min|h|hr|d|day|days|w|week|weeks) ?)+$";

pub(super) fn duration_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "pattern": DURATION })
}

fn duration_or_off_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "pattern": format!("^off$|({DURATION})") })
}

pub(super) fn duration_or_reference_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let pattern = format!("({DURATION})|(\\$\\{{)");
    schemars::json_schema!({ "type": ["string", "null"], "pattern": pattern })
}

/// A whole number from `MIN` to `MAX`, or a text with a reference that gives it.
pub(super) fn number_schema<const MIN: i64, const MAX: i64>(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "anyOf": [
        { "type": ["integer", "null"], "minimum": MIN, "maximum": MAX },
        { "type": "string", "pattern": r"\$\{" },
    ]})
}

/// Why a document is not what its kind asks for.
pub(super) struct Mismatch {
    /// The way to the field: `spec.policy.mode`.
    pub(super) path: Vec<String>,
    /// What is wrong.
    pub(super) message: String,
}

/// Reads a document of which the schema has nothing to complain about.
pub(super) fn decode<T: DeserializeOwned>(root: &Node) -> Result<T, Mismatch> {
    serde_path_to_error::deserialize(value(root)).map_err(|error| Mismatch {
        path: error.path().to_string().split('.').map(str::to_owned).collect(),
        message: error.inner().to_string(),
    })
}

/// The tree without positions. Numbers whose digits are not those that they are printed with again (`1.10`) stay
/// texts: what a person wrote is what a parameter gets.
fn value(node: &Node) -> serde_yaml::Value {
    use serde_yaml::Value;
    match &node.content {
        Content::Sequence(items) => Value::Sequence(items.iter().map(value).collect()),
        Content::Mapping(entries) => {
            Value::Mapping(entries.iter().map(|entry| (Value::from(entry.key.as_str()), value(&entry.value))).collect())
        }
        Content::Scalar(scalar) if scalar.is_null() => Value::Null,
        Content::Scalar(scalar) => {
            let number = scalar
                .as_integer()
                .map(Value::from)
                .or_else(|| scalar.as_float().filter(|number| number.to_string() == scalar.text).map(Value::from));
            scalar.as_bool().map(Value::from).or(number).unwrap_or_else(|| Value::from(scalar.text.as_str()))
        }
    }
}
