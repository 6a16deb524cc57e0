//! Secrets, records, a service and what becomes of them, drawn from a seed. With numbers of their own, so that the stacks
//! of a seed are the same with them and without.

use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{App, AppAct, AppEdit, Named, Quality, Vault};
use crate::fleet::{Fleet, SECOND, Web};
use crate::scenario::{Edit, Event, Scenario};

/// Ways to select the image that all find the newest.
const SELECTS: [&str; 2] = ["semver: '1'", "newest: '1[.].*'"];

impl Scenario {
    /// Gives half of all seeds more than stacks.
    pub(crate) fn add_app(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xa99);
        if rng.random() {
            return;
        }
        let (web, secrets, records) = (rng.random_bool(0.5), rng.random_bool(0.5), rng.random_bool(0.5));
        if web {
            let select = SELECTS[rng.random_range(0..SELECTS.len())].to_owned();
            self.fleet.web = Some(Web {
                stack: rng.random(),
                breaker: rng.random(),
                select,
                strategy: String::new(),
                beside: String::new(),
            });
            self.images(&mut rng);
        }
        if secrets {
            for number in 0..rng.random_range(1..4) {
                self.fleet.app.secrets.insert(number, vault(&mut rng));
            }
            self.secrets(&mut rng);
        }
        if records {
            for number in 0..rng.random_range(1..4) {
                let named = named(&mut rng, &self.fleet, number);
                self.fleet.app.records.insert(number, named);
            }
            self.records(&mut rng);
        }
        self.events.sort_by_key(|(at, _)| *at);
    }

    fn happens(&mut self, rng: &mut impl Rng, most: usize, mut make: impl FnMut(&mut dyn Rng, &App) -> Event) {
        let app = self.fleet.app.clone();
        for _ in 0..rng.random_range(0..=most) {
            let at = rng.random_range(0..self.until);
            let event = make(rng, &app);
            self.events.push((at, event));
        }
    }

    fn images(&mut self, rng: &mut impl Rng) {
        self.happens(rng, 4, |rng, _| {
            let all = [Quality::Good, Quality::Good, Quality::Unpullable, Quality::Crashes, Quality::Unhealthy];
            Event::App(AppAct::Push(all[rng.random_range(0..all.len())]))
        });
        self.happens(rng, 3, |rng, _| {
            Event::App(match rng.random_range(0..5) {
                0 => AppAct::MoveTag,
                1 => AppAct::Expire,
                2 | 3 => AppAct::Scale(rng.random_range(0..6)),
                _ => AppAct::Redeploy,
            })
        });
        self.happens(rng, 2, |rng, _| {
            let edit = match rng.random_range(0..4) {
                0 => AppEdit::Breaker(rng.random()),
                1 => AppEdit::Select("tag: '1.0.0'".to_owned()),
                _ => AppEdit::Select(SELECTS[rng.random_range(0..SELECTS.len())].to_owned()),
            };
            Event::Edit { edit: Edit::App(edit), told: rng.random() }
        });
    }

    fn secrets(&mut self, rng: &mut impl Rng) {
        self.happens(rng, 3, |rng, _| {
            let number = rng.random_range(0..4);
            let wanted = rng.random_bool(0.7).then(|| vault(rng));
            Event::Edit { edit: Edit::App(AppEdit::Secret(number, wanted)), told: rng.random() }
        });
        self.happens(rng, 4, |rng, _| {
            let number = rng.random_range(0..4);
            Event::App(match rng.random_range(0..3) {
                0 => AppAct::PutSecret(number),
                1 => AppAct::PreviousSecret(number),
                _ => AppAct::DeleteSecret(number),
            })
        });
    }

    fn records(&mut self, rng: &mut impl Rng) {
        let fleet = self.fleet.clone();
        self.happens(rng, 4, |rng, _| {
            let number = rng.random_range(0..4);
            let wanted = rng.random_bool(0.7).then(|| named(rng, &fleet, number));
            Event::Edit { edit: Edit::App(AppEdit::Record(number, wanted)), told: rng.random() }
        });
        self.happens(rng, 4, |rng, _| {
            let number = rng.random_range(0..4);
            let edit = rng.random_bool(0.5);
            Event::App(if edit { AppAct::EditRecord(number) } else { AppAct::DropRecord(number, rng.random()) })
        });
    }
}

fn vault(rng: &mut (impl Rng + ?Sized)) -> Vault {
    Vault {
        fields: rng.random_range(1..4),
        every: rng.random_bool(0.5).then(|| rng.random_range(1..5)),
        restarts: rng.random(),
        edition: rng.random_range(1..4),
        delete: rng.random_bool(0.5),
    }
}

fn named(rng: &mut (impl Rng + ?Sized), fleet: &Fleet, number: u8) -> Named {
    let stacks: Vec<u8> = fleet.units.keys().copied().filter(|stack| *stack < SECOND).collect();
    let upstream = (!stacks.is_empty() && rng.random()).then(|| stacks[rng.random_range(0..stacks.len())]);
    // Now and then under another name.
    let label = if rng.random_bool(0.3) { number + 10 } else { number };
    Named { target: rng.random_range(1..4), upstream, label }
}
