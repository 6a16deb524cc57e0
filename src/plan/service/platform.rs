//! Whether an image was built for what the tasks run on.
//!
//! An image that stands for several says in its manifest which platforms they are for, a single one in its configuration.
//! That one has to be downloaded, which not everybody may: a single image of which it cannot be read is taken to fit. What
//! tasks run on says the live task definition: where there is none yet, nothing is held against an image.

use super::Deciding;
use crate::model::{Entry, ImageDigest, ImageState, Platform, Repository, RuntimePlatform, Seen, ServiceNeed};

/// Whether an image was built for what the tasks run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// As far as can be known.
    Yes,
    /// It was built for these alone.
    No { tasks: String, image: String },
    /// That has to be read first, or could not be.
    Unknown,
}

impl Deciding<'_> {
    pub(super) fn fit(
        &self,
        entry: &mut Entry,
        repository: &Repository,
        images: &[ImageState],
        digest: &ImageDigest,
    ) -> Fit {
        let runs_on = match self.runs_on(entry) {
            Ok(Some(platform)) => platform,
            Ok(None) => return Fit::Yes,
            Err(()) => return Fit::Unknown,
        };
        let is_index = images.iter().any(|image| image.digest == *digest && image.is_index());
        let at = (self.spec.scope.clone(), repository.clone(), digest.clone());
        match self.planner.input.observation.services.platforms.get(&at) {
            Some(Seen::Present(Some(platforms))) if runs_on.is_among(platforms) => Fit::Yes,
            Some(Seen::Present(Some(platforms))) => Fit::No { tasks: runs_on.to_string(), image: shown(platforms) },
            // It does not say, or is gone since it was listed: whoever pulls it says so.
            Some(Seen::Present(None) | Seen::Absent) => Fit::Yes,
            Some(Seen::Unknown(_)) if !is_index => Fit::Yes,
            Some(Seen::Unknown(why)) => {
                super::unknown(entry, &format!("the platform of {} could not be read: {why}", digest.short()));
                Fit::Unknown
            }
            None => {
                self.planner.need(ServiceNeed::Platforms(at.0, at.1, at.2));
                super::unknown(entry, "the platform of its newest image has not been read");
                Fit::Unknown
            }
        }
    }

    /// What the tasks run on; `None` while there is no service. An error where that has to be read first.
    fn runs_on(&self, entry: &mut Entry) -> Result<Option<RuntimePlatform>, ()> {
        let Some(service) = self.service.clone() else { return Ok(None) };
        let seen = &self.planner.input.observation.services;
        let at = (self.spec.scope.clone(), service);
        let state = match seen.services.get(&at) {
            Some(Seen::Present(state)) => state,
            Some(Seen::Absent) => return Ok(None),
            Some(Seen::Unknown(why)) => {
                super::unknown(entry, &format!("the service could not be read: {why}"));
                return Err(());
            }
            None => {
                self.planner.need(ServiceNeed::Service(at.0, at.1));
                super::unknown(entry, "the service has not been read");
                return Err(());
            }
        };
        let Some(arn) = state.task_definition.clone() else { return Ok(None) };
        self.definition(&arn, entry).map(|definition| Some(definition.platform.clone())).ok_or(())
    }
}

fn shown(platforms: &[Platform]) -> String {
    // Attestations beside the images are for `unknown/unknown` (BuildKit).
    let real = platforms.iter().filter(|platform| platform.os != "unknown").map(ToString::to_string);
    let mut real: Vec<String> = real.collect();
    real.sort();
    real.dedup();
    if real.is_empty() { "an unknown platform".to_owned() } else { real.join(", ") }
}
