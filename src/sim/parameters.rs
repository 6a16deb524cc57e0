//! Systems Manager Parameter Store: what somebody put there, and what stacks did.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::reader::{ParameterDecl, Parsed};
use super::validate::invalid;
use super::world::World;
use crate::model::{Digest, SmallMap};
use crate::ports::{PortError, STORED_MAX};

/// What one of AWS's own parameters has (AWS: *Discovering public parameters in Parameter Store*): made up, and the same for
/// the same name and region. What it is follows from the name: the id of an image, a document about one, or a text.
fn public(region: &str, name: &str) -> Option<String> {
    const ABOUT: [&str; 8] = [
        "ecs_agent_version",
        "ecs_runtime_version",
        "image_name",
        "image_version",
        "os",
        "release_version",
        "schema_version",
        "source_image_name",
    ];
    // Whose parameters are images and do not say so in their names.
    const IMAGES: [&str; 5] = ["debian", "freebsd", "marketplace", "redhat", "suse"];
    let parts: Vec<&str> = name.strip_prefix("/aws/service/")?.split('/').collect();
    let (family, leaf) = (*parts.first()?, *parts.last()?);
    let image = || {
        let digest = Digest::of(&(region, name));
        format!("ami-{}", digest.as_str().get(..17).unwrap_or_default())
    };
    let of_image = |part: &&str| {
        part.starts_with("ami-")
            || part.ends_with("-ami")
            || ["ami", "amis", "dlami", "image_id", "image-id", "ami-id"].contains(part)
    };
    // "…-ECS_Optimized" and "…-EKS_Optimized-1.31" are documents, like "recommended", with the id of the image below.
    let document = leaf == "recommended" || (leaf.contains("_Optimized") && family == "ami-windows-latest");
    Some(match leaf {
        _ if ABOUT.contains(&leaf) => format!("simulated-{}", leaf.replace('_', "-")),
        _ if document => {
            let id = public(region, &format!("{name}/image_id"))?;
            serde_json::json!({ "schema_version": 1, "image_name": "simulated", "image_id": id, "os": "simulated" })
                .to_string()
        }
        _ if IMAGES.contains(&family) || parts.iter().any(of_image) => image(),
        "longName" => format!("Simulated region {region}"),
        // A layer of a function (AWS: *Powertools for AWS Lambda*).
        _ if family == "powertools" => {
            format!("arn:aws:lambda:{region}:017000801446:layer:{}:1", parts.join("-").replace('.', ""))
        }
        // A container image, as the parameters of `aws-for-fluent-bit` name one.
        _ if family == "aws-for-fluent-bit" => format!("public.ecr.aws/aws-observability/{family}:{leaf}"),
        _ => format!("simulated-{leaf}"),
    })
}

impl World {
    /// The newest value of a parameter.
    pub(super) fn in_store(&self, region: usize, name: &str) -> Option<String> {
        let scope = &self.data.regions[region].scope;
        let put = self.data.stored.get(&format!("{scope}|{name}")).cloned();
        put.or_else(|| public(scope.region.as_str(), name)).or_else(|| {
            let mut made = self.resources_of(region, "AWS::SSM::Parameter");
            let found = made.find(|resource| resource.physical_id == name)?;
            found.properties.get("Value")?.as_str().map(str::to_owned)
        })
    }

    /// AWS: *`GetParameters`*, which leaves out what is not there.
    pub(super) fn stored(&self, region: usize, names: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        if names.len() > STORED_MAX {
            return Err(invalid("GetParameters", "Member must have length less than or equal to 10"));
        }
        Ok(names.iter().filter_map(|name| Some((name.clone(), self.in_store(region, name)?))).collect())
    }

    /// Parameter values, those of the store in place of their names.
    pub(super) fn looked_up<'a>(
        &self,
        region: usize,
        parsed: &Parsed,
        parameters: &'a BTreeMap<String, String>,
    ) -> Cow<'a, BTreeMap<String, String>> {
        let mut values = Cow::Borrowed(parameters);
        for name in parsed.parameters.iter().filter(|(_, decl)| decl.is_stored()).map(|(name, _)| name) {
            if let Some(stored) = parameters.get(name).and_then(|key| self.in_store(region, key)) {
                values.to_mut().insert(name.clone(), stored);
            }
        }
        values
    }

    /// What was looked up for those that name a parameter of the store.
    pub(super) fn resolved(
        &self,
        region: usize,
        parsed: &Parsed,
        parameters: &BTreeMap<String, String>,
    ) -> SmallMap<String> {
        let values = self.looked_up(region, parsed, parameters).into_owned().into_iter();
        values.filter(|(name, _)| parsed.parameters.get(name).is_some_and(ParameterDecl::is_stored)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_parameter_that_names_an_image_has_one() {
        for name in [
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base",
            "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id",
            "/aws/service/eks/optimized-ami/1.31/amazon-linux-2023/x86_64/standard/recommended/image_id",
            "/aws/service/bottlerocket/aws-ecs-2/x86_64/latest/image_id",
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ] {
            let image = public("us-east-1", name).unwrap();
            assert!(image.starts_with("ami-") && image.len() == 21, "{image}");
            assert_ne!(public("eu-central-1", name), Some(image.clone()));
            assert_eq!(public("us-east-1", name), Some(image));
        }
        assert_eq!(public("us-east-1", "/my/ami-id"), None);
    }

    #[test]
    fn a_public_parameter_has_the_shape_that_its_name_says() {
        let of = |name: &str| public("us-east-1", &format!("/aws/service/{name}")).unwrap();
        for name in [
            "debian/release/12/latest/amd64",
            "freebsd/amd64/base/ufs/14.1/RELEASE",
            "suse/sles/15-sp6/x86_64/latest",
            "marketplace/prod-abcdefghijklm/latest",
            "cloud9/amis/amazonlinux-2023-x86_64",
            "storagegateway/ami/FILE_S3/latest",
            "neuron/dlami/multi-framework/ubuntu-22.04/latest/image_id",
            "ami-windows-latest/Windows_Server-2022-English-Full-ECS_Optimized/image_id",
        ] {
            assert!(of(name).starts_with("ami-"), "{name}: {}", of(name));
        }
        for name in [
            "ecs/optimized-ami/amazon-linux-2023/recommended",
            "eks/optimized-ami/1.31/amazon-linux-2023/x86_64/standard/recommended",
            "ami-windows-latest/Windows_Server-2022-English-Full-ECS_Optimized",
        ] {
            let document: serde_json::Value = serde_json::from_str(&of(name)).unwrap();
            assert_eq!(document["image_id"], of(&format!("{name}/image_id")), "{name}");
        }
        for name in [
            "ecs/optimized-ami/amazon-linux-2/recommended/image_name",
            "eks/optimized-ami/1.31/amazon-linux-2/recommended/release_version",
            "bottlerocket/aws-k8s-1.31/x86_64/latest/image_version",
            "global-infrastructure/regions/us-east-1/longName",
        ] {
            assert!(!of(name).starts_with("ami-") && !of(name).starts_with('{'), "{name}: {}", of(name));
        }
        assert!(of("powertools/python/arm64/python3.13/latest").starts_with("arn:aws:lambda:us-east-1:"));
    }
}
