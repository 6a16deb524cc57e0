//! The text of a template as `CloudFormation` reads it: YAML 1.1 without aliases, or JSON (AWS: *`CloudFormation` template
//! formats*). Every scalar becomes the text that it is shown as, every short form (`!Ref`) its long one.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value as Json};

/// How deep values may be nested, which no template comes near.
const DEPTH_MAX: usize = 100;

/// A collection that is being read.
struct Open {
    content: Content,
    tag: Option<String>,
}

enum Content {
    List(Vec<Json>),
    /// The members, and the key that waits for its value.
    Map(Map<String, Json>, Option<String>),
}

/// The first document of a text.
pub(super) fn read(body: &str) -> Result<Json, String> {
    let read = events(body);
    // JSON allows what this reader of YAML does not: tabs, and characters in two halves.
    match serde_json::from_str::<Json>(body) {
        Ok(json) if read.is_err() => Ok(texts(json)),
        Ok(_) | Err(_) => read,
    }
}

fn events(body: &str) -> Result<Json, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(body) {
        let broken = |line: usize, column: usize| {
            format!("Template format error: YAML not well-formed. (line {line}, column {column})")
        };
        let (event, span) = event.map_err(|error| broken(error.marker().line(), error.marker().col() + 1))?;
        let finished = match event {
            Event::Alias(_) => {
                return Err("Template error: YAML aliases are not allowed in CloudFormation templates".to_owned());
            }
            Event::DocumentStart(_) if root.is_some() => return Err(broken(span.start.line(), 1)),
            Event::Scalar(text, style, _, tag) => {
                let quoted = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !quoted;
                if let Some(Open { content: Content::Map(map, key @ None), .. }) = open.last_mut() {
                    if plain && number(&text).is_some() {
                        return Err(numeric_key(&open, &text));
                    }
                    if map.contains_key(&*text) {
                        return Err(broken(span.start.line(), span.start.col() + 1));
                    }
                    *key = Some(text.into_owned());
                    continue;
                }
                (scalar(&text, plain), local(tag.as_deref()))
            }
            Event::SequenceStart(_, tag) => {
                open.push(Open { content: Content::List(Vec::new()), tag: local(tag.as_deref()) });
                continue;
            }
            Event::MappingStart(_, tag) => {
                open.push(Open { content: Content::Map(Map::new(), None), tag: local(tag.as_deref()) });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open { content: Content::List(items), tag }) => (Json::Array(items), tag),
                Some(Open { content: Content::Map(map, _), tag }) => (Json::Object(map), tag),
                None => continue,
            },
            _ => continue,
        };
        if open.len() > DEPTH_MAX {
            return Err(broken(span.start.line(), span.start.col() + 1));
        }
        let value = tagged(finished.0, finished.1);
        match open.last_mut().map(|open| &mut open.content) {
            None => root = Some(value),
            Some(Content::List(items)) => items.push(value),
            Some(Content::Map(map, key)) => match key.take() {
                Some(name) => put(map, name, value),
                None => return Err("Template format error: map keys must be strings".to_owned()),
            },
        }
    }
    Ok(root.unwrap_or_default())
}

fn numeric_key(open: &[Open], key: &str) -> String {
    let keys = open.iter().filter_map(|open| match &open.content {
        Content::Map(_, key) => key.as_deref(),
        Content::List(_) => None,
    });
    let path: String = keys.flat_map(|key| ["/", key]).collect();
    format!("Template format error: [{path}] map keys must be strings; received numeric [{key}] instead")
}

fn put(map: &mut Map<String, Json>, name: String, mut value: Json) {
    if name == "Fn::GetAtt" {
        split_attribute(&mut value);
    }
    map.insert(name, value);
}

fn local(tag: Option<&Tag>) -> Option<String> {
    tag.filter(|tag| !tag.is_yaml_core_schema() && tag.handle == "!").map(|tag| tag.suffix.clone())
}

/// `!Ref X` as `{"Ref": "X"}`.
fn tagged(mut value: Json, tag: Option<String>) -> Json {
    let Some(tag) = tag.filter(|tag| !tag.is_empty()) else { return value };
    let name = match tag.as_str() {
        "Ref" | "Condition" => tag,
        _ => format!("Fn::{tag}"),
    };
    if name == "Fn::GetAtt" {
        split_attribute(&mut value);
    }
    Json::Object(std::iter::once((name, value)).collect())
}

fn split_attribute(value: &mut Json) {
    if let Json::String(path) = value
        && let Some((logical, attribute)) = path.split_once('.')
    {
        *value = serde_json::json!([logical, attribute]);
    }
}

/// JSON in which every scalar is a text.
fn texts(json: Json) -> Json {
    match json {
        Json::Number(number) => Json::String(number.to_string()),
        Json::Bool(value) => Json::String(value.to_string()),
        Json::Array(items) => Json::Array(items.into_iter().map(texts).collect()),
        Json::Object(members) => {
            let mut map = Map::with_capacity(members.len());
            members.into_iter().for_each(|(name, value)| put(&mut map, name, texts(value)));
            Json::Object(map)
        }
        Json::Null | Json::String(_) => json,
    }
}

fn scalar(text: &str, plain: bool) -> Json {
    let shown = match text {
        _ if !plain => text.to_owned(),
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => "true".to_owned(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => "false".to_owned(),
        _ => number(text).unwrap_or_else(|| text.to_owned()),
    };
    Json::String(shown)
}

/// What a number is shown as (YAML 1.1, types *int* and *float*).
fn number(text: &str) -> Option<String> {
    let sign = if text.starts_with('-') { "-" } else { "" };
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let body: String = body.chars().filter(|c| *c != '_').collect();
    let of = |digits: &str, radix: u32| {
        let legal = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        legal.then(|| u128::from_str_radix(digits, radix).ok()).flatten()
    };
    let (head, rest) = body.split_at(1);
    let whole = match (head, rest.chars().next()) {
        ("0", None) => Some(0),
        ("0", Some('x')) => of(rest.trim_start_matches('x'), 16),
        ("0", Some('b')) => of(rest.trim_start_matches('b'), 2),
        ("0", Some(_)) => of(rest, 8),
        _ if body.bytes().all(|byte| byte.is_ascii_digit()) => return Some(format!("{sign}{body}")),
        _ => sixties(&body),
    };
    if let Some(whole) = whole {
        return Some(if whole == 0 { "0".to_owned() } else { format!("{sign}{whole}") });
    }
    let (mantissa, exponent) = body.split_once(['e', 'E']).map_or((&*body, ""), |(before, after)| (before, after));
    let signed = exponent.is_empty() && !body.contains(['e', 'E']) || exponent.starts_with(['+', '-']);
    let (before, after) = mantissa.split_once('.')?;
    let before = if before.contains(':') { sixties(before)?.to_string() } else { before.to_owned() };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let some = !before.is_empty() || !after.is_empty();
    if !signed || !some || !digits(&before) || !digits(after) {
        return None;
    }
    let exponent = if exponent.is_empty() { String::new() } else { format!("e{exponent}") };
    let value: f64 = format!("0{before}.{after}0{exponent}").parse().ok()?;
    Some(format!("{sign}{value:?}"))
}

/// `1:30` is ninety.
fn sixties(body: &str) -> Option<u128> {
    let mut parts = body.split(':');
    let first = parts.next().filter(|first| first.starts_with(|c: char| matches!(c, '1'..='9')))?;
    let mut value = first.parse::<u128>().ok()?;
    let mut more = false;
    for part in parts {
        let legal = part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let part = part.parse::<u128>().ok().filter(|part| legal && *part < 60)?;
        value = value.checked_mul(60)?.checked_add(part)?;
        more = true;
    }
    more.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_shown_as_yaml_1_1_has_them() {
        for (written, shown) in [
            ("0777", "511"),
            ("012345670123", "1402433619"),
            ("012345678901", "012345678901"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("1:30", "90"),
            ("1e3", "1e3"),
            ("1.10", "1.1"),
            ("1.5e+3", "1500.0"),
            ("-7", "-7"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("yes", "true"),
            ("2010-09-09", "2010-09-09"),
            ("'0777'", "0777"),
            ("\"1.10\"", "1.10"),
            ("8080:80", "8080:80"),
        ] {
            assert_eq!(read(&format!("a: [{written}]\n")).unwrap()["a"][0], shown, "{written}");
        }
        let json = read("{\n\t\"a\": [1.5, true, \"0777\", \"\\ud83d\\ude00\"]\n}").unwrap();
        assert_eq!(json["a"], serde_json::json!(["1.5", "true", "0777", "😀"]));
    }

    #[test]
    fn what_aws_refuses_is_refused_in_its_words() {
        for (body, said) in [
            ("a: &x [1]\nb: *x\n", "Template error: YAML aliases are not allowed in CloudFormation templates"),
            (
                "a:\n  b: { 1: x }\n",
                "Template format error: [/a/b] map keys must be strings; received numeric [1] instead",
            ),
            ("a: [\n", "Template format error: YAML not well-formed."),
            ("a: 1\na: 2\n", "Template format error: YAML not well-formed. (line 2, column 1)"),
            ("a: 1\n---\nb: 2\n", "Template format error: YAML not well-formed."),
        ] {
            assert!(read(body).unwrap_err().starts_with(said), "{body}: {:?}", read(body));
        }
        assert!(read(&"[".repeat(5_000)).is_err() && read(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_err());
        assert_eq!(read("a: !GetAtt B.C.D\n").unwrap()["a"], serde_json::json!({"Fn::GetAtt": ["B", "C.D"]}));
    }
}
