//! Systems Manager Parameter Store: what somebody put there, and what stacks did.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::reader::{ParameterDecl, Parsed};
use super::validate::invalid;
use super::world::World;
use crate::model::Digest;
use crate::ports::{PortError, STORED_MAX};

/// The image that one of AWS's own parameters names: made up, and the same for the same name and region (AWS: *Discovering
/// public parameters in Parameter Store*). Those that name no image are not here.
fn public(region: &str, name: &str) -> Option<String> {
    let rest = name.strip_prefix("/aws/service/")?;
    let names_image = rest.split('/').any(|part| {
        part.starts_with("ami-") || part.ends_with("-ami") || ["image_id", "image-id", "ami-id"].contains(&part)
    });
    let leaf = rest.rsplit('/').next().unwrap_or_default();
    let says_else = ["image_name", "image_version", "release_version", "recommended"].contains(&leaf);
    let digest = Digest::of(&(region, name));
    (names_image && !says_else).then(|| format!("ami-{}", digest.as_str().get(..17).unwrap_or_default()))
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
    ) -> BTreeMap<String, String> {
        let mut values = self.looked_up(region, parsed, parameters).into_owned();
        values.retain(|name, _| parsed.parameters.get(name).is_some_and(ParameterDecl::is_stored));
        values
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
        for name in [
            "/my/ami-id",
            "/aws/service/global-infrastructure/regions",
            "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended",
            "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_name",
        ] {
            assert_eq!(public("us-east-1", name), None, "{name}");
        }
    }
}
