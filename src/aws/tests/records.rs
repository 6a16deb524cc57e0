//! Route 53 on the wire.

use std::sync::Arc;

use crate::aws::wire::{Answer, FENCE, Wire, refusal, scope};
use crate::model::{
    DnsName, FailoverRole, RecordChange, RecordContent, RecordSet, RecordVerb, RecordsOf, SetRouting, ZoneId,
};
use crate::ports::{Class, Cloud as _, PortError, Records, RecordsFrom};

const SPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

fn answer(operation: &str, inner: &str) -> Answer {
    Answer::Http(
        200,
        format!("<?xml version=\"1.0\"?><{operation}Response xmlns=\"{SPACE}\">{inner}</{operation}Response>"),
    )
}

async fn records(wire: &Wire) -> Arc<dyn Records> {
    wire.cloud(None).await.records(&scope(), None)
}

fn zone() -> ZoneId {
    "Z111111QQQQQQQ".parse().unwrap()
}

fn of(name: &str, kind: &str) -> RecordsOf {
    RecordsOf { name: DnsName::new(name), kind: kind.to_owned() }
}

fn set(kind: &str, content: RecordContent) -> RecordSet {
    RecordSet { of: of("api.example.com", kind), set: None, content, routing: SetRouting::Simple, health_check: None }
}

fn values(values: &[&str]) -> RecordContent {
    RecordContent::Values { values: values.iter().map(|value| (*value).to_owned()).collect(), ttl: 60 }
}

fn alias(evaluate_health: bool) -> RecordContent {
    RecordContent::Alias {
        dns_name: "api-1.us-east-1.elb.amazonaws.com".to_owned(),
        zone: "Z35SXDOTRQ7X7K".to_owned(),
        evaluate_health,
    }
}

fn change(verb: RecordVerb, set: RecordSet) -> RecordChange {
    RecordChange { verb, set }
}

/// A document, one element in a line.
fn lines(document: &str) -> String {
    document.replace("><", ">\n<")
}

fn accepted() -> Answer {
    let info = "<ChangeInfo><Id>/change/C2682N5HXP0BZ4</Id><Status>PENDING</Status>\
                <SubmittedAt>2026-01-01T00:00:00.000Z</SubmittedAt></ChangeInfo>";
    answer("ChangeResourceRecordSets", info)
}

#[tokio::test]
async fn a_batch_is_one_request_that_carries_our_name_for_it() {
    let wire = Wire::answering([accepted()]);
    let marker = RecordSet {
        of: of("_landfast-cname.api.example.com", "TXT"),
        ..set("TXT", values(&["\"heritage=landfast,landfast/owner=dev/dnsrecord/api\""]))
    };
    let changes = [
        change(RecordVerb::Delete, set("CNAME", values(&["old.example.net"]))),
        change(RecordVerb::Create, set("CNAME", values(&["new.example.net"]))),
        change(RecordVerb::Upsert, marker),
    ];
    let id = records(&wire).await.change(FENCE, &zone(), &changes, "landfast-token").await.unwrap();
    assert_eq!(id.as_str(), "C2682N5HXP0BZ4");
    let sent = wire.sent();
    assert_eq!((sent.len(), path(&sent[0].uri)), (1, "/2013-04-01/hostedzone/Z111111QQQQQQQ/rrset"));
    insta::assert_snapshot!(lines(&sent[0].body), @r#"
    <ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
    <ChangeBatch>
    <Comment>landfast-token</Comment>
    <Changes>
    <Change>
    <Action>DELETE</Action>
    <ResourceRecordSet>
    <Name>api.example.com</Name>
    <Type>CNAME</Type>
    <TTL>60</TTL>
    <ResourceRecords>
    <ResourceRecord>
    <Value>old.example.net</Value>
    </ResourceRecord>
    </ResourceRecords>
    </ResourceRecordSet>
    </Change>
    <Change>
    <Action>CREATE</Action>
    <ResourceRecordSet>
    <Name>api.example.com</Name>
    <Type>CNAME</Type>
    <TTL>60</TTL>
    <ResourceRecords>
    <ResourceRecord>
    <Value>new.example.net</Value>
    </ResourceRecord>
    </ResourceRecords>
    </ResourceRecordSet>
    </Change>
    <Change>
    <Action>UPSERT</Action>
    <ResourceRecordSet>
    <Name>_landfast-cname.api.example.com</Name>
    <Type>TXT</Type>
    <TTL>60</TTL>
    <ResourceRecords>
    <ResourceRecord>
    <Value>&quot;heritage=landfast,landfast/owner=dev/dnsrecord/api&quot;</Value>
    </ResourceRecord>
    </ResourceRecords>
    </ResourceRecordSet>
    </Change>
    </Changes>
    </ChangeBatch>
    </ChangeResourceRecordSetsRequest>
    "#);
}

#[tokio::test]
async fn every_sort_of_record_set_is_written_as_route_53_wants_it() {
    let weighted = RecordSet {
        set: Some("blue".to_owned()),
        routing: SetRouting::Weighted(10),
        ..set("A", values(&["192.0.2.1", "192.0.2.2"]))
    };
    let primary = RecordSet {
        set: Some("first".to_owned()),
        routing: SetRouting::Failover(FailoverRole::Primary),
        health_check: Some("abcdef11-2222-3333-4444-555555fedcba".to_owned()),
        ..set("AAAA", alias(true))
    };
    let secondary = RecordSet {
        set: Some("second".to_owned()),
        routing: SetRouting::Failover(FailoverRole::Secondary),
        ..set("AAAA", alias(false))
    };
    let star = RecordSet { of: of("\\052.example.com.", "CNAME"), ..set("CNAME", values(&["a.example.net"])) };
    let wire = Wire::answering([accepted()]);
    let changes = [weighted, primary, secondary, star].map(|set| change(RecordVerb::Create, set));
    records(&wire).await.change(FENCE, &zone(), &changes, "t").await.unwrap();
    insta::assert_snapshot!(lines(&wire.sent()[0].body), @r#"
    <ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
    <ChangeBatch>
    <Comment>t</Comment>
    <Changes>
    <Change>
    <Action>CREATE</Action>
    <ResourceRecordSet>
    <Name>api.example.com</Name>
    <Type>A</Type>
    <SetIdentifier>blue</SetIdentifier>
    <Weight>10</Weight>
    <TTL>60</TTL>
    <ResourceRecords>
    <ResourceRecord>
    <Value>192.0.2.1</Value>
    </ResourceRecord>
    <ResourceRecord>
    <Value>192.0.2.2</Value>
    </ResourceRecord>
    </ResourceRecords>
    </ResourceRecordSet>
    </Change>
    <Change>
    <Action>CREATE</Action>
    <ResourceRecordSet>
    <Name>api.example.com</Name>
    <Type>AAAA</Type>
    <SetIdentifier>first</SetIdentifier>
    <Failover>PRIMARY</Failover>
    <AliasTarget>
    <HostedZoneId>Z35SXDOTRQ7X7K</HostedZoneId>
    <DNSName>api-1.us-east-1.elb.amazonaws.com</DNSName>
    <EvaluateTargetHealth>true</EvaluateTargetHealth>
    </AliasTarget>
    <HealthCheckId>abcdef11-2222-3333-4444-555555fedcba</HealthCheckId>
    </ResourceRecordSet>
    </Change>
    <Change>
    <Action>CREATE</Action>
    <ResourceRecordSet>
    <Name>api.example.com</Name>
    <Type>AAAA</Type>
    <SetIdentifier>second</SetIdentifier>
    <Failover>SECONDARY</Failover>
    <AliasTarget>
    <HostedZoneId>Z35SXDOTRQ7X7K</HostedZoneId>
    <DNSName>api-1.us-east-1.elb.amazonaws.com</DNSName>
    <EvaluateTargetHealth>false</EvaluateTargetHealth>
    </AliasTarget>
    </ResourceRecordSet>
    </Change>
    <Change>
    <Action>CREATE</Action>
    <ResourceRecordSet>
    <Name>*.example.com</Name>
    <Type>CNAME</Type>
    <TTL>60</TTL>
    <ResourceRecords>
    <ResourceRecord>
    <Value>a.example.net</Value>
    </ResourceRecord>
    </ResourceRecords>
    </ResourceRecordSet>
    </Change>
    </Changes>
    </ChangeBatch>
    </ChangeResourceRecordSetsRequest>
    "#);
}

fn path(uri: &str) -> &str {
    let (_, rest) = uri.split_once("amazonaws.com").unwrap();
    rest.split('?').next().unwrap()
}

fn queried(uri: &str) -> &str {
    uri.split_once('?').unwrap().1
}

#[tokio::test]
async fn record_sets_are_read_page_by_page_whatever_they_are() {
    let first = "<ResourceRecordSets>\
        <ResourceRecordSet><Name>example.com.</Name><Type>SOA</Type><TTL>900</TTL>\
        <ResourceRecords><ResourceRecord><Value>ns. host. 1 7200 900 1209600 86400</Value></ResourceRecord>\
        </ResourceRecords></ResourceRecordSet>\
        <ResourceRecordSet><Name>\\052.example.com.</Name><Type>A</Type><SetIdentifier>Blue 1</SetIdentifier>\
        <Weight>0</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>\
        <ResourceRecord><Value>192.0.2.2</Value></ResourceRecord></ResourceRecords>\
        <HealthCheckId>abcdef11-2222-3333-4444-555555fedcba</HealthCheckId></ResourceRecordSet>\
        </ResourceRecordSets><IsTruncated>true</IsTruncated><NextRecordName>api.example.com.</NextRecordName>\
        <NextRecordType>A</NextRecordType><NextRecordIdentifier>first</NextRecordIdentifier><MaxItems>300</MaxItems>";
    let second = "<ResourceRecordSets>\
        <ResourceRecordSet><Name>api.example.com.</Name><Type>A</Type><SetIdentifier>first</SetIdentifier>\
        <Failover>PRIMARY</Failover><AliasTarget><HostedZoneId>Z35SXDOTRQ7X7K</HostedZoneId>\
        <DNSName>dualstack.api-1.us-east-1.elb.amazonaws.com.</DNSName>\
        <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>\
        <ResourceRecordSet><Name>geo.example.com.</Name><Type>A</Type><SetIdentifier>eu</SetIdentifier>\
        <GeoLocation><ContinentCode>EU</ContinentCode></GeoLocation><TTL>60</TTL><ResourceRecords><ResourceRecord>\
        <Value>192.0.2.3</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
        </ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>";
    let wire = Wire::answering([answer("ListResourceRecordSets", first), answer("ListResourceRecordSets", second)]);
    let port = records(&wire).await;
    let page = port.record_sets(&zone(), None).await.unwrap();
    assert_eq!(page.items[1].of, of("*.example.com", "A"));
    assert_eq!(page.items[1].routing, SetRouting::Weighted(0));
    assert_eq!(page.items[1].set.as_deref(), Some("Blue 1"));
    assert_eq!(page.items[1].content, values(&["192.0.2.1", "192.0.2.2"]));
    assert!(page.items[1].health_check.is_some());
    let next = page.next.clone();
    let from =
        RecordsFrom { name: "api.example.com.".to_owned(), kind: Some("A".to_owned()), set: Some("first".to_owned()) };
    assert_eq!(next, Some(from));
    let page = port.record_sets(&zone(), next).await.unwrap();
    assert_eq!(page.next, None);
    assert_eq!(page.items[0].routing, SetRouting::Failover(FailoverRole::Primary));
    // As AWS says it, to the letter: what is deleted later must be exactly this.
    let RecordContent::Alias { dns_name, evaluate_health, .. } = &page.items[0].content else { panic!() };
    assert_eq!((dns_name.as_str(), *evaluate_health), ("dualstack.api-1.us-east-1.elb.amazonaws.com.", true));
    assert!(page.items[0].content.says_the_same(&alias(true), "A"));
    assert_eq!(page.items[1].routing, SetRouting::Other("geolocation".to_owned()));
    let sent = wire.sent();
    assert!(!sent[0].uri.contains("name="));
    assert_eq!(queried(&sent[1].uri), "name=api.example.com.&type=A&identifier=first");
}

#[tokio::test]
async fn zones_are_read_page_by_page_from_a_name_on() {
    let zone = |id: &str, name: &str, rest: &str| {
        format!(
            "<HostedZone><Id>/hostedzone/{id}</Id><Name>{name}</Name><CallerReference>r</CallerReference>{rest}\
             </HostedZone>"
        )
    };
    let public = zone(
        "Z1",
        "example.com.",
        "<Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>42</ResourceRecordSetCount>",
    );
    let private = zone("Z2", "Api.example.com.", "<Config><PrivateZone>true</PrivateZone></Config>");
    let first = format!(
        "<HostedZones>{public}</HostedZones><DNSName>example.com.</DNSName><IsTruncated>true</IsTruncated>\
         <NextDNSName>api.example.com.</NextDNSName><NextHostedZoneId>Z2</NextHostedZoneId><MaxItems>100</MaxItems>"
    );
    let second =
        format!("<HostedZones>{private}</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>");
    let wire = Wire::answering([
        answer("ListHostedZonesByName", &first),
        answer("ListHostedZonesByName", &second),
        answer("GetHostedZone", &public),
        refusal(404, "NoSuchHostedZone", "No hosted zone found with ID: Z9"),
    ]);
    let port = records(&wire).await;
    let domain = DnsName::new("example.com");
    let page = port.zones(&domain, None).await.unwrap();
    assert_eq!((page.items[0].id.as_str(), page.items[0].records, page.items[0].private), ("Z1", 42, false));
    let page = port.zones(&domain, page.next).await.unwrap();
    assert_eq!((page.items[0].name.as_str(), page.items[0].private, page.next), ("api.example.com", true, None));
    // Not saying how many record sets there are is no reason to think that there are few.
    assert_eq!(page.items[0].records, u64::MAX);
    let found = port.zone(&"Z1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.name.as_str()), ("Z1", "example.com"));
    assert_eq!(port.zone(&"Z9".parse().unwrap()).await.unwrap(), None);
    let sent = wire.sent();
    assert_eq!(queried(&sent[0].uri), "dnsname=example.com");
    assert_eq!(queried(&sent[1].uri), "dnsname=api.example.com.&hostedzoneid=Z2");
    assert_eq!(path(&sent[2].uri), "/2013-04-01/hostedzone/Z1");
}

#[tokio::test]
async fn a_list_that_does_not_say_where_it_goes_on_is_not_taken_for_a_whole_one() {
    let cut = "<ResourceRecordSets/><IsTruncated>true</IsTruncated><MaxItems>300</MaxItems>";
    let zones = "<HostedZones/><IsTruncated>true</IsTruncated><MaxItems>100</MaxItems>";
    let wire = Wire::answering([answer("ListResourceRecordSets", cut), answer("ListHostedZonesByName", zones)]);
    let port = records(&wire).await;
    assert_eq!(port.record_sets(&zone(), None).await.unwrap_err().class, Class::Transient);
    assert_eq!(port.zones(&DnsName::new("example.com"), None).await.unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn a_change_is_asked_for_by_its_id() {
    let info = |status: &str| {
        let info = format!(
            "<ChangeInfo><Id>/change/C1</Id><Status>{status}</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>\
             </ChangeInfo>"
        );
        answer("GetChange", &info)
    };
    let gone = refusal(404, "NoSuchChange", "Could not find resource with ID: C1");
    let wire = Wire::answering([info("PENDING"), info("INSYNC"), gone, info("ODD")]);
    let port = records(&wire).await;
    let id = "C1".parse().unwrap();
    assert_eq!(port.is_in_sync(&id).await.unwrap(), Some(false));
    assert_eq!(port.is_in_sync(&id).await.unwrap(), Some(true));
    assert_eq!(port.is_in_sync(&id).await.unwrap(), None);
    assert_eq!(port.is_in_sync(&id).await.unwrap_err().class, Class::Transient);
    assert_eq!(path(&wire.sent()[0].uri), "/2013-04-01/change/C1");
}

async fn refused(answer: Answer) -> PortError {
    let wire = Wire::answering([answer]);
    let changes = [change(RecordVerb::Create, set("CNAME", values(&["a.example.net"])))];
    records(&wire).await.change(FENCE, &zone(), &changes, "t").await.unwrap_err()
}

#[tokio::test]
async fn a_refused_batch_says_what_is_wrong_in_whichever_form_route_53_says_it() {
    let exists = "Tried to create resource record set [name='api.example.com.', type='CNAME'] but it already exists";
    let apex = "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.";
    // As it answers since 2024.
    let error = refused(refusal(400, "InvalidChangeBatch", &format!("[{exists}]"))).await;
    assert_eq!((error.class, error.message.as_str()), (Class::Conflict, format!("[{exists}]").as_str()));
    // As its API reference shows it, and as it answered before.
    let listed = |messages: &[&str]| {
        let messages = messages.iter().map(|text| format!("<Message>{}</Message>", text.replace('\'', "&apos;")));
        let messages = messages.collect::<Vec<_>>().concat();
        Answer::Http(
            400,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><InvalidChangeBatch xmlns=\"{SPACE}\">\
                 <Messages>{messages}</Messages><RequestId>req-1</RequestId></InvalidChangeBatch>"
            ),
        )
    };
    let error = refused(listed(&[exists])).await;
    assert_eq!((error.class, error.message.as_str()), (Class::Conflict, exists));
    assert_eq!(error.code.as_deref(), Some("InvalidChangeBatch"));
    let error = refused(listed(&[exists, apex])).await;
    assert_eq!((error.class, error.message), (Class::Invalid, format!("{exists}, {apex}")));
}

#[tokio::test]
async fn every_other_refusal_of_a_batch_has_its_class() {
    let rows = [
        (refusal(400, "PriorRequestNotComplete", "still processing a prior request"), Class::Throttled),
        (refusal(400, "Throttling", "Rate exceeded"), Class::Throttled),
        (refusal(404, "NoSuchHostedZone", "No hosted zone found with ID: Z1"), Class::NotFound),
        (refusal(404, "NoSuchHealthCheck", "No health check exists with the specified ID"), Class::NotFound),
        (refusal(400, "InvalidInput", "Invalid request: …"), Class::Invalid),
        (refusal(403, "AccessDenied", "User: x is not authorized to perform: route53:Change…"), Class::Denied),
        (Answer::Http(503, String::new()), Class::Transient),
        (Answer::Broken, Class::Transient),
    ];
    for (answer, expected) in rows {
        let shown = format!("{answer:?}");
        let error = refused(answer).await;
        assert_eq!(error.class, expected, "{shown}: {error:?}");
    }
}
