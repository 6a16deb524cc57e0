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

/// The only version so far.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// Version 1.
    #[serde(rename = "landfast/v1")]
    V1,
}

/// Marks the document as an environment.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum EnvironmentKind {
    /// An environment.
    Environment,
}

/// Metadata of a document.
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
    /// The kind of document.
    #[expect(dead_code, reason = "checked by its type")]
    kind: EnvironmentKind,
    /// The object's metadata.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// The desired state.
    pub(super) spec: EnvironmentSpec,
}

/// What an environment is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvironmentSpec {
    /// The middle part of the default stack name, `{env}-{system}-{name}`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"))]
    pub(super) system: String,
    /// The account ID, twelve digits in quotes. Calls to another account are refused.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: String,
    /// The default region of stacks.
    #[schemars(regex(pattern = r"^[a-z]+(-[a-z0-9]+)+-[0-9]+$"))]
    pub(super) region: String,
    /// The role to assume in the account. If omitted, the current credentials are used.
    #[serde(default)]
    pub(super) role: Option<RoleSpec>,
    /// Directories or files with resource manifests, relative to this file. Directories are read with everything
    /// below them.
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// A CloudFormation parameter file, relative to this file: `{"Parameters": {"Key": "Value"}}`, or the list of
    /// `{"ParameterKey", "ParameterValue"}` that the AWS CLI accepts. A parameter in this file is passed to every stack
    /// whose template declares it.
    #[serde(default)]
    pub(super) parameters: Option<String>,
    /// Values for `${values.name}`; nested ones are addressed with dots.
    #[serde(default)]
    pub(super) values: BTreeMap<String, ValueTree>,
    /// Tags of every stack. A stack's own tags take precedence.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, Scalar>,
    /// The bucket that templates over 51,200 bytes are uploaded to.
    #[serde(default)]
    pub(super) template_bucket: Option<String>,
    /// What Landfast is allowed to do in this environment.
    #[serde(default)]
    pub(super) policy: PolicySpec,
}

/// A role to assume: its ARN, or its ARN with an external ID or session name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RoleSpec {
    /// The role's ARN.
    Arn(String),
    /// The role's ARN and more.
    Full(RoleFields),
}

/// A role to assume, with an external ID or session name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RoleFields {
    /// The role's ARN.
    pub(super) arn: String,
    /// The external ID that the role's trust policy requires.
    #[serde(default)]
    pub(super) external_id: Option<String>,
    /// The session name that CloudTrail shows; default `landfast`.
    #[serde(default)]
    pub(super) session_name: Option<String>,
}

/// What Landfast is allowed to do in an environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicySpec {
    /// Whether Landfast makes changes: `observe` never does, `approve` does after the plan is approved, `apply` (the
    /// default) does automatically.
    #[serde(default)]
    pub(super) mode: Mode,
    /// What happens when a manifest is removed: `never` deletes nothing, `confirm` (the default) deletes the stack
    /// after approval, `always` deletes it.
    #[serde(default)]
    pub(super) prune: Prune,
    /// What happens when a change replaces or deletes a stateful resource: `deny` (the default), `approve`, or `allow`
    /// if a fresh backup exists.
    #[serde(default)]
    pub(super) replace: Replace,
    /// What happens when a change grants new access (statements added to policies, trust policies, ingress, public
    /// access): `deny`, `approve` (the default), or `allow`.
    #[serde(default)]
    pub(super) broaden: Broaden,
    /// How many changes and deletions are allowed in a period without approval.
    #[serde(default)]
    pub(super) budget: BudgetSpec,
    /// A regular expression that every stack name must match completely. If omitted, any name is allowed.
    #[serde(default)]
    pub(super) stack_name: Option<String>,
    /// Tags that every stack must have. If omitted, none.
    #[serde(default)]
    pub(super) required_tags: Vec<String>,
    /// Changes to the list of stateful resource types. By default these are the tables of DynamoDB, buckets,
    /// RDS, Neptune, DocumentDB and Redshift databases, ElastiCache and MemoryDB, MSK clusters, KMS keys, EFS and FSx
    /// file systems, EBS volumes, OpenSearch domains, Kinesis streams, queues, user pools, secrets, image repositories,
    /// log groups, Timestream tables, backup vaults and hosted zones; and every type that is not defined by AWS,
    /// because its contents are unknown: custom resources, third-party types, modules.
    #[serde(default)]
    pub(super) stateful_types: StatefulSpec,
    /// Maximum age of the newest completed backup of a stateful resource when it is replaced or deleted; default `24h`.
    #[serde(default)]
    #[schemars(schema_with = "duration_schema")]
    pub(super) backup_max_age: Option<String>,
    /// What happens when a stack drifts: `report` (the default), or `revert`. A stack can override it.
    #[serde(default)]
    pub(super) drift: DriftAction,
    /// How often the daemon checks every stack for drift: default `6h`, minimum `10m`, or `off`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_off_schema")]
    pub(super) drift_every: Option<String>,
    /// Age recipients (`age1…`) that are allowed for sealed files. Every sealed file then needs the `.recipients` file
    /// that `landfast seal` writes. If omitted, recipients are not checked.
    #[serde(default)]
    pub(super) seal_recipients: Option<Vec<String>>,
    /// What an approval of a plan needs, in addition to what the operator's configuration says.
    #[serde(default)]
    pub(super) approvals: ApprovalsSpec,
    /// Maintenance windows. If one says `allow`, changes begin only while such a window is open. While a window that says
    /// `deny` is open, no change begins. What has begun is finished. If omitted, changes begin at any time.
    #[serde(default)]
    pub(super) windows: Vec<WindowSpec>,
}

/// What an approval of a plan needs. The people and their groups are in the operator's configuration (`[[approver]]`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ApprovalsSpec {
    /// The number of different people who have to sign an approval. Default 0: no signature is needed, unless the operator's
    /// configuration requires it.
    #[serde(default)]
    pub(super) required: u32,
    /// Groups of which at least one person each has to be among those who sign.
    #[serde(default)]
    pub(super) groups: Vec<String>,
}

/// A maintenance window: a time in which changes may begin, or may not.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WindowSpec {
    /// When changes may begin.
    #[serde(default)]
    pub(super) allow: Option<TimesSpec>,
    /// When no change begins, whatever other windows allow.
    #[serde(default)]
    pub(super) deny: Option<TimesSpec>,
    /// The time zone of the times: for example `Europe/Berlin`; default `UTC`.
    #[serde(default)]
    pub(super) timezone: Option<String>,
    /// Why there is this window. Shown with what waits for it.
    #[serde(default)]
    pub(super) because: Option<String>,
}

/// When a window is open: `cron` and `for`, or `from` and `until`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TimesSpec {
    /// When the window opens, as a cron expression of five fields: `0 8 * * Mon-Fri`.
    #[serde(default)]
    pub(super) cron: Option<String>,
    /// How long it stays open each time: `10h`. Elapsed time, also when clocks change.
    #[serde(default, rename = "for")]
    #[schemars(schema_with = "duration_schema")]
    pub(super) lasts: Option<String>,
    /// When it opens, once: `2026-12-24T18:00`, or with an offset from UTC `2026-12-24T17:00:00Z`. If omitted, it was always
    /// open before.
    #[serde(default)]
    pub(super) from: Option<String>,
    /// When it closes. If omitted, it stays open.
    #[serde(default)]
    pub(super) until: Option<String>,
}

/// A budget for a period. Omitted fields keep their defaults.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BudgetSpec {
    /// Stacks changed; default 50: enough to roll out an environment, but limits a runaway loop.
    #[serde(default)]
    pub(super) stacks: Option<u32>,
    /// Stateful resources replaced or deleted inside stacks; default 0. Others do not count: every
    /// deployment of an image replaces a task definition.
    #[serde(default)]
    pub(super) replacements: Option<u32>,
    /// Stacks deleted; default 0.
    #[serde(default)]
    pub(super) deletions: Option<u32>,
    /// The period; default `1h`.
    #[serde(default)]
    #[schemars(schema_with = "duration_schema")]
    pub(super) per: Option<String>,
}

/// Changes to the list of stateful resource types.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StatefulSpec {
    /// Additional stateful types: `AWS::SSM::Parameter`.
    #[serde(default)]
    pub(super) add: Vec<String>,
    /// Types to treat as stateless: `AWS::Logs::LogGroup`, `Custom::Thing`.
    #[serde(default)]
    pub(super) remove: Vec<String>,
}

/// A text, a number or a boolean; all are converted to text as written.
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
    /// A text that can contain references.
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
    /// The current value of the stack.
    Kept(KeptValue),
}

/// The current value of the stack.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Previous value")]
pub(super) struct KeptValue {
    /// `true`: updates keep the value, and the manifest does not need it. Only for an existing stack.
    #[expect(dead_code, reason = "as for a scalar")]
    previous: bool,
}

/// A scalar, or named values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ValueTree {
    /// One value.
    Leaf(#[expect(dead_code, reason = "as for a scalar")] Scalar),
    /// Named values.
    Branch(BTreeMap<String, ValueTree>),
}

/// A value, or a text with a reference.
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
