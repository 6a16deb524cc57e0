//! What is seen and remembered in one case of the universe, and what a step makes of it.

use super::*;

fn key_of_table() -> TableKey {
    TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None }
}

fn state(case: Case) -> TableSeen {
    let status = if case.there == There::Creating { TableStatus::Creating } else { TableStatus::Active };
    let state = TableState {
        name: table(NAME),
        arn: format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{NAME}").parse().unwrap(),
        id: "0a1b2c3d-0000-0000-0000-000000000001".parse().unwrap(),
        status,
        created: Some(ago(100_000)),
        items: 10,
        bytes: 100,
        key: key_of_table(),
        indexes: BTreeMap::new(),
        indexes_busy: BTreeSet::new(),
        billing: Billing::OnDemand,
        class: TableClass::Standard,
        deletion_protected: case.there != There::Bare,
        stream: None,
        kms_key: None,
        replicas: BTreeSet::new(),
        limits: None,
        restored: None,
    };
    let days = match case.there {
        There::Longer => 35,
        _ => 7,
    };
    let on = case.there != There::Bare;
    let recovery = ContinuousBackups { on, window_days: days, earliest: Some(ago(60 * 24 * 6)), latest: Some(ago(5)) };
    TableSeen { at: state.created.unwrap_or_default(), state, recovery }
}

fn profile() -> TableProfile {
    TableProfile {
        key: key_of_table(),
        indexes: BTreeMap::new(),
        billing: Billing::OnDemand,
        class: TableClass::Standard,
        deletion_protected: true,
        recovery_days: Some(7),
        stream: None,
        time_to_live: None,
        tags: BTreeMap::new(),
        policy: None,
        scaling: Vec::new(),
        alarms: Vec::new(),
        unread: BTreeSet::new(),
        by_hand: BTreeSet::new(),
    }
}

/// A point of so many days ago, in this region; of a vault, or on demand.
fn point(days_ago: i64, region: &Region, vaulted: bool, owner: &Key) -> RecoveryPoint {
    let (slot, arn) = (slot(days_ago), format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{NAME}"));
    let id = if vaulted {
        format!("arn:aws:backup:{region}:111122223333:recovery-point:{days_ago:08}-{}", owner.name)
    } else {
        format!("{arn}/backup/0177{days_ago:010}-{}", owner.name)
    };
    let tags = [(OWNER_TAG, owner.to_string()), (SLOT_TAG, PointName::slot_text(slot))];
    RecoveryPoint {
        id: id.parse().unwrap(),
        keeper: if vaulted { PointKeeper::Vault(vault()) } else { PointKeeper::Table },
        table: table(NAME),
        table_arn: arn.parse().unwrap(),
        name: (!vaulted).then(|| PointName::new(owner, slot, None).to_string()),
        status: PointStatus::Available,
        created: slot + SignedDuration::from_secs(1),
        completed: None,
        bytes: Some(100),
        items: None,
        expires: None,
        tags: vaulted.then(|| tags.map(|(name, value)| (name.to_owned(), value)).into()),
    }
}

fn listed(points: Points, region: &Region, vaulted: bool) -> Option<Seen<PointsListed>> {
    let theirs: Key = "dev/backuppolicy/theirs".parse().unwrap();
    let of =
        |days: &[i64], owner: &Key| days.iter().map(|days| point(*days, region, vaulted, owner)).collect::<Vec<_>>();
    let many: Vec<i64> = (0..7).collect();
    let points = match points {
        Points::Unread => return None,
        Points::Unknown => return Some(Seen::Unknown(Unknown::because("no connection"))),
        Points::Absent => return Some(Seen::Absent),
        Points::None => Vec::new(),
        Points::Old => of(&[3], &key()),
        Points::Today => of(&[0], &key()),
        Points::Many => of(&many, &key()),
        Points::Behind => of(&many[1..], &key()),
        Points::Foreign => of(&many, &theirs),
    };
    Some(Seen::Present(PointsListed { at: now(), points, others: Vec::new(), unread: BTreeMap::new() }))
}

fn known(days_ago: i64) -> PointMemory {
    let created = slot(days_ago) + SignedDuration::from_secs(1);
    PointMemory {
        slot: slot(days_ago),
        created,
        noted: created,
        profile: None,
        items: None,
        kept: None,
        verified: None,
        deleted: None,
        copying: BTreeMap::new(),
    }
}

fn remembered(case: Case) -> BackupMemory {
    let vaulted = case.wanted == Wanted::Copied;
    let id = |days| point(days, &scope().region, vaulted, &key()).id;
    let begun = |started| {
        let name = if vaulted { "token".to_owned() } else { PointName::new(&key(), slot(0), None).to_string() };
        let pending = PendingBackup { slot: slot(0), name, started, job: None, profile: None, items: None };
        TableMemory { pending: Some(pending), ..TableMemory::default() }
    };
    let points = |id: PointId, known| TableMemory { points: [(id, known)].into(), ..TableMemory::default() };
    let mut memory = BackupMemory::default();
    let of_table = match case.remembered {
        Remembered::Nothing => return memory,
        Remembered::Begun => begun(ago(1)),
        Remembered::BegunLongAgo => begun(ago(60)),
        Remembered::Deleted => points(id(6), PointMemory { deleted: Some(ago(1)), ..known(6) }),
        Remembered::Proven => points(id(6), PointMemory { verified: Some(ago(600)), ..known(6) }),
        Remembered::Settings => {
            memory.profiles.insert(profile().name(), profile());
            points(id(0), PointMemory { profile: Some(profile().name()), ..known(0) })
        }
        Remembered::All => {
            let points = (0..7).map(|days| (id(days), known(days))).collect();
            TableMemory { points, ..TableMemory::default() }
        }
    };
    memory.tables.insert(table(NAME), of_table);
    memory
}

pub(super) struct Small {
    desired: Desired,
    observation: Observation,
    memory: Memory,
}

impl Small {
    pub(super) fn new(case: Case) -> Self {
        let mut environment = stage::environment(&scope());
        environment.policy.mode = case.mode;
        environment.template_bucket = Some(BUCKET.to_owned());
        environment.backups.insert(key(), Arc::new(wanted(case)));
        let mut observation = Observation::begun(now());
        observation.listings.insert(scope(), Ok(()));
        let seen = &mut observation.backups;
        seen.tables.insert(scope(), Seen::Present([table(NAME)].into()));
        let place = (scope(), table(NAME));
        match case.there {
            There::Unread => None,
            There::Unknown => seen.described.insert(place.clone(), Seen::Unknown(Unknown::because("no connection"))),
            There::Absent => seen.described.insert(place.clone(), Seen::Absent),
            _ => seen.described.insert(place.clone(), Seen::Present(state(case))),
        };
        if case.profile {
            let seen_profile =
                ProfileSeen { id: state(case).state.id, busy: false, profile: profile(), unread: BTreeMap::new() };
            seen.profiles.insert(place, Seen::Present(seen_profile));
        }
        let home = scope().region;
        if case.wanted == Wanted::Copied {
            seen.points.insert(scope(), listed(Points::None, &home, false).unwrap());
            let away = Scope { region: west(), ..scope() };
            for (place, points) in [(scope(), case.points), (away, case.copies)] {
                if let Some(listed) = listed(points, &place.region.clone(), true) {
                    seen.vaults.insert((place, vault()), listed);
                }
            }
        } else if let Some(listed) = listed(case.points, &home, false) {
            seen.points.insert(scope(), listed);
        }
        let revision = Revision { sequence: 1, content: Digest::of("files"), commit: None };
        let environments = BTreeMap::from([(environment.name.clone(), Arc::new(environment))]);
        let backups = BTreeMap::from([(key(), Arc::new(remembered(case)))]);
        let memory = Memory {
            fingerprint_key: FingerprintKey::new([1; 32]),
            objects: Objects { backups, ..Objects::default() }.into(),
            spent: Vec::new(),
            consent: None,
            freezes: std::sync::Arc::default(),
            reviews: std::sync::Arc::default(),
        };
        let mut small = Self { desired: Desired { revision, environments }, observation, memory };
        // No name that a test might choose is taken.
        for need in plan::needs(&small.input(&BTreeSet::new())) {
            let Need::Backup(BackupNeed::Table(scope, name)) = need else { continue };
            if name.as_str().starts_with(TEST_PREFIX) {
                small.observation.backups.described.insert((scope, name), Seen::Absent);
            }
        }
        small
    }

    fn input<'a>(&'a self, busy: &'a BTreeSet<Key>) -> Input<'a> {
        Input {
            desired: &self.desired,
            environment: self.desired.environments.values().next().unwrap(),
            observation: &self.observation,
            memory: &self.memory,
            now: now(),
            goal: Goal::Converge,
            busy,
        }
    }

    pub(super) fn plan(&self) -> (Plan, Vec<plan::Fault>) {
        let busy = BTreeSet::new();
        let input = self.input(&busy);
        let plan = plan::plan(&input);
        let faults = plan::lint(&plan, &input);
        (plan, faults)
    }

    pub(super) fn points(&self) -> Vec<&RecoveryPoint> {
        let seen = &self.observation.backups;
        let listings = seen.points.values().chain(seen.vaults.values()).filter_map(Seen::present);
        listings.flat_map(|listed| &listed.points).collect()
    }

    /// What the world is like when a step was taken. False for what only begins something.
    pub(super) fn apply(&mut self, action: &BackupDo) -> bool {
        let seen = &mut self.observation.backups;
        let place = (scope(), table(NAME));
        let Some(Seen::Present(there)) = seen.described.get_mut(&place) else { return false };
        let memory = Arc::make_mut(Arc::make_mut(&mut self.memory.objects).backups.get_mut(&key()).unwrap());
        match action {
            BackupDo::Recover(list) => {
                for one in list {
                    there.recovery = ContinuousBackups { on: true, window_days: one.to, ..there.recovery };
                }
            }
            BackupDo::Protect(_) => there.state.deletion_protected = true,
            BackupDo::Expire(list) => {
                let gone: BTreeSet<&PointId> = list.iter().map(|one| &one.point).collect();
                for listed in seen.points.values_mut().chain(seen.vaults.values_mut()) {
                    let Seen::Present(listed) = listed else { continue };
                    listed.points.retain(|point| !gone.contains(&point.id));
                }
                memory.expired.extend(list.iter().map(|_| now()));
            }
            BackupDo::Keep(list) => {
                for one in list {
                    let points = &mut memory.tables.get_mut(&one.table).unwrap().points;
                    let point = points.get_mut(&one.point).unwrap();
                    point.kept = one.settings.as_ref().map(|_| one.bucket.clone());
                    point.profile = point.profile.take().filter(|_| one.settings.is_some());
                }
            }
            BackupDo::Make(_) if !seen.points.is_empty() && seen.vaults.is_empty() => {
                let Some(Seen::Present(listed)) = seen.points.get_mut(&scope()) else { return false };
                listed.points.push(point(0, &scope().region, false, &key()));
            }
            _ => return false,
        }
        true
    }
}
