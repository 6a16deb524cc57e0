//! What a change of resources allows that was not allowed before, as `cdk diff` lists it.
//!
//! Policy documents are found by their shape, wherever they are; other properties that give access are a table. Both
//! sides are compared as far as their values are known. What cannot be judged counts as giving access. What is in a
//! nested stack or in what a macro makes of a template is not seen here: the first counts as it is, the second is
//! judged by what CloudFormation says of it.

mod condition;
mod network;
mod pattern;
mod policy;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::network::Ingress;
use self::pattern::{Letters, Pattern};
use self::policy::{Policy, Statement};
use self::table::{FLAGS, Flag, Level, MEMBERS, SUBJECTS};
use super::canonical::{intrinsic, shown};
use super::evaluate::{Evaluated, PENDING};
use crate::model::{Access, Broadening, NESTED_STACK};

/// What the resources `after` give and those `before` did not. Where there was no such stack, everything is new.
#[must_use]
pub fn broadened(before: &BTreeMap<String, Evaluated>, after: &BTreeMap<String, Evaluated>) -> Vec<Broadening> {
    let mut found = BTreeSet::new();
    for (name, resource) in after {
        let same = before.get(name).filter(|old| old.kind == resource.kind);
        let compared =
            Compared { name, kind: &resource.kind, before: same.map(|old| &old.properties), found: &mut found };
        compared.run(&resource.properties);
    }
    for (name, resource) in before.iter().filter(|(name, old)| after.get(*name).is_none_or(|new| new.kind != old.kind))
    {
        // What denies something to others goes with its resource; a resource's own policy goes with what it protects.
        if resource.kind.ends_with("Policy") {
            let properties = Some(&resource.properties);
            let compared = Compared { name, kind: &resource.kind, before: properties, found: &mut found };
            compared.run(&json!({}));
        }
    }
    found.into_iter().collect()
}

/// What one resource gives that it did not, by its properties before and after.
#[must_use]
pub fn broadened_resource(name: &str, kind: &str, before: Option<&Value>, after: &Value) -> Vec<Broadening> {
    let mut found = BTreeSet::new();
    Compared { name, kind, before, found: &mut found }.run(after);
    found.into_iter().collect()
}

/// What one policy document allows that another one did not, in words.
#[must_use]
pub fn policy_gains(before: Option<&str>, after: &str) -> Vec<String> {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::from(text));
    let before = Policy::of(before.map(read).iter());
    Policy::of(&[read(after)]).gains(&before).into_iter().map(|gain| gain.grants).collect()
}

/// Whether a resource of this type may give access by what cannot be seen of it.
#[must_use]
pub fn may_give_access(kind: &str) -> bool {
    table::may_give(kind)
}

/// Whether something in a template may give access to somebody.
pub(super) fn gives_access(template: &Value) -> bool {
    fn has_policy(value: &Value) -> bool {
        match value {
            Value::Object(entries) => entries
                .iter()
                .any(|(key, item)| key == "Statement" || table::DOCUMENTS.contains(&key.as_str()) || has_policy(item)),
            Value::Array(items) => items.iter().any(has_policy),
            Value::String(text) => text.contains("\"Statement\""),
            _ => false,
        }
    }
    let all = template.get("Resources").and_then(Value::as_object);
    all.into_iter().flat_map(|all| all.values()).any(|resource| {
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
        let nested = matches!(kind, NESTED_STACK | "AWS::EC2::NetworkAclEntry");
        nested || table::may_give(kind) || has_policy(resource)
    })
}

/// A change that cannot be judged.
#[must_use]
pub fn unseen(resource: &str, kind: &str, why: &str) -> Broadening {
    Broadening {
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        access: Access::Unseen,
        property: String::new(),
        grants: why.to_owned(),
        after_apply: false,
    }
}

struct Compared<'a> {
    name: &'a str,
    kind: &'a str,
    before: Option<&'a Value>,
    found: &'a mut BTreeSet<Broadening>,
}

impl Compared<'_> {
    fn run(mut self, after: &Value) {
        if self.before == Some(after) {
            return;
        }
        let moved = self.before.is_some_and(|before| self.has_moved(before, after));
        self.policies(after, moved);
        self.network(after, moved);
        self.members(after, moved);
        self.boundary(after);
        self.flags(after);
        if self.kind == NESTED_STACK || self.kind == "AWS::CloudFormation::Module" {
            let what = if self.before.is_some() { "its template or its parameters change" } else { "it is created" };
            self.push(Access::Unseen, "TemplateURL", format!("{what}; nested templates are not analyzed"), false);
        }
    }

    fn push(&mut self, access: Access, property: &str, grants: String, after_apply: bool) {
        self.found.insert(Broadening {
            resource: self.name.to_owned(),
            kind: self.kind.to_owned(),
            access,
            property: property.to_owned(),
            grants,
            after_apply,
        });
    }

    /// It is the policy of something else than before.
    fn has_moved(&self, before: &Value, after: &Value) -> bool {
        let subjects = SUBJECTS.iter().filter(|(kind, _)| *kind == self.kind);
        subjects.into_iter().any(|(_, property)| {
            let of = |properties: &Value| items(properties.get(property)).collect::<BTreeSet<_>>();
            !of(after).is_subset(&of(before))
        })
    }

    fn policies(&mut self, after: &Value, moved: bool) {
        let mut old = documents(self.kind, self.before.unwrap_or(&Value::Null));
        let new = documents(self.kind, after);
        if moved {
            old.clear();
        }
        let places: BTreeSet<_> = old.keys().chain(new.keys()).cloned().collect();
        // A role's own policies are one: a statement that goes from one to the other gives nothing.
        let own = |all: &BTreeMap<Place, Policy>| {
            let mut whole = Policy::default();
            all.iter().filter(|(place, _)| place.access == Access::Identity).for_each(|(_, policy)| whole.join(policy));
            whole
        };
        let (all_old, all_new) = (own(&old), own(&new));
        for place in places {
            let none = || self.default_policy(&place);
            let (before, now) = (old.get(&place), new.get(&place));
            let gains = if place.access == Access::Identity {
                let mut gains = now.map(|now| now.adds(&all_old)).unwrap_or_default();
                gains.extend(before.into_iter().flat_map(|before| before.lifts(&all_new)));
                gains
            } else {
                let before = before.cloned().unwrap_or_else(none);
                now.cloned().unwrap_or_else(none).gains(&before)
            };
            for gain in gains {
                let access = if gain.unseen { Access::Unseen } else { place.access };
                self.push(access, &place.property, gain.grants, gain.pending);
            }
        }
    }

    /// What a resource has where it has no policy of its own.
    fn default_policy(&self, place: &Place) -> Policy {
        match (self.kind, place.property.as_str()) {
            ("AWS::EC2::VPCEndpoint", "PolicyDocument") | ("AWS::EFS::FileSystem", "FileSystemPolicy") => {
                policy::everything()
            }
            _ => Policy::default(),
        }
    }

    fn network(&mut self, after: &Value, moved: bool) {
        let old = self.before.filter(|_| !moved).map(|before| ingress(self.kind, before)).unwrap_or_default();
        for (property, rule) in ingress(self.kind, after) {
            if !old.iter().any(|(_, old)| old.covers(&rule)) {
                self.push(Access::Network, property, rule.to_string(), rule.is_pending());
            }
        }
    }

    fn members(&mut self, after: &Value, moved: bool) {
        let kind = self.kind;
        for (_, property, meaning) in MEMBERS.iter().filter(|(of, ..)| *of == kind) {
            let old: BTreeSet<String> = match self.before.filter(|_| !moved) {
                Some(before) => items(at(before, property)).collect(),
                None => BTreeSet::new(),
            };
            let new: BTreeSet<String> = items(at(after, property)).collect();
            for item in new.difference(&old) {
                self.push(Access::Attachment, property, format!("{} {meaning}", plain(item)), item.contains(PENDING));
            }
        }
        if moved {
            for (_, property) in SUBJECTS.iter().filter(|(of, _)| *of == kind) {
                let new: BTreeSet<String> = items(after.get(property)).collect();
                let old: BTreeSet<String> = items(self.before.and_then(|before| before.get(property))).collect();
                for item in new.difference(&old) {
                    let pending = item.contains(PENDING);
                    self.push(Access::Attachment, property, format!("now attached to {}", plain(item)), pending);
                }
            }
        }
    }

    fn boundary(&mut self, after: &Value) {
        let Some(old) = self.before.and_then(|before| before.get("PermissionsBoundary")) else { return };
        let new = after.get("PermissionsBoundary");
        if new == Some(old) {
            return;
        }
        let old = plain(&old.to_string());
        let (grants, pending) = match new {
            None => (format!("{old} no longer limits it"), false),
            Some(new) => {
                let text = new.to_string();
                (format!("{} replaces {old} as its limit", plain(&text)), text.contains(PENDING))
            }
        };
        self.push(Access::Boundary, "PermissionsBoundary", grants, pending);
    }

    fn flags(&mut self, after: &Value) {
        let kind = self.kind;
        for flag in FLAGS.iter().filter(|flag| flag.kind == kind) {
            let new = settings(after, flag.property);
            let old = self.before.map(|before| settings(before, flag.property));
            let level = |values: &[Value]| values.iter().map(|value| of_flag(flag, value)).max().unwrap_or(flag.absent);
            let before = old.as_deref().map_or(Level::Default, level);
            let now = level(&new);
            // An expression that is the same as before is not another setting.
            let same = old.as_ref().is_some_and(|old| *old == new);
            let unknown = new.iter().any(|value| shown(value).is_none());
            if !same && (now > before || unknown) {
                let value = new.first().map_or_else(|| "not set".to_owned(), |value| plain(&value.to_string()));
                let pending = new.iter().any(|value| value.to_string().contains(PENDING));
                self.push(Access::Public, flag.property, format!("{} ({value})", flag.meaning), pending);
            }
        }
    }
}

fn of_flag(flag: &Flag, value: &Value) -> Level {
    match shown(value) {
        Some(text) if flag.closed.iter().any(|closed| closed.eq_ignore_ascii_case(&text)) => Level::Closed,
        _ => Level::Open,
    }
}

/// Where a policy is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    access: Access,
    property: String,
}

/// The policies of a resource.
fn documents(kind: &str, properties: &Value) -> BTreeMap<Place, Policy> {
    let mut found: BTreeMap<Place, Policy> = BTreeMap::new();
    if let Some(statement) = permission(kind, properties) {
        let place = Place { access: Access::Resource, property: "Principal".to_owned() };
        found.entry(place).or_default().insert(statement);
    }
    collect(kind, properties, &mut Vec::new(), &mut found);
    found.retain(|_, policy| !policy.is_empty());
    found
}

fn collect(kind: &str, value: &Value, path: &mut Vec<String>, found: &mut BTreeMap<Place, Policy>) {
    let named = path.last().is_some_and(|name| table::DOCUMENTS.contains(&name.as_str()));
    let is_text = |value: &Value| value.as_str().is_some_and(|text| text.contains("\"Statement\""));
    let wraps = value.get("PolicyDocument").is_some();
    let is_document = value.get("Statement").is_some() || is_text(value);
    if is_document || (named && !wraps && (value.is_string() || intrinsic(value).is_some())) {
        let property = path.join("/");
        let access = access(kind, &property);
        return found.entry(Place { access, property }).or_default().join(&Policy::of([value]));
    }
    match value {
        Value::Object(entries) => {
            for (key, item) in entries {
                path.push(key.clone());
                collect(kind, item, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for item in items {
                let naming = ["PolicyName", "Name", "Region", "Id"];
                let name = naming.iter().find_map(|name| item.get(name).and_then(shown));
                path.extend(name.clone());
                collect(kind, item, path, found);
                if name.is_some() {
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

fn access(kind: &str, property: &str) -> Access {
    match kind {
        _ if property.contains("AssumeRolePolicyDocument") => Access::Trust,
        _ if kind.starts_with("AWS::IAM::") || kind.starts_with("AWS::SSO::") => Access::Identity,
        _ if kind.starts_with("AWS::Serverless::") => Access::Identity,
        _ if kind.starts_with("AWS::KMS::") => Access::Key,
        _ => Access::Resource,
    }
}

/// A resource that is a statement itself (AWS: *`AWS::Lambda::Permission`*, *`AWS::Lambda::LayerVersionPermission`*,
/// *`AWS::Events::EventBusPolicy`*, *`AWS::ACMPCA::Permission`*).
fn permission(kind: &str, properties: &Value) -> Option<Statement> {
    let of = |name: &str| properties.get(name);
    let service = |value: &Value| match value.as_str() {
        Some(text) if text.contains(".amazonaws.") => json!({ "Service": text }),
        Some("*") => json!("*"),
        _ => json!({ "AWS": value }),
    };
    let conditions = |names: &[(&str, &str, &str)]| {
        let there = names.iter().filter_map(|(property, operator, key)| {
            let value = Pattern::of(of(property)?, if *operator == "ArnLike" { Letters::Wild } else { Letters::Plain });
            Some((((*operator).to_owned(), (*key).to_owned()), BTreeSet::from([value])))
        });
        there.collect()
    };
    match kind {
        "AWS::Lambda::Permission" => {
            let conditions = conditions(&[
                ("SourceArn", "ArnLike", "aws:sourcearn"),
                ("SourceAccount", "StringEquals", "aws:sourceaccount"),
                ("PrincipalOrgID", "StringEquals", "aws:principalorgid"),
                ("FunctionUrlAuthType", "StringEquals", "lambda:functionurlauthtype"),
                ("EventSourceToken", "StringEquals", "lambda:eventsourcetoken"),
                ("InvokedViaFunctionUrl", "Bool", "lambda:invokedviafunctionurl"),
            ]);
            Some(Statement::allowing(&service(of("Principal")?), of("Action")?, of("FunctionName")?, conditions))
        }
        "AWS::Lambda::LayerVersionPermission" => {
            let conditions = conditions(&[("OrganizationId", "StringEquals", "aws:principalorgid")]);
            Some(Statement::allowing(&service(of("Principal")?), of("Action")?, of("LayerVersionArn")?, conditions))
        }
        "AWS::Events::EventBusPolicy" if of("Statement").is_none() => {
            let conditions = conditions(&[("Condition", "StringEquals", "aws:principalorgid")]);
            let bus = of("EventBusName").cloned().unwrap_or_else(|| "default".into());
            Some(Statement::allowing(&service(of("Principal")?), of("Action")?, &bus, conditions))
        }
        _ => None,
    }
}

fn ingress(kind: &str, properties: &Value) -> Vec<(&'static str, Ingress)> {
    let all = |property: &'static str, rules: Vec<Ingress>| rules.into_iter().map(|rule| (property, rule)).collect();
    match kind {
        "AWS::EC2::SecurityGroup" => match properties.get("SecurityGroupIngress") {
            None => Vec::new(),
            Some(Value::Array(rules)) => {
                all("SecurityGroupIngress", rules.iter().flat_map(Ingress::of_group).collect())
            }
            Some(one) => all("SecurityGroupIngress", Ingress::of_group(one)),
        },
        "AWS::EC2::SecurityGroupIngress" if !entries(properties) => Vec::new(),
        "AWS::EC2::SecurityGroupIngress" => all("CidrIp", Ingress::of_group(properties)),
        "AWS::EC2::NetworkAclEntry" => all("CidrBlock", Ingress::of_acl(properties)),
        _ => Vec::new(),
    }
}

fn entries(properties: &Value) -> bool {
    properties.as_object().is_some_and(|entries| !entries.is_empty())
}

/// The items of a list, or the one that stands for a list, as text that compares.
fn items(value: Option<&Value>) -> impl Iterator<Item = String> {
    let all = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    };
    all.into_iter().map(|item| shown(item).map_or_else(|| item.to_string(), |text| Value::from(text).to_string()))
}

/// A value as people read it, from its JSON.
fn plain(json: &str) -> String {
    let value = serde_json::from_str::<Value>(json).unwrap_or_else(|_| json.into());
    Pattern::of(&value, Letters::Plain).to_string()
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('/').try_fold(value, |value, part| value.get(part))
}

/// The values at a path in which `*` stands for every item of a list.
fn settings(value: &Value, path: &str) -> Vec<Value> {
    let Some((first, rest)) = path.split_once('/').map(|(first, rest)| (first, Some(rest))).or(Some((path, None)))
    else {
        return Vec::new();
    };
    let next: Vec<&Value> = match first {
        "*" => value.as_array().map(|items| items.iter().collect()).unwrap_or_default(),
        // An expression in the place of what holds the setting hides it.
        _ if intrinsic(value).is_some() => return vec![value.clone()],
        name => value.get(name).into_iter().collect(),
    };
    match rest {
        None => next.into_iter().cloned().collect(),
        Some(rest) => next.into_iter().flat_map(|value| settings(value, rest)).collect(),
    }
}
