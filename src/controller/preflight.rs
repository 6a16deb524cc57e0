//! A look at the account instead of at what is deployed in it: everything that would stop a deployment halfway.

use super::{Controller, Looked, ReportPlace};
use crate::model::{Desired, Environment};
use crate::observe::Observer;
use crate::plan::preflight::{images, judge, questions};
use crate::report::Preflight;
use crate::store::StoreError;

impl Controller {
    /// How the prerequisites of an environment stand, one item for each account and region.
    pub async fn preflight(
        &self,
        desired: &Desired,
        environment: &Environment,
        reports: &[ReportPlace],
    ) -> Result<Vec<Preflight>, StoreError> {
        let Looked { observation, plan, memory } = self.glance(desired, environment).await?;
        let images = images(environment, &plan, &observation.services, &memory);
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let mut items = Vec::new();
        let reports = reports.iter().any(|place| matches!(place, ReportPlace::Bucket { .. }));
        for (scope, asked) in questions(environment, &plan, reports) {
            let answers = observer.preflight(&scope, &asked).await;
            let mut lines = judge(&scope, &asked, &answers, self.cx.now());
            lines.extend(images.iter().filter(|(at, _)| *at == scope).map(|(_, line)| line.clone()));
            items.push(Preflight::of(&environment.name, &scope, lines));
        }
        Ok(items)
    }
}
