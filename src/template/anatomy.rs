//! What CloudFormation refuses in the frame of a template before it looks at any resource: sections that it does not know,
//! logical ids that are not alphanumeric, more of something than it takes, names and texts that are too long, nested templates
//! that are not in S3.

use super::fault::{TemplateError, is_macro};
use crate::yaml::{Entry, Node};

/// The sections of a template (AWS: *CloudFormation template sections*; *Hooks* with blue/green deployments).
const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// What has logical ids, what one of it is called, and how many a template may have (AWS: *CloudFormation quotas*).
const NAMED: [(&str, &str, usize); 4] = [
    ("Parameters", "parameter", 200),
    ("Mappings", "mapping", 200),
    ("Resources", "resource", 500),
    ("Outputs", "output", 200),
];

/// Attributes of one mapping (AWS: the same page, as all that follows).
const ATTRIBUTES: usize = 200;

/// Characters of any name.
const NAME: usize = 255;

/// Bytes of the description.
const DESCRIPTION: usize = 1_024;

/// Bytes of a parameter's value.
const VALUE: usize = 4_096;

/// Holds a template against all this.
pub(super) fn check(root: &Node) -> Result<(), TemplateError> {
    sections(root)?;
    NAMED.iter().try_for_each(|(section, what, most)| named(root, section, what, *most))?;
    sizes(root)?;
    let resources = root.get("Resources").map(Node::entries).unwrap_or_default();
    resources.iter().try_for_each(nested)
}

/// What is too long, or has too much in it.
fn sizes(root: &Node) -> Result<(), TemplateError> {
    if let Some(description) = root.get("Description")
        && let Some(length) = description.text().map(str::len).filter(|length| *length > DESCRIPTION)
    {
        let message = format!("`Description` has {length} bytes; CloudFormation takes at most {DESCRIPTION}");
        return Err(TemplateError::new(message, description.span));
    }
    for mapping in root.get("Mappings").map(Node::entries).unwrap_or_default() {
        let keys = mapping.value.entries();
        let most = keys.iter().map(|key| key.value.entries().len()).chain([keys.len()]).max().unwrap_or_default();
        if most > ATTRIBUTES {
            let message = format!(
                "the mapping `{}` has {most} attributes; CloudFormation takes at most {ATTRIBUTES}",
                mapping.key
            );
            return Err(TemplateError::new(message, mapping.key_span));
        }
    }
    for parameter in root.get("Parameters").map(Node::entries).unwrap_or_default() {
        if let Some(default) = parameter.value.get("Default")
            && let Some(length) = default.text().map(str::len).filter(|length| *length > VALUE)
        {
            let message = format!(
                "the default of the parameter `{}` has {length} bytes; CloudFormation takes at most {VALUE}",
                parameter.key
            );
            return Err(TemplateError::new(message, default.span));
        }
    }
    Ok(())
}

/// A macro may give sections of its own a meaning (`Globals` of AWS SAM): with one, only misspellings are found.
fn sections(root: &Node) -> Result<(), TemplateError> {
    let transforms = root.entry("Transform").is_some() || root.entry("Fn::Transform").is_some();
    for entry in root.entries().iter().filter(|entry| !SECTIONS.contains(&entry.key.as_str()) && !is_macro(&entry.key))
    {
        let own = |known: &&&str| root.entry(known).is_none() && distance(&entry.key, known) <= 2;
        let near = SECTIONS.iter().filter(own).min_by_key(|known| distance(&entry.key, known));
        if near.is_none() && transforms {
            continue;
        }
        let message = format!("`{}` is not a section of a template", entry.key);
        let help = match near {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("sections: {}", SECTIONS.join(", ")),
        };
        return Err(TemplateError { help: Some(help), ..TemplateError::new(message, entry.key_span) });
    }
    Ok(())
}

fn distance(text: &str, known: &str) -> usize {
    strsim::osa_distance(&text.to_ascii_lowercase(), &known.to_ascii_lowercase())
}

fn named(root: &Node, section: &str, what: &str, most: usize) -> Result<(), TemplateError> {
    let entries = root.get(section).map(Node::entries).unwrap_or_default();
    let own = || entries.iter().filter(|entry| !is_macro(&entry.key));
    let alphanumeric =
        |entry: &&Entry| !entry.key.is_empty() && entry.key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(entry) = own().find(|entry| !alphanumeric(entry)) {
        let message = format!("the name of the {what} `{}` can only have letters and digits", entry.key);
        return Err(TemplateError::new(message, entry.key_span));
    }
    if let Some(entry) = own().find(|entry| entry.key.len() > NAME) {
        let message = format!(
            "the {what} name `{}…` has {} characters; CloudFormation takes at most {NAME}",
            entry.key.get(..20).unwrap_or(&entry.key),
            entry.key.len()
        );
        return Err(TemplateError::new(message, entry.key_span));
    }
    match own().nth(most) {
        Some(entry) => {
            let message = format!("`{section}` has {} entries; CloudFormation takes at most {most}", own().count());
            Err(TemplateError::new(message, entry.key_span))
        }
        None => Ok(()),
    }
}

/// A nested template is at an address, and no file beside the template (AWS: *`AWS::CloudFormation::Stack`*,
/// `TemplateURL`). Which addresses are taken is for the endpoint to say: templates that are deployed already are read too.
fn nested(resource: &Entry) -> Result<(), TemplateError> {
    let is_stack = resource.value.get("Type").and_then(Node::text) == Some("AWS::CloudFormation::Stack");
    let url = resource.value.get("Properties").and_then(|properties| properties.get("TemplateURL"));
    let Some((node, url)) =
        url.filter(|node| is_stack && node.tag.is_none()).and_then(|node| Some((node, node.text()?)))
    else {
        return Ok(());
    };
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    let error = TemplateError::new(format!("`{url}` is not an https:// address of a template in S3"), node.span);
    let help = "upload it first: `aws cloudformation package` does, and writes its address here";
    Err(TemplateError { help: Some(help.to_owned()), ..error })
}

#[cfg(test)]
mod tests {
    use crate::template::parse;

    const RESOURCES: &str = "Resources: { T: { Type: AWS::SNS::Topic } }\n";

    #[test]
    fn what_cloudformation_refuses_is_told_with_its_place() {
        for (rest, message, help) in [
            ("Parametres: {}\n", "`Parametres` is not a section", Some("did you mean `Parameters`?")),
            ("outputs: {}\n", "`outputs` is not a section", Some("did you mean `Outputs`?")),
            ("Condition: {}\n", "`Condition` is not a section", Some("did you mean `Conditions`?")),
            ("Output:\n  A: { Value: x }\n", "`Output` is not a section", Some("did you mean `Outputs`?")),
            ("Globals: {}\n", "`Globals` is not a section", None),
            ("x-common: {}\n", "`x-common` is not a section", None),
            ("Transform: AWS::Serverless-2016-10-31\nGlobal: {}\nOutpts: {}\n", "`Outpts` is not a section", None),
            ("Parameters: { My-Name: { Type: String } }\n", "the name of the parameter `My-Name` can only", None),
            ("Outputs: { my_out: { Value: x } }\n", "the name of the output `my_out` can only", None),
            ("Mappings: { a.b: { c: { d: e } } }\n", "the name of the mapping `a.b` can only", None),
            ("Metadata: { a: &x [1], b: *x }\n", "CloudFormation does not support YAML aliases", None),
        ] {
            let error = parse(&format!("{RESOURCES}{rest}")).unwrap_err();
            assert!(error.message.starts_with(message), "{rest}: {error}");
            assert!(error.place().is_some_and(|(line, _)| line > 1), "{rest}: {error:?}");
            assert!(help.is_none() || error.help.as_deref() == help, "{rest}: {error:?}");
        }
        for good in [
            "Transform: AWS::Serverless-2016-10-31\nGlobals: {}\n",
            "Transform: Own\nThings: {}\n",
            "Rules: {}\nHooks: {}\nMetadata: { x-any: &a 1 }\nDescription: d\nConditions: { A: !Equals [a, b] }\n",
            "Mappings: { Account: { '012345678901': { a.b_c-d: e } } }\n",
        ] {
            assert!(parse(&format!("{RESOURCES}{good}")).is_ok(), "{good}: {:?}", parse(&format!("{RESOURCES}{good}")));
        }
    }

    #[test]
    fn there_is_a_most_of_everything() {
        let many = |section: &str, count: usize, each: &str| {
            let entries: Vec<String> = (0..count).map(|at| format!("  N{at}: {{ {each} }}\n")).collect();
            format!("{section}:\n{}", entries.concat())
        };
        for (section, most, each) in [("Parameters", 200, "Type: String"), ("Outputs", 200, "Value: x")] {
            assert!(parse(&format!("{RESOURCES}{}", many(section, most, each))).is_ok());
            let error = parse(&format!("{RESOURCES}{}", many(section, most + 1, each))).unwrap_err();
            assert_eq!(error.message, format!("`{section}` has 201 entries; CloudFormation takes at most 200"));
        }
        assert!(
            parse(&many("Resources", 500, "Type: T")).is_ok() && parse(&many("Resources", 501, "Type: T")).is_err()
        );
    }

    #[test]
    fn a_text_a_name_and_a_mapping_have_a_most() {
        let long = "x".repeat(256);
        let entries = (0..201).map(|at| format!("k{at}: {{ a: b }}, ")).collect::<Vec<_>>().concat();
        for (rest, message) in [
            (
                format!("Description: {}\n", "d".repeat(1_025)),
                "`Description` has 1025 bytes; CloudFormation takes at most 1024",
            ),
            (
                format!("Outputs: {{ ? {long} : {{ Value: x }} }}\n"),
                "the output name `xxxxxxxxxxxxxxxxxxxx…` has 256 characters",
            ),
            (
                format!("Mappings: {{ M: {{ {entries} }} }}\n"),
                "the mapping `M` has 201 attributes; CloudFormation takes at most 200",
            ),
            (
                format!("Parameters: {{ P: {{ Type: String, Default: {} }} }}\n", "v".repeat(4_097)),
                "the default of the parameter `P` has 4097 bytes; CloudFormation takes at most 4096",
            ),
        ] {
            let error = parse(&format!("{RESOURCES}{rest}")).unwrap_err();
            assert!(error.message.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_nested_template_is_at_an_address() {
        let with = |url: &str| {
            format!(
                "Resources:\n  N:\n    Type: AWS::CloudFormation::Stack\n    Properties: {{ TemplateURL: {url} }}\n"
            )
        };
        for bad in ["./child.yaml", "child.yaml", "s3://bucket/child.yaml"] {
            assert!(parse(&with(bad)).unwrap_err().message.contains("is not an https:// address"), "{bad}");
        }
        for good in [
            "https://b.s3.amazonaws.com/c.yaml",
            "http://127.0.0.1:4566/b/c.yaml",
            "!Ref Url",
            "!Sub 'https://${B}/c'",
            "{ Ref: Url }",
        ] {
            assert!(parse(&with(good)).is_ok(), "{good}");
        }
    }
}
