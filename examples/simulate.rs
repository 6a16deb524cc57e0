//! A whole deployment in virtual time: the loop runs on the emulated AWS, and minutes pass in a moment.
//!
//! `cargo run --example simulate`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Ended, Listener, Tender, Until};
use landfast::model::Revision;
use landfast::plan::Goal;
use landfast::report::{Paint, Progress, Timeline};
use landfast::sim::{SimCloud, SimConfig};
use landfast::store::Store;
use landfast::{manifest, source};

fn main() -> Result<(), Box<dyn Error>> {
    let snapshot = source::read(Path::new("examples/smallest"))?;
    let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let loaded = manifest::load(&snapshot, revision);

    // Clock and randomness have one door. This one is virtual and has a seed, so that every run is the same.
    let clock = Virtual::starting_at("2026-01-01T09:00:00Z".parse()?);
    let cx = Context::simulated(&clock, 1);
    let cloud = Arc::new(SimCloud::new(cx.clone(), SimConfig::default()));
    let store = Store::in_memory(&cx)?;
    let listener: Listener = Arc::new(|at, progress: &Progress| {
        if let Some(line) = progress.line(at) {
            // There is nowhere left to say that standard output is closed.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    });
    let controller = Controller::new(cx, cloud, store, listener);
    controller.board.publish(loaded.desired.clone(), &loaded.broken);

    for (name, environment) in &loaded.desired.environments {
        let tender = Tender::new(&controller, name.clone(), Goal::Converge, Until::Settled);
        let ended = clock.drive(tender.run()).ok_or("the simulation waits for something that never happens")??;
        let settled = matches!(&ended, Ended::Settled(plan) if plan.in_sync());
        let stacks = environment.stacks.iter();
        let dependencies: BTreeMap<_, _> = stacks.map(|(key, spec)| (key.clone(), spec.depends_on.clone())).collect();
        let timeline = Timeline::of(&controller.narrator().spans(), &dependencies).text(Paint::Plain);
        writeln!(std::io::stdout(), "\n{timeline}\n{name} in sync: {settled}")?;
    }
    Ok(())
}
