//! `${…}` in the texts of a manifest.

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Stands for itself; `$${` has become `${`.
    Literal(String),
    /// The inside of `${…}`, trimmed, and how many bytes of text stand before it.
    Reference(&'t str, usize),
    /// A `${` that is not closed, and how many bytes stand before it.
    Unclosed(usize),
}

/// The pieces of a text, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(found) = rest.find("${") else {
            literal.push_str(rest);
            break;
        };
        let before = rest.get(..found).unwrap_or_default();
        if let Some(kept) = before.strip_suffix('$') {
            literal.push_str(kept);
            literal.push_str("${");
            at += found + 2;
            continue;
        }
        literal.push_str(before);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        let start = at + found;
        let inside = rest.get(found + 2..).unwrap_or_default();
        let Some(end) = inside.find('}') else {
            pieces.push(Piece::Unclosed(start));
            return pieces;
        };
        pieces.push(Piece::Reference(inside.get(..end).unwrap_or_default().trim(), start));
        at = start + 2 + end + 1;
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// What a reference asks for, as far as its form tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted<'t> {
    /// `${env}`, `${system}`, `${account}`, `${region}`.
    Builtin(&'t str),
    /// `${values.a.b}`.
    Value(&'t str),
    /// `${parameters.Name}`.
    Parameter(&'t str),
    /// `${stacks.name.outputs.Key}`, with the environment where it is given.
    Output {
        /// The environment, if it is another one.
        environment: Option<&'t str>,
        /// The stack.
        stack: &'t str,
        /// The output.
        output: &'t str,
    },
    /// `${secrets.name.arn}`: the ARN of a secret, never anything of its value.
    SecretArn(&'t str),
}

/// The words that stand for a value by themselves.
pub(super) const BUILTINS: [&str; 4] = ["env", "system", "account", "region"];
/// Every form, for a message.
pub(super) const FORMS: &str = "${env}, ${system}, ${account}, ${region}, ${values.NAME}, ${parameters.NAME}, \
     ${stacks.NAME.outputs.KEY}, ${secrets.NAME.arn} or ${environments.ENV.stacks.NAME.outputs.KEY}";
const ROOTS: [&str; 9] =
    ["env", "system", "account", "region", "values", "parameters", "stacks", "secrets", "environments"];

/// Reads the inside of a reference. On failure, what it probably meant.
pub(super) fn wanted(inside: &str) -> Result<Wanted<'_>, Option<String>> {
    let (root, rest) = inside.split_once('.').map_or((inside, None), |(root, rest)| (root, Some(rest)));
    match (root, rest) {
        (word, None) if BUILTINS.contains(&word) => Ok(Wanted::Builtin(word)),
        ("values", Some(rest)) if !rest.is_empty() => Ok(Wanted::Value(rest)),
        ("parameters", Some(rest)) if !rest.is_empty() => Ok(Wanted::Parameter(rest)),
        ("stacks", Some(rest)) => output(None, rest),
        ("secrets", Some(rest)) => match rest.split_once('.') {
            Some((secret, "arn")) if !secret.is_empty() => Ok(Wanted::SecretArn(secret)),
            Some((secret, _)) => Err(Some(format!("${{secrets.{secret}.arn}}"))),
            None => Err(Some(format!("${{secrets.{rest}.arn}}"))),
        },
        ("environments", Some(rest)) => match rest.split_once(".stacks.") {
            Some((environment, rest)) => output(Some(environment), rest),
            None => Err(None),
        },
        _ => Err(super::diagnostic::nearest(root, ROOTS).filter(|near| *near != root).and_then(|near| {
            let meant = rest.map_or_else(|| near.to_owned(), |rest| format!("{near}.{rest}"));
            // What is suggested must be taken itself.
            wanted(&meant).map_or_else(|better| better, |_| Some(format!("${{{meant}}}")))
        })),
    }
}

fn output<'t>(environment: Option<&'t str>, rest: &'t str) -> Result<Wanted<'t>, Option<String>> {
    let mut parts = rest.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(stack), Some("outputs"), Some(output)) if !stack.is_empty() && !output.is_empty() => {
            Ok(Wanted::Output { environment, stack, output })
        }
        (Some(stack), Some(output), None) | (Some(stack), Some(_), Some(output))
            if !stack.is_empty() && !output.is_empty() && output != "outputs" =>
        {
            let before = environment.map(|environment| format!("environments.{environment}.")).unwrap_or_default();
            Err(Some(format!("${{{before}stacks.{stack}.outputs.{output}}}")))
        }
        _ => Err(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_literals_and_references() {
        let literal = |text: &str| Piece::Literal(text.to_owned());
        assert_eq!(
            pieces("a-${env}-${ values.x }"),
            [literal("a-"), Piece::Reference("env", 2), literal("-"), Piece::Reference("values.x", 9)]
        );
        assert_eq!(pieces("$${env} costs 5$"), [literal("${env} costs 5$")]);
        assert_eq!(pieces("x${env"), [literal("x"), Piece::Unclosed(1)]);
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn references_have_six_forms_and_others_get_a_suggestion() {
        assert_eq!(wanted("env"), Ok(Wanted::Builtin("env")));
        assert_eq!(wanted("values.a.b"), Ok(Wanted::Value("a.b")));
        let output = Wanted::Output { environment: Some("prod"), stack: "kms", output: "KeyArn" };
        assert_eq!(wanted("environments.prod.stacks.kms.outputs.KeyArn"), Ok(output));
        assert_eq!(wanted("secrets.keys.arn"), Ok(Wanted::SecretArn("keys")));
        assert_eq!(wanted("secrets.keys.value"), Err(Some("${secrets.keys.arn}".to_owned())));
        assert_eq!(wanted("stack.kms.outputs.KeyArn"), Err(Some("${stacks.kms.outputs.KeyArn}".to_owned())));
        assert_eq!(wanted("stacks.kms.output.KeyArn"), Err(Some("${stacks.kms.outputs.KeyArn}".to_owned())));
        for (written, meant) in [
            ("stack.kms.output.KeyArn", Some("${stacks.kms.outputs.KeyArn}")),
            ("stack.kms.KeyArn", Some("${stacks.kms.outputs.KeyArn}")),
            ("stacks.kms.KeyArn", Some("${stacks.kms.outputs.KeyArn}")),
            ("environments.prod.stacks.kms.KeyArn", Some("${environments.prod.stacks.kms.outputs.KeyArn}")),
            ("secret.keys", Some("${secrets.keys.arn}")),
            ("value.a", Some("${values.a}")),
            ("stack.kms", None),
            ("stack", None),
            ("stacks.kms.outputs", None),
            ("stacks..outputs.A", None),
            ("value", None),
        ] {
            let found = wanted(written).unwrap_err();
            assert_eq!(found.as_deref(), meant, "{written}");
            let inside = found.as_deref().and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
            assert!(inside.is_none_or(|inside| wanted(inside).is_ok()), "{written}");
        }
    }
}
