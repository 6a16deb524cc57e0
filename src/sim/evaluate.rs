//! Intrinsic functions and conditions (AWS: *Intrinsic function reference*, *Pseudo parameters reference*).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value as Json};

use super::custom;
use super::reader::{Parsed, declared};
use super::spelling::{partition, sub_names};
use crate::model::Scope;

/// Begins the value of everything that is known only after the update. It is a text even where it stands for a list:
/// whatever is selected from it, joined or counted is not known either.
pub(super) const UNKNOWN: &str = "\u{1}";

/// A value that is known only after the update, or that nobody knows: what is selected from it or counted is it again.
fn unknown(value: &Json) -> Option<&str> {
    value.as_str().filter(|text| text.contains(UNKNOWN) || custom::is_made_up(text))
}

/// What resources of the stack have to say for themselves.
pub(super) trait Resolve {
    /// `Ref`.
    fn reference(&self, logical: &str) -> Option<String>;
    /// `Fn::GetAtt`: a text, or a list or an object where the attribute is one.
    fn attribute(&self, logical: &str, attribute: &str) -> Option<Json>;
}

/// There is no resource yet.
pub(super) struct Nothing;

impl Resolve for Nothing {
    fn reference(&self, _: &str) -> Option<String> {
        None
    }

    fn attribute(&self, _: &str, _: &str) -> Option<Json> {
        None
    }
}

/// Everything that an expression can refer to.
pub(super) struct Env<'a> {
    pub(super) parsed: &'a Parsed,
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) scope: &'a Scope,
    pub(super) stack_id: &'a str,
    pub(super) stack_name: &'a str,
    pub(super) notifications: &'a BTreeSet<String>,
    pub(super) resources: &'a dyn Resolve,
    pub(super) exports: &'a dyn Fn(&str) -> Option<String>,
    /// Exports that were asked for.
    pub(super) imports: RefCell<BTreeSet<String>>,
}

/// What a macro may know of a request.
pub(super) struct Frame<'a> {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) scope: &'a Scope,
}

impl Frame<'_> {
    /// Evaluates something before there is any resource.
    pub(super) fn with<T>(&self, root: &Map<String, Json>, what: impl FnOnce(&Env<'_>) -> T) -> T {
        let parsed = declared(root);
        what(&Env {
            parsed: &parsed,
            parameters: &self.parameters,
            scope: self.scope,
            stack_id: "",
            stack_name: "",
            notifications: &BTreeSet::new(),
            resources: &Nothing,
            exports: &|_| None,
            imports: RefCell::default(),
        })
    }
}

/// As text, the way `Fn::Join` and outputs show a value.
pub(super) fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// What is in a map; nothing, if it is none.
pub(super) fn entries(properties: &Json) -> &Map<String, Json> {
    static EMPTY: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
    properties.as_object().unwrap_or(&EMPTY)
}

type Evaluated = Result<Option<Json>, String>;

impl Env<'_> {
    /// The value of an expression; `None` is `AWS::NoValue`.
    pub(super) fn eval(&self, expression: &Json) -> Evaluated {
        match expression {
            Json::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.extend(self.eval(item)?);
                }
                Ok(Some(Json::Array(values)))
            }
            Json::Object(map) => {
                if let (1, Some((name, argument))) = (map.len(), map.iter().next())
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    return self.function(name, argument);
                }
                let mut object = Map::with_capacity(map.len());
                for (key, value) in map {
                    if let Some(value) = self.eval(value)? {
                        object.insert(key.clone(), value);
                    }
                }
                Ok(Some(Json::Object(object)))
            }
            other => Ok(Some(other.clone())),
        }
    }

    /// The value of an expression as text.
    pub(super) fn text(&self, expression: &Json) -> Result<String, String> {
        Ok(self.eval(expression)?.as_ref().map(shown).unwrap_or_default())
    }

    /// Whether something under this condition exists.
    pub(super) fn holds(&self, condition: Option<&String>) -> Result<bool, String> {
        condition.map_or(Ok(true), |name| self.named_condition(name, 0))
    }

    fn named_condition(&self, name: &str, depth: u8) -> Result<bool, String> {
        let expression = self.parsed.conditions.get(name).ok_or_else(|| {
            format!(
                "Template format error: Unresolved condition dependency {name} in the Conditions block of the template"
            )
        })?;
        self.condition(expression, depth + 1)
    }

    fn condition(&self, expression: &Json, depth: u8) -> Result<bool, String> {
        // CloudFormation refuses circles among conditions; this is how one ends here.
        if depth > 32 {
            return Err("Template error: circular dependency between conditions".to_owned());
        }
        let Some((name, argument)) = expression.as_object().and_then(|map| map.iter().next()) else {
            return Err("Template error: a condition must be a function".to_owned());
        };
        let all = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match name.as_str() {
            "Condition" => self.named_condition(argument.as_str().unwrap_or_default(), depth),
            "Fn::Equals" if all.len() == 2 => Ok(self.eval(&all[0])? == self.eval(&all[1])?),
            "Fn::Not" if all.len() == 1 => Ok(!self.condition(&all[0], depth + 1)?),
            "Fn::And" => all.iter().try_fold(true, |so_far, item| Ok(so_far & self.condition(item, depth + 1)?)),
            "Fn::Or" => all.iter().try_fold(false, |so_far, item| Ok(so_far | self.condition(item, depth + 1)?)),
            other => Err(format!("Template error: {other} is not a condition")),
        }
    }

    fn function(&self, name: &str, argument: &Json) -> Evaluated {
        let list = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let wrong = || format!("Template error: every {name} object requires other arguments");
        let text = match (name, list) {
            ("Ref", _) => return self.reference(argument.as_str().ok_or_else(wrong)?),
            ("Fn::If", [condition, yes, no]) => {
                let holds = self.holds(condition.as_str().map(str::to_owned).as_ref())?;
                return self.eval(if holds { yes } else { no });
            }
            ("Fn::Select", [index, from]) => return self.select(index, from),
            ("Fn::Split", [by, from]) => {
                let (by, from) = (self.text(by)?, self.text(from)?);
                if from.contains(UNKNOWN) {
                    return Ok(Some(Json::String(from)));
                }
                return Ok(Some(from.split(by.as_str()).map(Json::from).collect()));
            }
            ("Fn::GetAZs", _) => return self.zones(argument),
            ("Fn::Cidr", [block, count, rest @ ..]) => return self.cidr(block, count, rest.first()),
            ("Fn::FindInMap", [map, top, second, rest @ ..]) => {
                let default = rest.first().and_then(|rest| rest.get("DefaultValue"));
                return self
                    .mapped(map, top, second)
                    .or_else(|missing| default.map_or(Err(missing), |it| self.eval(it)));
            }
            ("Fn::Length", _) => {
                let list = self.eval(argument)?.unwrap_or_default();
                match unknown(&list) {
                    Some(text) => text.to_owned(),
                    None => list.as_array().ok_or_else(wrong)?.len().to_string(),
                }
            }
            ("Fn::ToJsonString", _) => self.eval(argument)?.unwrap_or_default().to_string(),
            ("Fn::GetAtt", [logical, attribute]) => {
                let (logical, attribute) = (self.text(logical)?, self.text(attribute)?);
                return self.attribute(&logical, &attribute).map(Some);
            }
            ("Fn::Sub", _) => self.substitute(argument)?,
            ("Fn::Join", [by, from]) => {
                let items = self.eval(from)?.unwrap_or_default();
                if let Some(text) = unknown(&items) {
                    return Ok(Some(Json::from(text)));
                }
                let items: Vec<String> = items.as_array().ok_or_else(wrong)?.iter().map(shown).collect();
                items.join(&self.text(by)?)
            }
            ("Fn::ImportValue", _) => {
                let export = self.text(argument)?;
                self.imports.borrow_mut().insert(export.clone());
                (self.exports)(&export).ok_or_else(|| format!("No export named {export} found."))?
            }
            ("Fn::Base64", _) => base64(self.text(argument)?.as_bytes()),
            _ => return Err(wrong()),
        };
        Ok(Some(Json::String(text)))
    }

    fn reference(&self, name: &str) -> Evaluated {
        if let Some(value) = self.parameters.get(name) {
            // One value that is not known yet may be a whole list.
            let whole = value.contains(UNKNOWN) && !value.contains(',');
            if self.parsed.parameters.get(name).is_some_and(super::reader::ParameterDecl::is_list) && !whole {
                let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
                return Ok(Some(items.map(Json::from).collect()));
            }
            return Ok(Some(Json::String(value.clone())));
        }
        let (partition, suffix) = partition(self.scope.region.as_str());
        Ok(Some(Json::from(match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::NotificationARNs" => {
                return Ok(Some(self.notifications.iter().map(|arn| Json::from(arn.as_str())).collect()));
            }
            "AWS::Region" => self.scope.region.as_str(),
            "AWS::AccountId" => self.scope.account.as_str(),
            "AWS::StackName" => self.stack_name,
            "AWS::StackId" => self.stack_id,
            "AWS::Partition" => partition,
            "AWS::URLSuffix" => suffix,
            logical => {
                let known = self.resources.reference(logical);
                return known
                    .map(|id| Some(Json::String(id)))
                    .ok_or_else(|| format!("Template error: {logical} does not exist"));
            }
        })))
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Result<Json, String> {
        let known = self.resources.attribute(logical, attribute);
        known.ok_or_else(|| format!("Template error: resource {logical} does not exist"))
    }

    fn substitute(&self, argument: &Json) -> Result<String, String> {
        let (text, own) = match argument {
            Json::String(text) => (text.as_str(), None),
            Json::Array(parts) => {
                (parts.first().and_then(Json::as_str).unwrap_or_default(), parts.get(1).and_then(Json::as_object))
            }
            _ => return Err("Template error: Fn::Sub needs a text".to_owned()),
        };
        let mut done = text.to_owned();
        for name in sub_names(text) {
            let value = match own.and_then(|own| own.get(name)) {
                Some(expression) => self.text(expression)?,
                None => match name.split_once('.') {
                    Some((logical, attribute)) => shown(&self.attribute(logical, attribute)?),
                    None => self.reference(name)?.as_ref().map(shown).unwrap_or_default(),
                },
            };
            done = done.replace(&format!("${{{name}}}"), &value);
        }
        Ok(done.replace("${!", "${"))
    }

    fn select(&self, index: &Json, from: &Json) -> Evaluated {
        let index: usize =
            self.text(index)?.parse().map_err(|_| "Template error: Fn::Select needs a number".to_owned())?;
        let from = self.eval(from)?.unwrap_or_default();
        if let Some(text) = unknown(&from) {
            return Ok(Some(Json::from(text)));
        }
        let chosen = from.as_array().and_then(|items| items.get(index)).cloned();
        chosen
            .map(Some)
            .ok_or_else(|| format!("Template error: Fn::Select cannot select nonexistent value at index {index}"))
    }

    fn zones(&self, argument: &Json) -> Evaluated {
        let region = self.text(argument)?;
        let region = if region.is_empty() { self.scope.region.as_str() } else { &region };
        Ok(Some(["a", "b", "c"].iter().map(|zone| Json::String(format!("{region}{zone}"))).collect()))
    }

    fn mapped(&self, map: &Json, top: &Json, second: &Json) -> Evaluated {
        let (map, top, second) = (self.text(map)?, self.text(top)?, self.text(second)?);
        let found = self.parsed.mappings.get(&map).and_then(|map| map.get(&top)).and_then(|map| map.get(&second));
        found
            .cloned()
            .map(Some)
            .ok_or_else(|| format!("Template error: Unable to get mapping for {map}::{top}::{second}"))
    }

    /// AWS: *`Fn::Cidr`*: at most 256 blocks; the bits are those of the host, of either kind of address.
    fn cidr(&self, block: &Json, count: &Json, bits: Option<&Json>) -> Evaluated {
        let wrong = || "Template error: Fn::Cidr needs an address block, a count and a number of bits".to_owned();
        let block = self.text(block)?;
        if block.starts_with(UNKNOWN) {
            return Ok(Some(Json::String(block)));
        }
        let address: IpAddr = block.split('/').next().and_then(|address| address.parse().ok()).ok_or_else(wrong)?;
        let count: u32 = self.text(count)?.parse().map_err(|_| wrong())?;
        let bits: u32 =
            bits.map_or_else(|| Ok("8".to_owned()), |bits| self.text(bits))?.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        if count > 256 || bits == 0 || bits >= width {
            return Err(wrong());
        }
        let blocks = (0..count).map(|number| {
            let address = match address {
                IpAddr::V4(base) => IpAddr::from(Ipv4Addr::from(u32::from(base).wrapping_add(number << bits))),
                IpAddr::V6(base) => {
                    IpAddr::from(Ipv6Addr::from(u128::from(base).wrapping_add(u128::from(number) << bits)))
                }
            };
            Json::String(format!("{address}/{}", width - bits))
        });
        Ok(Some(blocks.collect()))
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place)) & 63;
            text.push(if place > chunk.len() { '=' } else { char::from(DIGITS[digit as usize]) });
        }
    }
    text
}
