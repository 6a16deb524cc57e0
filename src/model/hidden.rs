//! Which values are likely to be secret, although nothing declares them so.
//!
//! A property of a live resource is shown to people, in reports and logs, and nobody says of it what it is: a password in
//! the address of a database, a token in an environment variable. Its name may tell, or its form. What is hidden without
//! need costs a look at the console; what is shown without need cannot be taken back.

use std::sync::LazyLock;

use regex::Regex;

/// Parts of names, without hyphens and underscores, of what holds secrets.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "authkey",
    "accesskey",
    "connectionstring",
];

/// What secrets look like: a password in an address (`postgres://app:hunter2@db`), a pair in a connection string
/// (`Server=db;Pwd=hunter2`), the name of a variable for either beside its value, a private key, a JSON web token, and
/// keys that their makers have given a form to be recognised by (AWS, GitHub, Slack, Stripe, Google).
static FORMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s@]*:[^\s@]+@",
        r"(?i)\b(pwd|pass|accountkey|sharedaccesskey|sharedaccesssignature)\s*[=:]\s*\S",
        r"(?i)\b[a-z0-9_]*(database|db|redis|mongo|mongodb|amqp|broker|postgres|mysql)_?(url|uri|dsn)\b.*://[^/\s]*@",
        r"-----BEGIN [A-Z ]*PRIVATE KEY",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
        r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\b(ghp|gho|ghs|ghu|ghr)_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"\b[sr]k_(live|test)_[A-Za-z0-9]{10,}",
        r"\bAIza[A-Za-z0-9_-]{30,}",
    ];
    Regex::new(&forms.join("|")).ok()
});

/// Whether the name of a field, or a part of its path, is that of a secret.
#[must_use]
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    NAMES.iter().any(|part| name.contains(part))
}

/// Whether a value that stands at this path (parts are separated by `/`) is not to be shown. A structured value is
/// judged by the names within it.
#[must_use]
pub fn is_likely_secret(path: &str, value: &str) -> bool {
    // The name of a secret is none.
    if matches!(value, "" | "null") || value.starts_with("arn:") {
        return false;
    }
    let structured = value.trim_start().starts_with(['{', '[']);
    let looks = FORMS.as_ref().is_none_or(|forms| forms.is_match(value));
    looks || path.split('/').any(names_secret) || (structured && names_secret(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for (path, value) in [
            ("/MasterUserPassword", "hunter2"),
            ("/Environment/Variables/API_KEY", "abc"),
            ("/Environment/Variables/Client-Secret", "abc"),
            ("/ConnectionString", "anything"),
            ("/ContainerDefinitions/0", r#"{"Name":"a","Environment":[{"Name":"DB_PASSWORD","Value":"hunter2"}]}"#),
        ] {
            assert!(is_likely_secret(path, value), "{path}: {value}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_form() {
        for value in [
            "postgres://app:hunter2@db.example.com:5432/app",
            "redis://:hunter2@cache:6379/0",
            "https://user:p%40ss@example.com/x?y=z",
            "amqps://app:a/b@mq",
            "Server=db;User Id=app;Pwd=hunter2;",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc==",
            r#"[{"Name":"DATABASE_URL","Value":"postgres://app:hunter2@db/app"}]"#,
            r#"{"REDIS_URL":"rediss://onlyatoken@cache:6379"}"#,
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "xoxb-1234567890-abcdefghij",
        ] {
            assert!(is_likely_secret("/Value", value), "{value}");
        }
    }

    #[test]
    fn what_is_none_is_shown() {
        for (path, value) in [
            ("/Engine", "postgres"),
            ("/Endpoint", "https://example.com/a:b/c@d"),
            ("/Endpoint", "postgres://db.example.com:5432/app"),
            ("/Image", "111122223333.dkr.ecr.eu-central-1.amazonaws.com/app:1.2.3@sha256:0123"),
            ("/Email", "mailto:ada@example.com"),
            ("/Arn", "arn:aws:kms:eu-central-1:111122223333:key/0b1c"),
            ("/KmsMasterKeyId", "alias/aws/sns"),
            ("/Tags/0/Value", "compass: north"),
            ("/Password", ""),
            ("/SecretArn", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:app-AbCdEf"),
        ] {
            assert!(!is_likely_secret(path, value), "{path}: {value}");
        }
    }
}
