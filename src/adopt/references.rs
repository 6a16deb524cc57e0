//! Which output of which stack a value came from.
//!
//! The rule, and there is no other: a value becomes a reference if it **names something** (an ARN, the id of a resource,
//! a DNS name of AWS's, or what a resource of the stack with the output is called), if it has six characters or more, and
//! if one output alone has it. Of several outputs, those of the stack that owns the resource count; of one stack's, the
//! one that is called like the parameter. Numbers, switches, address ranges and the words of the environment are never
//! recovered: that they are equal says nothing. A reference that would close a circle is not written.

use std::collections::{BTreeMap, BTreeSet};

use super::survey::FoundStack;
use crate::model::{ObjectName, StackName, Template};
use crate::sabotage::{self, Bug};
use crate::template;

/// A shorter value may be equal by chance.
const SHORTEST: usize = 6;

/// An output that has a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    stack: StackName,
    output: String,
    /// The stack has the resource that the value names.
    owns: bool,
}

/// A value, as a manifest writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recovered {
    /// References, and literals between them.
    Reference(String),
    /// It stays as it is.
    Literal,
    /// It stays as it is, and people should know why.
    Unclear(String),
}

/// Outputs, and which stack refers to which.
pub(super) struct References<'s> {
    stacks: &'s BTreeMap<StackName, FoundStack>,
    names: &'s BTreeMap<StackName, ObjectName>,
    by_value: BTreeMap<&'s str, Vec<Candidate>>,
    /// Words that stand for the environment wherever they are.
    common: BTreeSet<String>,
    /// From a stack to those it takes something from.
    edges: BTreeMap<StackName, BTreeSet<StackName>>,
}

impl<'s> References<'s> {
    pub(super) fn new(
        stacks: &'s BTreeMap<StackName, FoundStack>,
        templates: &BTreeMap<StackName, Template>,
        names: &'s BTreeMap<StackName, ObjectName>,
        common: BTreeSet<String>,
    ) -> Self {
        let mut by_value: BTreeMap<&str, Vec<Candidate>> = BTreeMap::new();
        for (name, stack) in stacks {
            for (key, output) in &stack.state.outputs {
                let owns = parts(&output.value).all(|part| stack.resources.iter().any(|one| is_named(part, one)));
                let candidate = Candidate { stack: name.clone(), output: key.clone(), owns };
                by_value.entry(&output.value).or_default().push(candidate);
            }
        }
        let mut all = Self { stacks, names, by_value, common, edges: BTreeMap::new() };
        all.imports(templates);
        all
    }

    /// What imports an export comes after it, whatever else refers to what.
    fn imports(&mut self, templates: &BTreeMap<StackName, Template>) {
        let exports = self.stacks.iter().flat_map(|(name, stack)| {
            let exported = stack.state.outputs.values().filter_map(|output| output.export.as_deref());
            exported.map(move |export| (export, name))
        });
        let exports: BTreeMap<&str, &StackName> = exports.collect();
        for (name, parsed) in templates {
            let Some(stack) = self.stacks.get(name) else { continue };
            let known = |word: &str| match word {
                "AWS::StackName" => Some(name.to_string()),
                "AWS::Region" | "AWS::AccountId" => region_or_account(stack, word),
                _ => stack.state.parameters.get(word).cloned(),
            };
            for import in &parsed.imports {
                let export = template::resolve_name(import, known);
                if let Some(home) = export.and_then(|export| exports.get(export.as_str()).copied()) {
                    self.edges.entry(name.clone()).or_default().insert(home.clone());
                }
            }
        }
    }

    /// The value that `consumer` has under `called`.
    pub(super) fn recover(&mut self, consumer: Option<&StackName>, called: &str, value: &str, list: bool) -> Recovered {
        match self.one(consumer, called, value) {
            Recovered::Literal if list && value.contains(',') => self.each(consumer, called, value),
            found => found,
        }
    }

    /// A list whose members are outputs of their own.
    fn each(&mut self, consumer: Option<&StackName>, called: &str, value: &str) -> Recovered {
        let before = self.edges.clone();
        let mut found = Vec::new();
        for part in value.split(',') {
            match self.one(consumer, called, part) {
                Recovered::Reference(text) => found.push(text),
                // Half a list of references says less than the list itself.
                other => {
                    self.edges = before;
                    return other;
                }
            }
        }
        Recovered::Reference(found.join(","))
    }

    fn one(&mut self, consumer: Option<&StackName>, called: &str, value: &str) -> Recovered {
        let short = value.len() < SHORTEST && !sabotage::is(Bug::EqualIsReference);
        if short || self.common.contains(value) {
            return Recovered::Literal;
        }
        let all = self.by_value.get(value).into_iter().flatten();
        let all: Vec<&Candidate> = all.filter(|candidate| Some(&candidate.stack) != consumer).collect();
        let owners: Vec<&Candidate> = all.iter().copied().filter(|candidate| candidate.owns).collect();
        let named = parts(value).all(|part| part.len() >= SHORTEST && names_something(part));
        let named = named || sabotage::is(Bug::EqualIsReference);
        let among = match (owners.is_empty(), named) {
            (false, _) => owners,
            (true, true) => all,
            (true, false) => return Recovered::Literal,
        };
        // What a resource is called may be a short or a common word too; an id or an ARN is not.
        let alike = |candidate: &&&Candidate| candidate.output.eq_ignore_ascii_case(called);
        let stacks: BTreeSet<&StackName> = among.iter().map(|candidate| &candidate.stack).collect();
        let chosen = match among.as_slice() {
            [] => return Recovered::Literal,
            [one] => (*one).clone(),
            several if stacks.len() == 1 => match several.iter().filter(alike).collect::<Vec<_>>().as_slice() {
                [one] => (**one).clone(),
                _ => return unclear(several),
            },
            several => return unclear(several),
        };
        self.refer(consumer, &chosen)
    }

    fn refer(&mut self, consumer: Option<&StackName>, chosen: &Candidate) -> Recovered {
        let Some(name) = self.names.get(&chosen.stack) else { return Recovered::Literal };
        let text = format!("${{stacks.{name}.outputs.{}}}", chosen.output);
        if let Some(consumer) = consumer {
            if self.leads_to(&chosen.stack, consumer) {
                let why = format!(
                    "it is also {text}, but that would create a dependency cycle: {name} depends on this stack"
                );
                return Recovered::Unclear(why);
            }
            self.edges.entry(consumer.clone()).or_default().insert(chosen.stack.clone());
        }
        Recovered::Reference(text)
    }

    fn leads_to(&self, from: &StackName, to: &StackName) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                open.extend(self.edges.get(at).into_iter().flatten());
            }
        }
        false
    }

    /// The references whose output has this value when case does not count, as a DNS name; the text around it stays.
    pub(super) fn host(&self, target: &str) -> Option<String> {
        let target = target.trim_end_matches('.').to_ascii_lowercase();
        let mut found: Vec<(&Candidate, &str)> = Vec::new();
        for (value, candidates) in &self.by_value {
            let host = value.to_ascii_lowercase();
            let before = target.strip_suffix(host.as_str());
            // `dualstack.` is put in front of the name of a load balancer by the console.
            if host.contains('.') && before.is_some_and(|before| matches!(before, "" | "dualstack.")) {
                let before = if target == host { "" } else { "dualstack." };
                found.extend(candidates.iter().map(|candidate| (candidate, before)));
            }
        }
        let [(one, before)] = found.as_slice() else { return None };
        let name = self.names.get(&one.stack)?;
        Some(format!("{before}${{stacks.{name}.outputs.{}}}", one.output))
    }
}

fn unclear(several: &[&Candidate]) -> Recovered {
    let all: Vec<String> = several.iter().map(|one| format!("{} of {}", one.output, one.stack)).collect();
    Recovered::Unclear(format!("several outputs have this value: {}", all.join(", ")))
}

/// The members of a list, or the one value.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(',')
}

fn region_or_account(stack: &FoundStack, word: &str) -> Option<String> {
    // arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID
    let at = if word == "AWS::Region" { 3 } else { 4 };
    stack.state.id.as_str().split(':').nth(at).map(str::to_owned)
}

/// The value names something by itself, wherever it stands.
fn names_something(value: &str) -> bool {
    if value.starts_with("arn:") {
        return value.split(':').count() >= 6;
    }
    if has_form_of_id(value) {
        return true;
    }
    let host = value.split_once("://").map_or(value, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    let suffixes = [".amazonaws.com", ".amazonaws.com.cn", ".cloudfront.net", ".on.aws", ".api.aws"];
    suffixes.iter().any(|suffix| host.ends_with(suffix))
}

/// `vpc-0a1b2c3d`, `subnet-…`, `Z…` is not: the ids of EC2 and its like, and those of KMS keys.
fn has_form_of_id(value: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if let Some((kind, id)) = value.rsplit_once('-')
        && matches!(id.len(), 8 | 17)
        && hex(id)
        && !kind.is_empty()
        && kind.bytes().all(|b| b.is_ascii_lowercase())
    {
        return true;
    }
    let groups: Vec<&str> = value.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| hex(group))
}

/// The value is what this resource is called: its physical id, or the part of its ARN after the type.
fn is_named(value: &str, resource: &crate::model::ResourceState) -> bool {
    let Some(id) = resource.physical_id.as_deref() else { return false };
    if value.len() < SHORTEST || value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'/') {
        return false;
    }
    if value == id || (value.starts_with("arn:") && value.ends_with(id) && ends_at_a_border(value, id)) {
        return true;
    }
    // arn:partition:service:region:account:type/name
    let Some(rest) = id.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)) else {
        // AWS's hosts begin with the name of what answers.
        return value.contains(".amazonaws.com") && value.to_ascii_lowercase().contains(&id.to_ascii_lowercase());
    };
    // A target group's full name has its type in it; a load balancer's has not.
    if value == rest {
        return true;
    }
    let border = |c: char| c == '/' || c == ':';
    let Some((_, name)) = rest.split_once(border) else { return false };
    let mut at = 0;
    while let Some(found) = name.get(at..).and_then(|rest| rest.find(value)) {
        let (start, end) = (at + found, at + found + value.len());
        let before = name.get(..start).is_some_and(|text| text.is_empty() || text.ends_with(border));
        let after = name.get(end..).is_some_and(|text| text.is_empty() || text.starts_with(border));
        if before && after {
            return true;
        }
        at = start + value.chars().next().map_or(1, char::len_utf8);
    }
    false
}

fn ends_at_a_border(value: &str, id: &str) -> bool {
    value.strip_suffix(id).is_some_and(|before| before.ends_with(['/', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ResourceDriftStatus, ResourceState};

    fn resource(id: &str) -> ResourceState {
        ResourceState {
            resource: "R".to_owned(),
            physical_id: Some(id.to_owned()),
            kind: "AWS::X::Y".to_owned(),
            drift: ResourceDriftStatus::NotChecked,
        }
    }

    #[test]
    fn only_what_names_something_is_taken_for_a_name() {
        for name in [
            "arn:aws:kms:us-east-1:111122223333:key/0f0f0f0f-1111-2222-3333-444444444444",
            "vpc-0a1b2c3d4e5f60718",
            "subnet-0a1b2c3d",
            "0f0f0f0f-1111-2222-3333-444444444444",
            "dev-123.us-east-1.elb.amazonaws.com",
            "https://dev-123.us-east-1.elb.amazonaws.com:8443/x",
        ] {
            assert!(names_something(name), "{name}");
        }
        for word in ["true", "10.0.0.0/16", "6379", "dev", "PAY_PER_REQUEST", "kafka.t3.small", "us-east-1", "a-b", ""]
        {
            assert!(!names_something(word), "{word}");
        }
    }

    #[test]
    fn a_resource_is_called_by_its_id_and_by_the_end_of_its_arn() {
        let balancer =
            resource("arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/dev-shop/50dc6c495c0c");
        assert!(is_named("app/dev-shop/50dc6c495c0c", &balancer));
        assert!(is_named("dev-shop", &balancer));
        for not in ["app", "us-east-1", "111122223333", "loadbalancer", "dev-sho", "ev-shop"] {
            assert!(!is_named(not, &balancer), "{not}");
        }
        let group = resource("arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/dev-shop/6d0ecf831eec");
        assert!(is_named("targetgroup/dev-shop/6d0ecf831eec", &group) && !is_named("targetgroup", &group));
        assert!(is_named("dev-Orders", &resource("dev-Orders")));
        assert!(is_named("arn:aws:dynamodb:us-east-1:111122223333:table/dev-Orders", &resource("dev-Orders")));
        assert!(!is_named("arn:aws:dynamodb:us-east-1:111122223333:table/my-dev-Orders", &resource("dev-Orders")));
        assert!(!is_named("10.0.0.0/16", &resource("10.0.0.0/16")));
        assert!(!is_named("true", &resource("true")));
    }
}
