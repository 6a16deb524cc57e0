//! What CloudFormation takes a scalar without quotes for: it reads YAML 1.1 (AWS: *CloudFormation template formats*).
//!
//! There `0777` is 511, `1_000` is 1000, `1:30` is 90 and `0x1F` is 31, and `1e3` is a text, because a float has a point and
//! the sign of its exponent (YAML 1.1, types *int* and *float*). So an account id that begins with a zero is another
//! number, unless it has an eight or a nine. Dates stay texts, as CloudFormation leaves them.

use serde_json::Value;

use crate::yaml::Scalar;

/// The value of a scalar; `tagged`: it is the argument of a function, which is a text.
pub(super) fn value(scalar: &Scalar, tagged: bool) -> Value {
    let text = scalar.text.as_str();
    if !scalar.plain || tagged {
        return Value::from(text);
    }
    match text {
        _ if scalar.is_null() => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => integer(text).or_else(|| float(text).map(Value::from)).unwrap_or_else(|| Value::from(text)),
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    }
}

/// A whole number. One that is larger than a number of ours is its decimal digits.
fn integer(text: &str) -> Option<Value> {
    let (negative, body) = signed(text);
    let number = based(body).or_else(|| sexagesimal(body)).or_else(|| decimal(body).and_then(|text| text.parse().ok()));
    let Some(number): Option<i128> = number else {
        // Longer than anything that is counted: its digits are what is shown of it.
        return decimal(body).map(|digits| Value::from(if negative { format!("-{digits}") } else { digits }));
    };
    let number = if negative { -number } else { number };
    Some(i64::try_from(number).map_or_else(|_| Value::from(number.to_string()), Value::from))
}

/// `0b101`, `0777`, `0x1F`, `0`.
fn based(body: &str) -> Option<i128> {
    let (digits, radix) = match (body.strip_prefix("0b"), body.strip_prefix("0x"), body.strip_prefix('0')) {
        (Some(digits), ..) => (digits, 2),
        (_, Some(digits), _) => (digits, 16),
        (.., Some("")) => return Some(0),
        (.., Some(digits)) => (digits, 8),
        _ => return None,
    };
    let digits = digits.replace('_', "");
    // Without any there is nothing to read, which the library says.
    digits.chars().all(|c| c.is_digit(radix)).then(|| i128::from_str_radix(&digits, radix).ok())?
}

/// Digits from 1 on, with underscores between them.
fn decimal(body: &str) -> Option<String> {
    let legal =
        body.starts_with(|c: char| matches!(c, '1'..='9')) && body.chars().all(|c| c.is_ascii_digit() || c == '_');
    legal.then(|| body.replace('_', ""))
}

/// `1:30`: to the base of sixty.
fn sexagesimal(body: &str) -> Option<i128> {
    let (first, rest) = body.split_once(':')?;
    let first = decimal(first)?.parse::<i128>().ok()?;
    rest.split(':').try_fold(first, |number, part| number.checked_mul(60)?.checked_add(sixtieth(part)?))
}

fn sixtieth(part: &str) -> Option<i128> {
    let legal = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|number| legal && *number < 60)
}

/// `1.5`, `.5`, `1.`, `1.5e+3`, `1:30.5`.
fn float(text: &str) -> Option<f64> {
    let (negative, body) = signed(text);
    let (mantissa, exponent) =
        body.split_once(['e', 'E']).map_or((body, None), |(before, after)| (before, Some(after)));
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['-', '+'])?;
        let legal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        legal.then_some(())?;
    }
    let (whole, part) = mantissa.split_once('.')?;
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    let sixties = whole.contains(':') && exponent.is_none();
    let whole = if sixties { sexagesimal(whole)?.to_string() } else { whole.to_owned() };
    let some = mantissa.contains(|c: char| c.is_ascii_digit());
    if !some || whole.starts_with('_') || !digits(&whole) || !digits(part) {
        return None;
    }
    let exponent = exponent.map(|exponent| format!("e{exponent}")).unwrap_or_default();
    let number: f64 = format!("0{whole}.{part}0{exponent}").replace('_', "").parse().ok()?;
    Some(if negative { -number } else { number }).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_yaml_1_1_says() {
        for (text, shown) in [
            ("0", "0"),
            ("-7", "-7"),
            ("+12", "12"),
            ("0777", "511"),
            ("-010", "-8"),
            ("012345670123", "1402433619"),
            ("0x1F", "31"),
            ("0b1_01", "5"),
            ("1_000", "1000"),
            ("1:30", "90"),
            ("190:20:30", "685230"),
            ("22:22", "1342"),
            ("12345678901234567890123", "\"12345678901234567890123\""),
            (
                "-12345678901234567890123456789012345678901234567890",
                "\"-12345678901234567890123456789012345678901234567890\"",
            ),
            ("1.10", "1.1"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("1_0.2_5", "10.25"),
            ("1.5e+3", "1500.0"),
            ("1:30.5", "90.5"),
            ("yes", "true"),
            ("Off", "false"),
            ("~", "null"),
            // What is a number elsewhere, and none there.
            ("1e3", "\"1e3\""),
            ("1.5e3", "\"1.5e3\""),
            ("0o17", "\"0o17\""),
            ("012345678901", "\"012345678901\""),
            ("08", "\"08\""),
            ("0x", "\"0x\""),
            ("_1", "\"_1\""),
            ("1:60", "\"1:60\""),
            ("8080:80", "\"8080:80\""),
            ("0:30", "\"0:30\""),
            ("2010-09-09", "\"2010-09-09\""),
            ("1.2.3", "\"1.2.3\""),
            (".", "\".\""),
            ("-", "\"-\""),
            ("y", "\"y\""),
            ("10.0.0.0/16", "\"10.0.0.0/16\""),
        ] {
            let plain = value(&Scalar { text: text.to_owned(), plain: true }, false);
            assert_eq!(plain.to_string(), shown, "{text}");
            assert_eq!(value(&Scalar { text: text.to_owned(), plain: false }, false), Value::from(text));
        }
    }
}
