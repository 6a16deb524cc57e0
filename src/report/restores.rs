//! Of a backup policy: which tables are restored, and what restore tests have measured.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::words::{between, clean, count, duration, time};
use crate::model::{BackupMemory, Counted, Proof, Restore};

/// What is remembered of restores and restore tests.
pub(super) fn told(memory: &BackupMemory, now: Timestamp) -> String {
    let mut text = String::new();
    if !memory.proofs.is_empty() {
        text.push_str("\nResults of the latest restore tests:\n");
        for (table, proof) in &memory.proofs {
            let _ = writeln!(text, "  {table}: {}", proven(proof));
        }
    }
    if !memory.restores.is_empty() {
        text.push_str("\nRestores:\n");
        for (to, restore) in &memory.restores {
            let (table, from, stands) = (&restore.table, &restore.from, stands(restore, now));
            let _ = if restore.is_in_place() {
                writeln!(text, "  {table} in place as of {from}: {stands}")
            } else {
                writeln!(text, "  {table} as of {from} to {to}: {stands}")
            };
        }
    }
    text
}

fn span(seconds: u64) -> String {
    duration(std::time::Duration::from_secs(seconds))
}

fn proven(proof: &Proof) -> String {
    let mut text = match &proof.failed {
        None => format!("verified at {}", time(proof.at)),
        Some(why) => format!("verification FAILED at {}: {}", time(proof.at), clean(why)),
    };
    if let Some(took) = proof.took {
        let _ = write!(text, "; restore took {} (RTO)", span(took));
    }
    if let Some(loss) = proof.loss {
        let _ = write!(text, "; data loss would be {} (RPO)", span(loss));
    }
    if let Some(age) = proof.age {
        let _ = write!(text, "; the recovery point was {} old", span(age));
    }
    if let Some(compared) = &proof.compared {
        let _ = write!(text, "; {compared}");
    }
    text
}

/// How many items a table was counted to have, in words.
#[must_use]
pub fn items(counted: &Counted) -> String {
    let least = if counted.whole { "" } else { "at least " };
    format!("{least}{}", count(usize::try_from(counted.items).unwrap_or(usize::MAX), "item"))
}

fn stands(restore: &Restore, now: Timestamp) -> String {
    let compared = match (&restore.items, &restore.compared) {
        (Some(counted), _) => format!("; {}", items(counted)),
        (None, compared) => compared.as_ref().map(|compared| format!("; {compared}")).unwrap_or_default(),
    };
    let settings = restore.settings.as_ref().map(|from| format!("; settings from {}", clean(from))).unwrap_or_default();
    match (&restore.ended, restore.begun) {
        (Some((at, None)), _) => {
            let took = restore.took().map(|took| format!("; restore took {}", span(took))).unwrap_or_default();
            format!("done at {}{took}{compared}{settings}", time(*at))
        }
        (Some((at, Some(why))), _) => format!("FAILED at {}: {}", time(*at), clean(why)),
        (None, None) if restore.replaced.is_some() => format!("the empty table is being replaced{settings}"),
        (None, None) => "requested".to_owned(),
        (None, Some(begun)) => format!("in progress for {}{compared}{settings}", duration(between(begun, now))),
    }
}
