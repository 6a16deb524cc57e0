//! Whether other regions have the image that runs, where the manifest asks for that (`alsoIn`).
//!
//! A region that takes over finds out too late that its registry was never given the image: ECR replicates only what is
//! pushed after replication was set up. It is told, and keeps nothing from being deployed here.

use super::{Deciding, refusal};
use crate::model::{Decision, Entry, Guard, ImageState, Region, Repository, Scope, Seen, ServiceNeed, Waiting};
use crate::plan::planner::refuse;

impl Deciding<'_> {
    pub(super) fn elsewhere(&self, entry: &mut Entry) {
        for (container, spec) in &self.spec.images {
            let Some(decision) = self.memory.decisions.get(container) else { continue };
            for region in &spec.also_in {
                self.also_there(entry, spec.repository(), region, decision);
            }
        }
    }

    fn also_there(&self, entry: &mut Entry, repository: Repository, region: &Region, decision: &Decision) {
        let scope = Scope { account: self.spec.scope.account.clone(), region: region.clone() };
        let is_it = |image: &ImageState| image.digest == decision.digest && !image.archived;
        let shown = format!("{} ({})", decision.name(), decision.digest.short());
        let images: &[ImageState] =
            match self.planner.input.observation.services.images.get(&(scope.clone(), repository.clone())) {
                Some(Seen::Present(images)) => images,
                Some(Seen::Absent) => &[],
                Some(Seen::Unknown(why)) => {
                    let why = format!("{repository} in {region} could not be checked for {shown}: {why}");
                    return entry.waiting.push(Waiting::Unknown { why });
                }
                None => {
                    self.planner.need(ServiceNeed::Images(scope, repository));
                    let why = format!("the images of {region} have not been read");
                    return entry.waiting.push(Waiting::Unknown { why });
                }
            };
        if !images.iter().any(is_it) {
            let reason = format!("{shown} is not in {repository} in {region}: no task could start there");
            let release = "configure ECR replication to that region, and push the image again: ECR does not replicate images that were pushed earlier";
            refuse(entry, refusal(Guard::ImageElsewhere, reason, release));
        }
    }
}
