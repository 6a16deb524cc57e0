//! `[[notify]]`: where people are told, as it is written.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::model::{Destination, NoticeForm, NoticeKind, SecretRef, Urgency};

/// Where notifications are sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub(super) struct NotifyDocument {
    /// A name, for messages and for `landfast notify test`: lowercase letters, digits and hyphens.
    #[schemars(with = "String")]
    name: Spanned<String>,
    /// `slack`: an incoming webhook. `teams`: a webhook of Microsoft Teams (Workflows). `webhook`: any other program, by the
    /// Standard Webhooks specification.
    to: NoticeForm,
    /// Where its address is. The address is a secret.
    url: PlaceDocument,
    /// Only for `webhook`: where the keys are that messages are signed with (`whsec_…`). With two keys, every message has two
    /// signatures, so that a key can be replaced.
    #[serde(default)]
    keys: Vec<PlaceDocument>,
    /// Names of environments; default: all. `*` matches any text, `?` one character.
    #[serde(default = "everywhere")]
    environments: Vec<String>,
    /// What is sent; default: everything.
    #[serde(default)]
    kinds: Option<BTreeSet<NoticeKind>>,
    /// The least urgent notification that is sent; default `info`.
    #[serde(default = "anything")]
    urgency: Urgency,
}

/// Where a secret is: in a file or in an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SecretPlace")]
struct PlaceDocument {
    /// File with the secret. It is read again for every message.
    file: Option<PathBuf>,
    /// Environment variable with the secret.
    env: Option<String>,
}

fn everywhere() -> Vec<String> {
    vec!["*".to_owned()]
}

const fn anything() -> Urgency {
    Urgency::Info
}

fn place(field: &str, place: PlaceDocument) -> Result<SecretRef, String> {
    match (place.file, place.env) {
        (Some(file), None) => Ok(SecretRef::File(file)),
        (None, Some(name)) => Ok(SecretRef::Value { name, value: None }),
        _ => Err(format!("`{field}` needs either `file` or `env`")),
    }
}

/// Everywhere where people are told; or what is wrong with it, and where.
pub(super) fn destinations(documents: Vec<NotifyDocument>) -> Result<Vec<Destination>, (usize, String)> {
    let mut destinations: Vec<Destination> = Vec::new();
    for document in documents {
        let (at, name) = (document.name.span().start, document.name.into_inner());
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(legal) {
            return Err((at, format!("`{name}` is not a name of lowercase letters, digits and hyphens")));
        }
        if destinations.iter().any(|known| known.name == name) {
            return Err((at, format!("there are two destinations named `{name}`")));
        }
        let wrong = |why: String| (at, format!("notify `{name}`: {why}"));
        let signs = document.to == NoticeForm::Webhook;
        if signs == document.keys.is_empty() {
            let why =
                if signs { "`keys` are required for a webhook" } else { "`keys` are only for `to = \"webhook\"`" };
            return Err(wrong(why.to_owned()));
        }
        let url = place("url", document.url).map_err(wrong)?;
        let keys = document.keys.into_iter().map(|key| place("keys", key)).collect::<Result<_, _>>().map_err(wrong)?;
        destinations.push(Destination {
            form: document.to,
            url,
            keys,
            environments: document.environments,
            kinds: document.kinds.unwrap_or_else(|| NoticeKind::ALL.into()),
            least: document.urgency,
            name,
        });
    }
    Ok(destinations)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn everything_of_a_destination_is_read() {
        let text = "[[notify]]\nname = 'chat'\nto = 'slack'\nurl = { file = '/run/url' }\nenvironments = ['prod*']\n\
            kinds = ['stalled', 'dataAtRisk']\nurgency = 'critical'\n[[notify]]\nname = 'pager'\nto = 'webhook'\n\
            url = { env = 'PAGER_URL' }\nkeys = [{ file = '/new' }, { file = '/old' }]\n";
        let operator = read("landfast.toml", text).unwrap();
        let [chat, pager] = operator.destinations() else { panic!("{:?}", operator.destinations()) };
        assert_eq!((chat.form, chat.kinds.len(), chat.least), (NoticeForm::Slack, 2, Urgency::Critical));
        assert_eq!((pager.keys.len(), pager.environments.as_slice()), (2, &["*".to_owned()][..]));
        assert_eq!(pager.kinds.len(), NoticeKind::ALL.len());
    }

    #[test]
    fn what_is_wrong_with_a_destination_is_said_with_its_line() {
        let good = "[[notify]]\nname = 'chat'\nto = 'slack'\nurl = { file = '/u' }\n";
        for (text, place, words) in [
            (good.replace("slack", "irc"), "line 3", "unknown variant `irc`"),
            (good.replace("'chat'", "'My Chat'"), "landfast.toml:2", "lowercase letters"),
            (format!("{good}{good}"), "landfast.toml:6", "two destinations"),
            (good.replace("file = '/u'", ""), "landfast.toml:2", "either `file` or `env`"),
            (good.replace("{ file = '/u' }", "'https://hooks.example.com/canary'"), "line 4", "invalid type"),
            (good.replace("slack", "webhook"), "landfast.toml:2", "`keys` are required"),
            (format!("{good}keys = [{{ file = '/k' }}]\n"), "landfast.toml:2", "only for"),
            (format!("{good}kinds = ['failure']\n"), "line 5", "unknown variant"),
        ] {
            let error = read("landfast.toml", &text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(words), "{text}: {error}");
        }
    }
}
