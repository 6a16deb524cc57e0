//! Who has made a difference, as far as the trail tells.

use jiff::Timestamp;

use crate::model::{By, Deed};

/// The service by which stacks change their resources: what it does is not done past them.
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";

/// The last call that changed the resource before the difference was found, unless it was its stack's.
#[must_use]
pub fn culprit(deeds: Result<Vec<Deed>, String>, found: Timestamp) -> By {
    let deeds = match deeds {
        Ok(deeds) => deeds,
        Err(why) => return By::NotKnown(format!("the event history could not be read: {why}")),
    };
    let past = deeds
        .into_iter()
        .filter(|deed| !deed.reads && deed.at <= found && deed.from.as_deref() != Some(CLOUDFORMATION));
    match past.max_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id))) {
        Some(deed) => By::Somebody(Box::new(deed)),
        None => By::NotKnown("CloudTrail shows no call that changed it (it may lag a few minutes)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(id: &str, at: &str, from: &str, reads: bool) -> Deed {
        Deed {
            id: id.to_owned(),
            at: format!("2026-03-02T{at}Z").parse().unwrap(),
            actor: "somebody".to_owned(),
            from: Some(from.to_owned()),
            call: "UpdateTable".to_owned(),
            reads,
        }
    }

    #[test]
    fn it_was_whoever_changed_it_last_and_neither_a_reader_nor_its_stack() {
        let deeds = vec![
            deed("later", "12:30:00", "203.0.113.7", false),
            deed("read", "11:59:00", "203.0.113.7", true),
            deed("stack", "11:58:00", CLOUDFORMATION, false),
            deed("this", "11:57:00", "203.0.113.7", false),
            deed("earlier", "10:00:00", "203.0.113.8", false),
        ];
        let found = "2026-03-02T12:00:00Z".parse().unwrap();
        assert!(matches!(culprit(Ok(deeds), found), By::Somebody(deed) if deed.id == "this"));
        assert!(matches!(culprit(Ok(Vec::new()), found), By::NotKnown(_)));
        assert!(matches!(culprit(Err("denied".to_owned()), found), By::NotKnown(why) if why.contains("denied")));
    }
}
