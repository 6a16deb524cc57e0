//! What Landfast needs to know of a CloudFormation template.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Digest;

/// A template: its text as it will be sent, and what was read from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text, byte for byte.
    pub body: Arc<str>,
    /// Its digest.
    pub text: Digest,
    /// What is compared and cached.
    pub facts: Arc<TemplateFacts>,
    /// The parameters it declares.
    pub parameters: BTreeMap<String, TemplateParameter>,
    /// The resources it describes, by logical id.
    pub resources: BTreeMap<String, TemplateResource>,
    /// Names given to `Fn::ImportValue`, as [`TemplateOutput::export`] writes them.
    pub imports: BTreeSet<String>,
    /// Needs `CAPABILITY_AUTO_EXPAND`: it has a transform or a macro.
    pub has_transform: bool,
    /// The names of the macros that it names, AWS's own among them: `AWS::Serverless-2016-10-31`.
    pub transforms: BTreeSet<String>,
    /// The other capabilities that it needs.
    pub capabilities: Vec<NeededCapability>,
}

/// A capability that has to be acknowledged (AWS: *`CreateStack`*, parameter `Capabilities`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededCapability {
    /// `CAPABILITY_IAM` or `CAPABILITY_NAMED_IAM`.
    pub capability: &'static str,
    /// The logical id of the resource that needs it.
    pub resource: String,
    /// That resource exists only under a condition.
    pub conditional: bool,
}

/// The part of a template that is also remembered for deployed ones. Small on purpose: there are thousands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFacts {
    /// Digest of the canonical form: comments, key order and YAML-or-JSON do not change it.
    pub digest: Digest,
    /// The outputs, by logical id.
    pub outputs: BTreeMap<String, TemplateOutput>,
    /// Digest and type of each resource, by logical id: enough to predict which of them an update touches.
    pub resources: BTreeMap<String, (String, Digest)>,
    /// Resources that stay in the account, or leave a snapshot, when the stack is deleted: their `DeletionPolicy` is not
    /// `Delete`.
    #[serde(default)]
    pub retained: BTreeSet<String>,
    /// Something in it may give access to somebody: worth comparing with what replaces it. What was remembered before this
    /// was known may.
    #[serde(default = "yes")]
    pub gives_access: bool,
    /// A macro makes something of it that is not seen here. Loops over what is written are seen. What was remembered before
    /// this was known may.
    #[serde(default = "yes")]
    pub generated: bool,
}

fn yes() -> bool {
    true
}

/// One output of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateOutput {
    /// Digest of its value's expression.
    pub value: Digest,
    /// The export's name, if it has one: literal text in which `${Parameter}` and `${AWS::Region}` stand for themselves.
    pub export: Option<String>,
    /// Its value, written as the export's name is. `None`: it depends on resources or conditions.
    #[serde(default)]
    pub text: Option<String>,
    /// Parameters and resources that its value is made from.
    #[serde(default)]
    pub uses: BTreeSet<String>,
    /// Exists only under a condition.
    pub conditional: bool,
}

/// One declared parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateParameter {
    /// `String`, `Number`, `List<…>`, `CommaDelimitedList`, `AWS::SSM::Parameter::Value<…>`, …
    pub kind: String,
    /// The default, as CloudFormation would show it.
    pub default: Option<String>,
    /// `NoEcho: true`: its value is a secret.
    pub no_echo: bool,
    /// `AllowedValues`, empty when there are none.
    pub allowed_values: Vec<String>,
    /// `AllowedPattern`, a Java regular expression that must match the whole value.
    pub allowed_pattern: Option<String>,
}

impl TemplateParameter {
    /// Begins the type of one whose value is the name of what its `Ref` gives (AWS: *SSM parameter types*).
    pub const STORED: &str = "AWS::SSM::Parameter::Value<";

    /// Its value is the name of a parameter in Systems Manager Parameter Store, whose own value CloudFormation looks up at
    /// every creation and update (AWS: *SSM parameter types*).
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.kind.starts_with(Self::STORED)
    }
}

/// The value of a property by which a resource is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// It is written in the template.
    Literal(String),
    /// It is that of a parameter.
    Parameter(String),
    /// It follows from a condition, a mapping or an import.
    Computed,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateResource {
    /// `AWS::DynamoDB::Table`.
    pub kind: String,
    /// `Condition`, if it exists only under one.
    pub condition: Option<String>,
    /// `DeletionPolicy`: `Delete` unless it says otherwise.
    pub deletion_policy: Option<String>,
    /// Logical ids it refers to by `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn`.
    pub depends_on: BTreeSet<String>,
    /// How much it takes of what quotas count, by property: of the few types that are not simply counted.
    pub sizes: BTreeMap<String, Size>,
}
