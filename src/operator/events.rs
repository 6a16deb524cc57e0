//! `[events]`: the queue that AWS's events arrive in, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use url::{Host, Url};

use crate::model::{AccountId, EventQueue, Region, Scope};

/// What the host of a queue ends with, after its region, and what the region's name begins with there.
const PARTITIONS: [(&str, &str); 3] =
    [(".amazonaws.com", ""), (".amazonaws.com.cn", "cn-"), (".amazonaws.eu", "eusc-")];

/// Events of AWS. The daemon reads them from an SQS queue to see changes within seconds and to poll less often.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Events")]
pub(super) struct EventsDocument {
    /// URL of the queue: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    #[schemars(with = "String")]
    queue: Spanned<String>,
    /// Region of the queue of an emulator, whose URL does not contain it: `http://127.0.0.1:4566/ACCOUNT/NAME`.
    #[schemars(with = "Option<String>")]
    region: Option<Spanned<String>>,
}

/// The queue; or what is wrong with it, and where.
pub(super) fn queue(document: EventsDocument) -> Result<EventQueue, (usize, String)> {
    let (at, text) = (document.queue.span().start, document.queue.into_inner());
    let wrong = |why: &str| (at, format!("`{text}` is not the URL of an SQS queue: {why}"));
    let url = Url::parse(&text).map_err(|error| wrong(&error.to_string()))?;
    let host = url.host().ok_or_else(|| wrong("it has no host"))?;
    let (account, name) = path(url.path()).ok_or_else(|| wrong("its path must be /ACCOUNT/NAME"))?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !is_plain {
        return Err(wrong("it must not contain credentials, a query or a fragment"));
    }
    if name.strip_suffix(".fifo").is_some() {
        return Err(wrong(
            "FIFO queues are not supported, because one message that cannot be read stops the ones behind it",
        ));
    }
    let is_name = (1..=80).contains(&name.len());
    let is_name = is_name && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_name {
        return Err(wrong("the name of a queue has 1 to 80 letters, digits, hyphens and underscores"));
    }
    let region = match (url.scheme(), host, document.region) {
        ("https", Host::Domain(host), None) => of_host(host)
            .filter(|_| url.port().is_none())
            .ok_or_else(|| wrong("its host must be sqs.REGION.amazonaws.com"))?,
        ("https", _, Some(region)) => {
            let why = "`region` is only for the queue of an emulator; the URL of any other queue contains it";
            return Err((region.span().start, why.to_owned()));
        }
        ("http", host, Some(region)) if is_local(&host) => {
            let at = region.span().start;
            region.into_inner().parse().map_err(|error: crate::model::InvalidName| (at, error.to_string()))?
        }
        ("http", host, None) if is_local(&host) => {
            return Err(wrong("it does not contain a region; set `region` as well"));
        }
        _ => return Err(wrong("it must begin with https:// (http:// only for an emulator on this machine)")),
    };
    Ok(EventQueue { scope: Scope { account, region }, url: text })
}

fn path(path: &str) -> Option<(AccountId, &str)> {
    let (account, name) = path.strip_prefix('/')?.split_once('/')?;
    Some((account.parse().ok()?, name)).filter(|(_, name)| !name.contains('/'))
}

/// The region of `sqs.REGION.amazonaws.com`, or of what it is in another partition.
fn of_host(host: &str) -> Option<Region> {
    let rest = host.strip_prefix("sqs.").or_else(|| host.strip_prefix("sqs-fips."))?;
    PARTITIONS.iter().find_map(|(end, start)| {
        rest.strip_suffix(end).filter(|region| region.starts_with(start)).and_then(|region| region.parse().ok())
    })
}

fn is_local(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => *name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    fn of(lines: &str) -> Result<(String, String, String), String> {
        let operator = read("landfast.toml", &format!("[events]\n{lines}\n")).map_err(|wrong| wrong.to_string())?;
        let queue = operator.events().unwrap();
        Ok((queue.url.clone(), queue.scope.account.to_string(), queue.scope.region.to_string()))
    }

    #[test]
    fn the_url_of_a_queue_says_its_account_and_region() {
        for (url, region) in [
            ("https://sqs.eu-central-1.amazonaws.com/111122223333/landfast", "eu-central-1"),
            ("https://sqs-fips.us-east-1.amazonaws.com/111122223333/landfast-events_1", "us-east-1"),
            ("https://sqs.us-gov-west-1.amazonaws.com/111122223333/landfast", "us-gov-west-1"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/landfast", "cn-north-1"),
            ("https://sqs.eusc-de-east-1.amazonaws.eu/111122223333/landfast", "eusc-de-east-1"),
        ] {
            let found = of(&format!("queue = '{url}'")).unwrap();
            assert_eq!(found, (url.to_owned(), "111122223333".to_owned(), region.to_owned()));
        }
        for host in ["127.0.0.1:4566", "localhost:4566", "[::1]:4566"] {
            let url = format!("http://{host}/111122223333/landfast");
            assert_eq!(of(&format!("queue = '{url}'\nregion = 'eu-west-1'")).unwrap().2, "eu-west-1");
        }
        assert!(read("landfast.toml", "").unwrap().events().is_none());
    }

    #[test]
    fn what_is_not_a_queue_is_an_error_at_its_place() {
        let https = "queue = 'https://sqs.us-east-1.amazonaws.com/111122223333/landfast'";
        let local = "queue = 'http://127.0.0.1:4566/111122223333/landfast'";
        for (lines, line, words) in [
            ("queue = 'landfast'", 2, "not the URL of an SQS queue"),
            ("queue = 'arn:aws:sqs:us-east-1:111122223333:landfast'", 2, "it has no host"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/landfast'", 2, "/ACCOUNT/NAME"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/1111/landfast'", 2, "/ACCOUNT/NAME"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/111122223333/landfast/'", 2, "/ACCOUNT/NAME"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/111122223333/'", 2, "1 to 80"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/111122223333/l%C3%A9'", 2, "1 to 80"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/111122223333/landfast.fifo'", 2, "FIFO"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com/111122223333/landfast?a=b'", 2, "query"),
            ("queue = 'https://a:b@sqs.us-east-1.amazonaws.com/111122223333/landfast'", 2, "credentials"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com:444/111122223333/landfast'", 2, "sqs.REGION"),
            ("queue = 'https://sqs.us-east-1.amazonaws.com.cn/111122223333/landfast'", 2, "sqs.REGION"),
            ("queue = 'https://sqs.amazonaws.com/111122223333/landfast'", 2, "sqs.REGION"),
            ("queue = 'https://sqs.us-east-1.example.com/111122223333/landfast'", 2, "sqs.REGION"),
            ("queue = 'http://sqs.us-east-1.amazonaws.com/111122223333/landfast'", 2, "https://"),
            ("queue = 'http://10.0.0.1/111122223333/landfast'\nregion = 'us-east-1'", 2, "https://"),
            ("queue = 'file:///111122223333/landfast'", 2, "no host"),
            (local, 2, "set `region`"),
            (&format!("{local}\nregion = 'moon'"), 3, "not an AWS region"),
            (&format!("{https}\nregion = 'us-east-1'"), 3, "only for the queue of an emulator"),
            (&format!("{https}\nurl = 'x'"), 3, "unknown field `url`"),
            ("", 1, "missing field `queue`"),
            ("queue = 7", 2, "expected a string"),
        ] {
            let error = of(lines).unwrap_err();
            let place = error.contains(&format!("landfast.toml:{line}")) || error.contains(&format!("line {line}"));
            assert!(place && error.contains(words), "{lines}: {error}");
        }
    }
}
