//! ECR, and what an image in a task definition means.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Ecs, Image};
use crate::model::{AccountId, Digest, ImageDigest, ImageId, ImageState, Platform, Repository, Scope};
use crate::ports::{Class, PortError};
use crate::sim::ImageBehaviour;
use crate::sim::world::World;

/// An image as a task definition names it.
struct Named<'a> {
    /// The registry's account and region, where it is one of ECR.
    registry: Option<(&'a str, &'a str)>,
    repository: &'a str,
    id: ImageId,
}

fn read(image: &str) -> Named<'_> {
    let (rest, id) = match image.split_once('@') {
        Some((rest, digest)) => {
            let id = digest.parse().map_or_else(|_| ImageId::Tag(digest.to_owned()), ImageId::Digest);
            (rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(rest, |(rest, _)| rest), id)
        }
        None => match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((rest, tag)) => (rest, ImageId::Tag(tag.to_owned())),
            None => (image, ImageId::Tag("latest".to_owned())),
        },
    };
    let ecr = rest.split_once('/').and_then(|(host, repository)| {
        let (account, after) = host.split_once(".dkr.ecr.")?;
        Some((account, after.split('.').next()?, repository))
    });
    match ecr {
        Some((account, region, repository)) => Named { registry: Some((account, region)), repository, id },
        None => Named { registry: None, repository: rest, id },
    }
}

/// The digest of an image of this content: a function of its name, as real ones are of the bytes.
pub(super) fn digest_of(content: &str) -> Option<ImageDigest> {
    format!("sha256:{}", Digest::of_bytes(content.as_bytes()).as_str()).parse().ok()
}

/// The digest of an image's configuration, which is a blob of its own.
pub(in crate::sim) fn config_of(image: &ImageDigest) -> Option<ImageDigest> {
    digest_of(&format!("the configuration of {image}"))
}

impl World {
    fn registry(&self, scope: &Scope) -> Option<&Ecs> {
        self.data.regions.iter().find(|region| region.scope == *scope).map(|region| &region.ecs)
    }

    /// What an image means now. An error is what the pull of it says.
    pub(super) fn resolve_image(&self, image: &str) -> Result<ImageDigest, String> {
        let named = read(image);
        let invented = || match &named.id {
            ImageId::Digest(digest) => Ok(digest.clone()),
            ImageId::Tag(_) => digest_of(image).ok_or_else(|| "no digest".to_owned()),
        };
        // Other registries are not simulated: everything is there.
        let Some((account, region)) = named.registry else { return invented() };
        let scope = account.parse().ok().zip(region.parse().ok());
        let scope = scope.map(|(account, region)| Scope { account, region });
        let found =
            scope.and_then(|scope| self.registry(&scope)).and_then(|ecs| ecs.repositories.get(named.repository));
        // Nor are repositories that nobody made.
        let Some(repository) = found.filter(|repository| !repository.lenient) else { return invented() };
        let image_of = |image: &&Image| match &named.id {
            ImageId::Digest(digest) => image.state.digest == *digest,
            ImageId::Tag(tag) => image.state.tags.contains(tag),
        };
        match repository.images.values().find(image_of) {
            Some(image) if image.state.archived => Err(format!("pull image manifest: {} is archived", named.id)),
            Some(image) => Ok(image.state.digest.clone()),
            None => {
                Err(format!("pull image manifest has been retried 1 time(s): failed to resolve ref {image}: not found"))
            }
        }
    }

    /// How a container of this image fares, wherever that was set.
    pub(super) fn behaviour(&self, region: usize, digest: &ImageDigest) -> ImageBehaviour {
        let here = self.ecs(region).behaviours.get(digest);
        let anywhere = || self.data.regions.iter().find_map(|region| region.ecs.behaviours.get(digest));
        here.or_else(anywhere).copied().unwrap_or_default()
    }

    pub(in crate::sim) fn repository(
        &self,
        region: usize,
        repository: &Repository,
        operation: &'static str,
    ) -> Result<&BTreeMap<ImageDigest, Image>, PortError> {
        let here = &self.data.regions[region].scope;
        let account: &AccountId = repository.registry.as_ref().unwrap_or(&here.account);
        let scope = Scope { account: account.clone(), region: here.region.clone() };
        let found = self.registry(&scope).and_then(|ecs| ecs.repositories.get(&repository.name));
        found.map(|found| &found.images).ok_or_else(|| {
            let message = format!(
                "The repository with name '{}' does not exist in the registry with id '{account}'",
                repository.name
            );
            PortError::new(Class::NotFound, operation, message).with_code("RepositoryNotFoundException")
        })
    }

    /// AWS: *`DescribeImages`* without image ids.
    pub(in crate::sim) fn images(&self, region: usize, repository: &Repository) -> Result<Vec<ImageState>, PortError> {
        let images = self.repository(region, repository, "DescribeImages")?;
        Ok(images.values().map(|image| image.state.clone()).collect())
    }

    /// AWS: *`DescribeImages`* with one image id.
    pub(in crate::sim) fn image(
        &self,
        region: usize,
        repository: &Repository,
        id: &ImageId,
    ) -> Result<Option<Image>, PortError> {
        let images = self.repository(region, repository, "DescribeImages")?;
        Ok(match id {
            ImageId::Digest(digest) => images.get(digest).cloned(),
            ImageId::Tag(tag) => images.values().find(|image| image.state.tags.contains(tag)).cloned(),
        })
    }

    /// AWS: *`PutImage`*. A tag means one image at a time: it moves.
    pub(in crate::sim) fn push_image(
        &mut self,
        region: usize,
        repository: &str,
        content: &str,
        tags: &[&str],
        at: Option<Timestamp>,
    ) -> Option<ImageDigest> {
        let digest = digest_of(content)?;
        let pushed = at.unwrap_or(self.data.now);
        let name = repository;
        let repository = self.ecs_mut(region).repositories.entry(name.to_owned()).or_default();
        repository.lenient = false;
        for image in repository.images.values_mut() {
            image.state.tags.retain(|tag| !tags.contains(&tag.as_str()));
        }
        let image = repository.images.entry(digest.clone()).or_insert_with(|| Image {
            state: ImageState {
                digest: digest.clone(),
                tags: [].into(),
                pushed,
                media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
                bytes: Some(64_000_000),
                archived: false,
            },
            platforms: None,
            built_for: Some(Platform { os: "linux".to_owned(), architecture: "amd64".to_owned() }),
        });
        image.state.tags.extend(tags.iter().map(|tag| (*tag).to_owned()));
        self.announce_push(region, name, digest.as_str(), tags.first().copied());
        Some(digest)
    }

    /// What builds have waiting for a repository that has nothing yet.
    pub(in crate::sim) fn push_builds(&mut self, region: usize, repository: &str) {
        let ecs = self.ecs(region);
        if ecs.repositories.get(repository).is_none_or(|found| !found.images.is_empty()) {
            return;
        }
        for tag in ecs.builds.get(repository).cloned().unwrap_or_default() {
            // The digest is whatever it is: a service finds it by its tag.
            _ = self.push_image(region, repository, &format!("{repository}:{tag}"), &[&tag], None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_the_agent_reads_them() {
        let digest = digest_of("a").unwrap();
        let ecr = format!("111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/api:1.0@{digest}");
        let named = read(&ecr);
        assert_eq!((named.registry, named.repository), (Some(("111122223333", "eu-central-1")), "team/api"));
        assert_eq!(named.id, ImageId::Digest(digest));
        let plain = read("localhost:5000/nginx");
        assert_eq!((plain.registry, plain.repository), (None, "localhost:5000/nginx"));
        assert_eq!(plain.id, ImageId::Tag("latest".to_owned()));
    }
}
