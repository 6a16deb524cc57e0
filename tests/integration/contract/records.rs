//! Zones, record sets, batches, what follows from a batch: what Route 53 documents.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use landfast::model::{
    ChangeId, DnsName, FailoverRole, RecordChange, RecordContent, RecordSet, RecordVerb, RecordsOf, SetRouting, ZoneId,
};
use landfast::ports::{Class, PortError, Records, RecordsFrom};

use super::{Backend, FENCE, all};

fn door(backend: &Backend) -> Arc<dyn Records> {
    backend.cloud.records(&backend.scope(), backend.role.as_ref())
}

fn of(name: &str, kind: &str) -> RecordsOf {
    RecordsOf { name: DnsName::new(name), kind: kind.to_owned() }
}

fn set(name: &str, kind: &str, values: &[&str]) -> RecordSet {
    RecordSet {
        of: of(name, kind),
        set: None,
        content: RecordContent::Values { values: values.iter().map(|value| (*value).to_owned()).collect(), ttl: 60 },
        routing: SetRouting::Simple,
        health_check: None,
    }
}

fn change(verb: RecordVerb, set: &RecordSet) -> RecordChange {
    RecordChange { verb, set: set.clone() }
}

/// Sends a batch, and waits while the zone is busy with another (*`ChangeResourceRecordSets`*, `PriorRequestNotComplete`).
async fn send(backend: &Backend, zone: &ZoneId, changes: &[RecordChange]) -> Result<ChangeId, PortError> {
    for _ in 0..100 {
        match door(backend).change(FENCE, zone, changes, "landfast-contract").await {
            Err(error) if error.class == Class::Throttled => backend.cx.sleep(backend.interval).await,
            answer => return answer,
        }
    }
    panic!("the zone is busy for ever")
}

async fn create(backend: &Backend, zone: &ZoneId, sets: &[&RecordSet]) {
    let changes: Vec<_> = sets.iter().map(|set| change(RecordVerb::Create, set)).collect();
    send(backend, zone, &changes).await.unwrap();
}

/// Every record set that is not the zone's own, page by page.
async fn listed(backend: &Backend, zone: &ZoneId) -> Vec<RecordSet> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = door(backend).record_sets(zone, next).await.unwrap();
        found.extend(page.items.into_iter().filter(|set| !matches!(set.of.kind.as_str(), "NS" | "SOA")));
        next = page.next;
        if next.is_none() {
            return found;
        }
    }
}

fn names(sets: &[RecordSet]) -> Vec<&str> {
    sets.iter().map(|set| set.of.name.as_str()).collect()
}

pub async fn a_batch_takes_effect_as_a_whole_or_not_at_all(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    let api = set("api.example.com", "CNAME", &["one.example.net"]);
    let marker = set("_landfast-cname.api.example.com", "TXT", &["\"heritage=landfast,landfast/owner=x\""]);
    create(backend, &zone, &[&api, &marker]).await;
    let found = listed(backend, &zone).await;
    assert!(found.len() == 2 && found.iter().any(|set| set.is_as(&api)), "{found:?}");
    assert!(found.iter().any(|set| set.is_as(&marker)), "quotes are part of a TXT value: {found:?}");
    // *ChangeResourceRecordSets*: "either makes all or none of the changes in the change batch request".
    let web = set("web.example.com", "CNAME", &["two.example.net"]);
    let both = [change(RecordVerb::Create, &web), change(RecordVerb::Create, &api)];
    assert_eq!(send(backend, &zone, &both).await.unwrap_err().class, Class::Conflict);
    assert_eq!(listed(backend, &zone).await.len(), 2);
    // What was seen goes and what is wanted comes, of the same name, in one.
    let other = set("api.example.com", "CNAME", &["three.example.net"]);
    let both = [change(RecordVerb::Delete, &api), change(RecordVerb::Create, &other)];
    send(backend, &zone, &both).await.unwrap();
    let found = listed(backend, &zone).await;
    assert!(found.len() == 2 && found.iter().any(|set| set.is_as(&other)), "{found:?}");
}

pub async fn what_exists_is_not_created_and_what_differs_is_not_deleted(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    let api = set("api.example.com", "A", &["192.0.2.1"]);
    create(backend, &zone, &[&api]).await;
    let other = set("api.example.com", "A", &["192.0.2.2"]);
    if !backend.is_moto {
        // *Change*, `CREATE` is not for what exists; moto compares with what was sent before, and makes a second one.
        let error = send(backend, &zone, &[change(RecordVerb::Create, &other)]).await.unwrap_err();
        assert_eq!((error.class, error.code.as_deref()), (Class::Conflict, Some("InvalidChangeBatch")), "{error}");
    }
    // *ChangeResourceRecordSets*: "To delete a resource record set, you must specify all the same values".
    let missing = set("none.example.com", "A", &["192.0.2.1"]);
    for wrong in [&other, &missing] {
        let error = send(backend, &zone, &[change(RecordVerb::Delete, wrong)]).await.unwrap_err();
        // moto has another error for it, `InvalidInput`.
        assert!(backend.is_moto || error.class == Class::Conflict, "{error}");
    }
    assert!(listed(backend, &zone).await[0].is_as(&api));
    send(backend, &zone, &[change(RecordVerb::Upsert, &other)]).await.unwrap();
    assert!(listed(backend, &zone).await[0].is_as(&other), "an UPSERT asks nothing");
    send(backend, &zone, &[change(RecordVerb::Delete, &other)]).await.unwrap();
    assert!(listed(backend, &zone).await.is_empty());
}

pub async fn record_sets_come_back_as_they_were_written(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    let alias = |evaluate_health| RecordContent::Alias {
        dns_name: "api-1.us-east-1.elb.amazonaws.com".to_owned(),
        zone: "Z35SXDOTRQ7X7K".to_owned(),
        evaluate_health,
    };
    let weighted = |id: &str, weight| RecordSet {
        set: Some(id.to_owned()),
        routing: SetRouting::Weighted(weight),
        ..set("weighted.example.com", "CNAME", &["one.example.net"])
    };
    let failover = |id: &str, role| RecordSet {
        set: Some(id.to_owned()),
        routing: SetRouting::Failover(role),
        content: alias(role == FailoverRole::Primary),
        ..set("failover.example.com", "A", &[])
    };
    let wanted = [
        set("many.example.com", "A", &["192.0.2.1", "192.0.2.2"]),
        set("six.example.com", "AAAA", &["2001:db8::1"]),
        RecordSet { content: alias(false), ..set("example.com", "A", &[]) },
        weighted("blue", 0),
        weighted("green", 255),
        failover("first", FailoverRole::Primary),
        failover("second", FailoverRole::Secondary),
    ];
    create(backend, &zone, &wanted.iter().collect::<Vec<_>>()).await;
    let found = listed(backend, &zone).await;
    for set in &wanted {
        let same = found.iter().filter(|one| one.is_as(set)).count();
        assert_eq!(same, 1, "{set:?} in {found:?}");
    }
    assert_eq!(found.len(), wanted.len());
    // Each goes for itself, exactly as it was read; the others of its name stay.
    let blue = found.iter().find(|one| one.is_as(&wanted[3])).unwrap();
    let first = found.iter().find(|one| one.is_as(&wanted[5])).unwrap();
    send(backend, &zone, &[change(RecordVerb::Delete, blue), change(RecordVerb::Delete, first)]).await.unwrap();
    let left = listed(backend, &zone).await;
    assert_eq!(left.len(), wanted.len() - 2);
    assert!(left.iter().any(|one| one.is_as(&wanted[4])) && left.iter().any(|one| one.is_as(&wanted[6])));
}

pub async fn a_star_comes_back_as_a_star(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    // Developer Guide, *DNS domain name format*: it is returned as `\052`.
    let star = set("*.example.com", "CNAME", &["one.example.net"]);
    create(backend, &zone, &[&star]).await;
    let from = RecordsFrom { name: "*.example.com".to_owned(), kind: Some("CNAME".to_owned()), set: None };
    let page = door(backend).record_sets(&zone, Some(from)).await.unwrap();
    assert!(page.items[0].is_as(&star), "{:?}", page.items);
    send(backend, &zone, &[change(RecordVerb::Delete, &page.items[0])]).await.unwrap();
    assert!(listed(backend, &zone).await.is_empty());
}

pub async fn a_batch_is_followed_by_its_id_until_it_is_everywhere(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    let api = set("api.example.com", "CNAME", &["one.example.net"]);
    let id = send(backend, &zone, &[change(RecordVerb::Create, &api)]).await.unwrap();
    // *GetChange*: `PENDING` first. moto says `INSYNC` of everything, also of what it has never seen.
    let first = door(backend).is_in_sync(&id).await.unwrap();
    assert_eq!(first, Some(backend.is_moto));
    // *ListResourceRecordSets*: shows it at once, whether it is everywhere or not.
    assert!(listed(backend, &zone).await[0].is_as(&api));
    backend.cx.sleep(if backend.is_emulator { Duration::from_millis(50) } else { Duration::from_mins(2) }).await;
    assert_eq!(door(backend).is_in_sync(&id).await.unwrap(), Some(true));
    if !backend.is_moto {
        assert_eq!(door(backend).is_in_sync(&"C0NOSUCHCHANGE".parse().unwrap()).await.unwrap(), None);
    }
}

pub async fn record_sets_are_listed_in_order_from_a_name_on(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    let sets = [
        set("a.example.com", "A", &["192.0.2.1"]),
        set("z.a.example.com", "A", &["192.0.2.1"]),
        set("b.example.com", "A", &["192.0.2.1"]),
        set("b.example.com", "TXT", &["\"text\""]),
    ];
    create(backend, &zone, &sets.iter().collect::<Vec<_>>()).await;
    // *ListResourceRecordSets*: by labels from the last to the first, then by type.
    let found = listed(backend, &zone).await;
    assert_eq!(names(&found), ["a.example.com", "z.a.example.com", "b.example.com", "b.example.com"]);
    let from = |name: &str, kind: &str| RecordsFrom { name: name.to_owned(), kind: Some(kind.to_owned()), set: None };
    let page = door(backend).record_sets(&zone, Some(from("b.example.com", "TXT"))).await.unwrap();
    assert_eq!(page.items.iter().map(|set| set.of.kind.as_str()).collect::<Vec<_>>(), ["TXT"]);
    let page = door(backend).record_sets(&zone, Some(from("aa.example.com", "A"))).await.unwrap();
    assert_eq!(page.items[0].of, sets[2].of, "the first that is not before it");
}

pub async fn a_list_has_every_record_set_once_however_many_pages_it_takes(backend: &Backend) {
    const COUNT: usize = 320;
    let zone = backend.make_zone("example.com").await;
    let wanted: Vec<RecordSet> =
        (0..COUNT).map(|number| set(&format!("many-{number:03}.example.com"), "A", &["192.0.2.1"])).collect();
    for some in wanted.chunks(100) {
        create(backend, &zone, &some.iter().collect::<Vec<_>>()).await;
    }
    let first = door(backend).record_sets(&zone, None).await.unwrap();
    assert!(first.next.is_some() && first.items.len() < COUNT, "one page has {}", first.items.len());
    let found = listed(backend, &zone).await;
    assert_eq!(names(&found), names(&wanted));
}

pub async fn zones_are_found_by_domain_and_by_id(backend: &Backend) {
    let below = backend.make_zone("dev.example.com").await;
    let other = backend.make_zone("example.org").await;
    let zone = backend.make_zone("example.com").await;
    let port = door(backend);
    let found = port.zone(&zone).await.unwrap().unwrap();
    assert_eq!((&found.id, found.name.as_str(), found.private), (&zone, "example.com", false));
    let domain = DnsName::new("example.com");
    let found = all(|page| port.zones(&domain, page)).await;
    assert_eq!(found[0].id, zone, "{found:?}");
    if !backend.is_emulator {
        // *ListHostedZonesByName*: ordered by labels from the last to the first, so that those below a domain follow it.
        // ministack orders by the first label, moto lists only zones of exactly this name.
        let ids: Vec<_> = found.iter().map(|zone| &zone.id).collect();
        assert_eq!(ids, [&zone, &below, &other]);
    }
    let later = DnsName::new("zzz.example.org");
    let found = all(|page| port.zones(&later, page)).await;
    assert!(found.iter().all(|found| found.id != zone), "{found:?}");
}

pub async fn a_zone_that_is_missing_is_told_apart_from_one_without_the_record(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    assert!(listed(backend, &zone).await.is_empty());
    let missing: ZoneId = "Z0NOSUCHZONE".parse().unwrap();
    let port = door(backend);
    assert_eq!(port.zone(&missing).await.unwrap(), None);
    assert_eq!(port.record_sets(&missing, None).await.unwrap_err().class, Class::NotFound);
    let api = set("api.example.com", "CNAME", &["one.example.net"]);
    let error = port.change(FENCE, &missing, &[change(RecordVerb::Create, &api)], "t").await.unwrap_err();
    assert_eq!(error.class, Class::NotFound);
}

pub async fn what_dns_does_not_allow_is_refused(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    create(backend, &zone, &[&set("api.example.com", "A", &["192.0.2.1"])]).await;
    // Developer Guide, *Supported DNS record types*, CNAME; *ChangeResourceRecordSets*, errors. ministack takes anything
    // anywhere, moto looks at the zone's name only.
    let refused = [
        (set("api.example.org", "A", &["192.0.2.1"]), !backend.is_emulator || backend.is_moto),
        (set("example.com", "CNAME", &["one.example.net"]), !backend.is_emulator),
        (set("api.example.com", "CNAME", &["one.example.net"]), !backend.is_emulator),
        (set("web.example.com", "A", &["one.example.net"]), !backend.is_emulator),
        (set("text.example.com", "TXT", &["no quotes"]), !backend.is_emulator),
    ];
    for (set, is_refused) in refused.into_iter().filter(|(_, is_refused)| *is_refused) {
        let answer = send(backend, &zone, &[change(RecordVerb::Create, &set)]).await;
        assert_eq!(answer.map_err(|error| error.class), Err(Class::Invalid), "{set:?} {is_refused}");
    }
    assert_eq!(listed(backend, &zone).await.len(), 1);
}

pub async fn of_one_name_all_record_sets_are_chosen_by_one_rule(backend: &Backend) {
    let zone = backend.make_zone("example.com").await;
    let weighted = RecordSet {
        set: Some("blue".to_owned()),
        routing: SetRouting::Weighted(1),
        ..set("api.example.com", "A", &["192.0.2.1"])
    };
    create(backend, &zone, &[&weighted]).await;
    if backend.is_emulator {
        // Developer Guide, *Choosing a routing policy*: "you can't create … with the same name and type" of another rule.
        // Both emulators make them.
        return;
    }
    let simple = set("api.example.com", "A", &["192.0.2.2"]);
    let failover = RecordSet {
        set: Some("first".to_owned()),
        routing: SetRouting::Failover(FailoverRole::Primary),
        ..simple.clone()
    };
    for other in [simple, failover] {
        let error = send(backend, &zone, &[change(RecordVerb::Create, &other)]).await.unwrap_err();
        assert_eq!(error.class, Class::Invalid, "{error}");
    }
    let ids: BTreeSet<_> = listed(backend, &zone).await.into_iter().map(|set| set.set).collect();
    assert_eq!(ids, [Some("blue".to_owned())].into());
}
