//! Which objects an environment has, before any of them is made: what references and `dependsOn` may name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostic::{Guesses, Problem, typed};
use super::doc::Doc;
use super::environment::Env;
use super::interpolate::Wanted;
use super::render::FindOutput;
use crate::model::{EnvName, ImageParameter, Key, Kind, ObjectName, OutputRef, Template};
use crate::yaml::Node;

/// A document of a resource kind with a name. Something else may be wrong with it.
pub(super) struct Sheet<'s> {
    pub(super) kind: Kind,
    pub(super) doc: Doc<'s>,
    pub(super) name: ObjectName,
}

impl Sheet<'_> {
    /// Where it stands, for a message.
    pub(super) fn place(&self, root: &str) -> String {
        format!("{}:{}", typed(root, &self.doc.file), self.doc.span(&["metadata", "name"]).start.line)
    }
}

/// The objects of one environment.
#[derive(Default)]
pub(super) struct Members<'i> {
    objects: BTreeMap<Kind, BTreeMap<ObjectName, &'i Sheet<'i>>>,
    templates: BTreeMap<ObjectName, Arc<Template>>,
    addresses: Vec<String>,
}

/// The objects of every environment.
pub(super) type Index<'i> = BTreeMap<EnvName, Members<'i>>;

/// The service that owns the value of a parameter, by stack and parameter, and where its manifest says so.
pub(super) type Deliveries = BTreeMap<ObjectName, BTreeMap<String, (ImageParameter, String)>>;

impl<'i> Members<'i> {
    /// Adds an object; the one that has its name already, if there is one.
    pub(super) fn add(&mut self, sheet: &'i Sheet<'i>, template: Option<Arc<Template>>) -> Result<(), &'i Sheet<'i>> {
        let of_kind = self.objects.entry(sheet.kind).or_default();
        if let Some(earlier) = of_kind.get(&sheet.name) {
            return Err(earlier);
        }
        of_kind.insert(sheet.name.clone(), sheet);
        self.addresses.push(match sheet.kind {
            Kind::Stack => sheet.name.to_string(),
            kind => format!("{}/{}", kind.as_str(), sheet.name),
        });
        if let Some(template) = template {
            self.templates.insert(sheet.name.clone(), template);
        }
        Ok(())
    }

    /// An object, if it is there.
    pub(super) fn get(&self, kind: Kind, name: &ObjectName) -> Option<&'i Sheet<'i>> {
        self.objects.get(&kind)?.get(name).copied()
    }

    /// The objects of a kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &'i Sheet<'i>> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values).copied()
    }

    /// Everything that `dependsOn` may name, as it would.
    pub(super) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The template of a stack, where it could be read.
    pub(super) fn template(&self, stack: &ObjectName) -> Option<&Arc<Template>> {
        self.templates.get(stack)
    }

    /// What `${stacks.name.outputs.…}` may end in, if there is such a stack: its one output, or `KEY`.
    fn outputs_of(&self, stack: &ObjectName) -> Option<&str> {
        self.get(Kind::Stack, stack)?;
        let outputs = self.template(stack).map(|template| template.facts.outputs.keys());
        let mut outputs = outputs.into_iter().flatten();
        match (outputs.next(), outputs.next()) {
            (Some(only), None) => Some(only),
            _ => Some("KEY"),
        }
    }

    /// The kind of an object of this name.
    fn kind_of(&self, name: &ObjectName) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| self.get(*kind, name).is_some())
    }

    /// The templates that could be read.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.templates.values()
    }

    /// Which parameters services deliver images through. Read from the tree, so that a service with a mistake elsewhere
    /// does not make its stack look wrong too. The first of two that want the same parameter has it.
    pub(super) fn deliveries(&self, environment: &EnvName) -> Deliveries {
        let mut deliveries = Deliveries::new();
        for sheet in self.of(Kind::Service) {
            let stack = sheet.doc.at(&["spec", "deliver", "stack"]).and_then(Node::text);
            let Some(Ok(stack)) = stack.map(str::parse::<ObjectName>) else { continue };
            let parameters = deliveries.entry(stack).or_default();
            for entry in sheet.doc.entries(&["spec", "deliver", "parameters"]) {
                let Some(parameter) = entry.value.text() else { continue };
                let service = Key::new(environment.clone(), Kind::Service, sheet.name.clone());
                let place = format!("{}:{}", sheet.doc.file, entry.value.span.start.line);
                let owner = (ImageParameter { service, container: entry.key.clone() }, place);
                parameters.entry(parameter.to_owned()).or_insert(owner);
            }
        }
        deliveries
    }
}

/// Finds outputs as seen from one environment.
pub(super) fn finder<'f>(
    here: &'f EnvName,
    index: &'f Index<'_>,
    environments: &'f BTreeMap<EnvName, Env<'_>>,
    guesses: &'f Guesses,
) -> Box<FindOutput<'f>> {
    Box::new(move |wanted, site| {
        let error = |code, message: String| Problem::error(code, message, site.file, site.span);
        let (environment, stack, output) = match wanted {
            Wanted::Output { environment, stack, output } => (*environment, *stack, *output),
            Wanted::SecretArn(secret) => {
                let secrets = index.get(here).and_then(|members| members.objects.get(&Kind::Secret));
                let found =
                    secret.parse::<ObjectName>().ok().filter(|name| secrets.is_some_and(|all| all.contains_key(name)));
                let problem = || {
                    let problem = error("unknown-object", format!("`{here}` has no secret `{secret}`")).absent(secret);
                    let stack = secret.parse().ok().and_then(|name| Some((name, index.get(here)?)));
                    match stack.and_then(|(name, members)| members.outputs_of(&name)) {
                        Some(outputs) => {
                            problem.help(format!("`{secret}` is a stack: `${{stacks.{secret}.outputs.{outputs}}}`"))
                        }
                        None => problem,
                    }
                };
                let name = found.ok_or_else(|| {
                    let none = BTreeMap::new();
                    guesses.suggest(problem(), secret, secrets.unwrap_or(&none).keys().map(ObjectName::as_str))
                })?;
                return Ok(OutputRef { stack: Key::new(here.clone(), Kind::Secret, name), output: "arn".to_owned() });
            }
            Wanted::Builtin(_) | Wanted::Value(_) | Wanted::Parameter(_) => {
                return Err(error("unknown-reference", "this does not refer to an output".to_owned()));
            }
        };
        let environment = environment.unwrap_or(here.as_str());
        let known = environment.parse::<EnvName>().ok();
        let Some((name, members)) = known.and_then(|known| index.get_key_value(&known)) else {
            let problem =
                error("unknown-environment", format!("environment `{environment}` does not exist or has errors"))
                    .absent(environment);
            return Err(problem.suggest(environment, environments.keys().map(EnvName::as_str)));
        };
        let stacks = members.objects.get(&Kind::Stack);
        let found = stack.parse::<ObjectName>().ok().and_then(|stack| stacks?.get_key_value(&stack));
        let Some((stack, _)) = found else {
            let problem = error("unknown-stack", format!("`{name}` has no stack `{stack}`")).absent(stack);
            let other = stack.parse::<ObjectName>().ok().and_then(|stack| members.kind_of(&stack));
            if let Some(other) = other {
                let reference = if other == Kind::Secret && name == here {
                    format!(": `${{secrets.{stack}.arn}}`")
                } else {
                    ", and only stacks have outputs".to_owned()
                };
                return Err(problem.help(format!("`{stack}` is a {}{reference}", other.noun())));
            }
            let none = BTreeMap::new();
            return Err(guesses.suggest(problem, stack, stacks.unwrap_or(&none).keys().map(ObjectName::as_str)));
        };
        let template = members.template(stack);
        let outputs = template.map(|template| &template.facts.outputs);
        let generated = template.is_none_or(|template| template.facts.generated);
        if outputs.is_some_and(|outputs| !outputs.contains_key(output)) && !generated {
            let problem =
                error("unknown-output", format!("the template of `{name}/stack/{stack}` has no output `{output}`"));
            return Err(problem.suggest(output, outputs.into_iter().flatten().map(|(key, _)| key.as_str())));
        }
        Ok(OutputRef { stack: Key::stack(name.clone(), stack.clone()), output: output.to_owned() })
    })
}
