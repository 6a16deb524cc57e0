//! Which attributes `Fn::GetAtt` reads of a resource type, and what shape each has.
//!
//! Facts from AWS's resource provider schemas, in the copy that `cfn-lint` ships under MIT-0: `.ci/attributes` writes
//! `attributes.txt`, and CI compares. The values are made up; their number and form are such that a template which selects
//! from a list finds something there.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::spelling::{digits, partition, sub_names};
use crate::model::Scope;

/// One line for each type: its name and its attributes.
const TABLE: &str = include_str!("attributes.txt");

static TYPES: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let types = TABLE.lines().filter(|line| !line.starts_with('#'));
    types.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
});

/// What an attribute is, unless it is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text, or nothing is known of it.
    Text,
    Number,
    Truth,
    Object,
    Texts,
    Objects,
}

fn find(attributes: &str, name: &str) -> Option<Shape> {
    attributes.split(' ').find_map(|one| {
        let shape = one.strip_prefix(name)?;
        Some(match shape {
            "" => Shape::Text,
            "#" => Shape::Number,
            "?" => Shape::Truth,
            "{}" => Shape::Object,
            "[]" => Shape::Texts,
            "[{}]" => Shape::Objects,
            // Another one that begins with this name.
            _ => return None,
        })
    })
}

/// The shape of an attribute.
pub(super) fn shape(kind: &str, name: &str) -> Shape {
    TYPES.get(kind).and_then(|attributes| find(attributes, name)).unwrap_or(Shape::Text)
}

/// Whether the schema of this type is known and has no such attribute. What is below or above an attribute that it has is not
/// said to be missing, and neither is what the resource itself is given: of some types that can be read, and no list of
/// these types is complete.
pub(super) fn lacks(kind: &str, properties: &Json, name: &str) -> bool {
    let Some(attributes) = TYPES.get(kind) else { return false };
    let head = name.split('.').next().unwrap_or(name);
    let related = attributes.split(' ').any(|one| {
        let known = one.split(['.', '[', '{', '#', '?']).next().unwrap_or(one);
        known == head
    });
    !related && properties.get(head).is_none()
}

/// Says of an expression what `CloudFormation` says of an attribute that a resource does not have. `resource` gives the type and
/// the properties of a logical id.
pub(super) fn check<'a>(
    expression: &Json,
    resource: &impl Fn(&str) -> Option<(&'a str, &'a Json)>,
) -> Result<(), String> {
    let one = |logical: &str, attribute: &str| match resource(logical) {
        Some((kind, properties)) if lacks(kind, properties, attribute) => {
            Err(format!("Template error: resource {logical} does not support attribute type {attribute} in Fn::GetAtt"))
        }
        _ => Ok(()),
    };
    match expression {
        Json::Array(items) => items.iter().try_for_each(|item| check(item, resource)),
        Json::Object(map) => map.iter().try_for_each(|(key, value)| {
            match (key.as_str(), value) {
                ("Fn::GetAtt", Json::Array(path)) => {
                    if let [Json::String(logical), Json::String(attribute)] = path.as_slice() {
                        one(logical, attribute)?;
                    }
                }
                ("Fn::Sub", argument) => {
                    let text = argument.as_str().or_else(|| argument.get(0)?.as_str()).unwrap_or_default();
                    let own = |name: &str| argument.get(1).is_some_and(|own| own.get(name).is_some());
                    let mut used = sub_names(text).filter(|name| !own(name)).filter_map(|name| name.split_once('.'));
                    used.try_for_each(|(logical, attribute)| one(logical, attribute))?;
                }
                _ => {}
            }
            check(value, resource)
        }),
        _ => Ok(()),
    }
}

/// The made-up value of an attribute that is no text.
pub(super) fn value(kind: &str, scope: &Scope, physical: &str, name: &str) -> Option<Json> {
    Some(match shape(kind, name) {
        Shape::Text => return None,
        Shape::Number if name.ends_with("Port") => return None,
        // Every scalar is text here, as it is when a template has been read.
        Shape::Number => json!("1"),
        Shape::Truth => json!("false"),
        Shape::Object => json!({}),
        Shape::Objects => json!([{}]),
        Shape::Texts => (0..4).map(|place| Json::from(item(scope, physical, name, place))).collect(),
    })
}

/// One item of a list of texts.
fn item(scope: &Scope, physical: &str, name: &str, place: u8) -> String {
    let hex = |length: usize| digits(&[physical, name, &place.to_string()], length);
    let byte =
        |from: usize| u8::from_str_radix(hex(32).get(from..from + 2).unwrap_or_default(), 16).unwrap_or_default();
    let last = physical.rsplit(['/', ':']).next().unwrap_or(physical);
    let region = scope.region.as_str();
    match name {
        "NameServers" => {
            let top = ["com", "net", "org", "co.uk"];
            format!("ns-{}.awsdns-{:02}.{}", u16::from(byte(0)) * 8, byte(2) % 64, top[usize::from(place) % top.len()])
        }
        // Each network is a whole /56, so that `Fn::Cidr` can make subnets of it.
        "Ipv6CidrBlocks" => format!("2001:db8:{}:{}00::/56", hex(4), hex(2)),
        "NetworkInterfaceIds" => format!("eni-0{}", hex(16)),
        "DnsEntries" => {
            let (_, suffix) = partition(region);
            let zone = hex(13).to_uppercase();
            format!("Z{zone}:{last}-{}.{region}.vpce.{suffix}", hex(8))
        }
        _ if name.ends_with("AvailabilityZones") => format!("{region}{}", char::from(b'a' + place)),
        _ if name.ends_with("SecurityGroups") || name.ends_with("SecurityGroupIds") => format!("sg-0{}", hex(16)),
        _ if name.ends_with("SubnetIds") => format!("subnet-0{}", hex(16)),
        _ if name.contains("IpAddress") || name.contains("PrivateIp") => {
            format!("10.{}.{}.{}", byte(0), byte(2), byte(4))
        }
        _ => format!("{last}-{}-{}", name.to_lowercase().replace('.', "-"), place + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_the_shapes_of_the_schemas() {
        for (kind, name, expected) in [
            ("AWS::DirectoryService::SimpleAD", "DnsIpAddresses", Shape::Texts),
            ("AWS::EC2::VPC", "Ipv6CidrBlocks", Shape::Texts),
            ("AWS::EC2::VPC", "CidrBlock", Shape::Text),
            ("AWS::EC2::VPCEndpoint", "DnsEntries", Shape::Texts),
            ("AWS::Route53::HostedZone", "NameServers", Shape::Texts),
            ("AWS::CloudFormation::WaitCondition", "Data", Shape::Text),
            ("AWS::SQS::Queue", "FifoQueue", Shape::Truth),
            ("AWS::SQS::Queue", "DelaySeconds", Shape::Number),
            ("Custom::Anything", "Whatever", Shape::Text),
        ] {
            assert_eq!(shape(kind, name), expected, "{kind} {name}");
        }
    }

    #[test]
    fn only_what_the_schema_lacks_and_the_template_does_not_give_is_missing() {
        let given = json!({ "Topic": "a" });
        assert!(lacks("AWS::SNS::Subscription", &json!({}), "TopicArnn"));
        assert!(lacks("AWS::EC2::VPC", &json!({}), "Arn"));
        for (kind, name) in [
            ("AWS::SNS::Subscription", "Topic"),
            ("AWS::RDS::DBInstance", "Endpoint.Address"),
            ("AWS::CloudFormation::Stack", "Outputs.Anything"),
            ("Custom::Mine", "Anything"),
            ("AWS::CloudFormation::CustomResource", "Anything"),
            ("Some::Other::Type", "Anything"),
        ] {
            assert!(!lacks(kind, &given, name), "{kind} {name}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_says_where_it_is_from() {
        let types: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(types.len() > 1000 && types.is_sorted());
        assert!(TABLE.starts_with("# Made by .ci/attributes from cfn-lint ") && TABLE.contains("(MIT-0)"));
    }
}
