//! Which commit has which state, and which of them the Git host has yet to be told.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Told, Wanted};
use crate::cli::manifests::Manifests;
use crate::forge::{Mark, State};
use crate::model::{EnvName, Revision, SourceName};
use crate::report::{self, Standing};

/// How soon a state is written again of which only the words have changed.
const WORDS: Duration = Duration::from_secs(30);

/// A commit, and the name of a state.
pub(super) type Place = (String, String);

/// What each commit of a source should say.
pub(super) fn wanted(
    source: &SourceName,
    manifests: &Manifests,
    wanted: &Wanted,
    accepted: &BTreeMap<EnvName, Revision>,
) -> BTreeMap<Place, Mark> {
    let is_ours = |name: &EnvName| manifests.remote_of(name).is_some_and(|remote| remote.source().name == *source);
    let context = |name: &EnvName| format!("landfast/{name}");
    let mark = |name: &EnvName, standing: Standing, text: String| {
        let state = match standing {
            Standing::Good => State::Success,
            Standing::Open => State::Pending,
            Standing::Bad => State::Failure,
        };
        Mark { context: context(name), state: Some(state), description: text }
    };
    let mut marks = BTreeMap::new();
    for (name, Told { content, standing, text }) in wanted.lock().iter().filter(|(name, _)| is_ours(name)) {
        // What is said of another revision is not said of this commit.
        let of_it = accepted.get(name).filter(|revision| revision.content == *content);
        if let Some(commit) = of_it.and_then(|revision| revision.commit.clone()) {
            marks.insert((commit, context(name)), mark(name, *standing, text.clone()));
        }
    }
    for (name, commit) in manifests.broken().into_iter().filter(|(name, _)| is_ours(name)) {
        let (standing, text) = report::broken();
        marks.insert((commit, context(&name)), mark(&name, standing, text));
    }
    if let Some((commit, why)) = manifests.refused(source) {
        for name in accepted.keys().filter(|name| is_ours(name)) {
            let (standing, text) = report::not_followed(&why);
            marks.insert((commit.clone(), context(name)), mark(name, standing, text));
        }
    }
    marks
}

/// What a Git host says already, as far as we know.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<Place, (Mark, Duration)>);

impl Written {
    /// What it has yet to be told, and how long that may wait. Everything that nobody wants any more is forgotten.
    pub(super) fn open(
        &mut self,
        wanted: &BTreeMap<Place, Mark>,
        now: Duration,
    ) -> (Vec<(Place, Mark)>, Option<Duration>) {
        self.0.retain(|place, _| wanted.contains_key(place));
        let (mut open, mut later) = (Vec::new(), None::<Duration>);
        for (place, mark) in wanted {
            match self.0.get(place) {
                Some((known, _)) if known == mark => {}
                Some((known, at)) if known.state == mark.state && now < *at + WORDS => {
                    let wait = (*at + WORDS).saturating_sub(now);
                    later = Some(later.map_or(wait, |known| known.min(wait)));
                }
                _ => open.push((place.clone(), mark.clone())),
            }
        }
        (open, later)
    }

    /// It says this, or refuses to.
    pub(super) fn is(&mut self, place: Place, mark: Mark, now: Duration) {
        self.0.insert(place, (mark, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(state: State, text: &str) -> Mark {
        Mark { context: "landfast/dev".to_owned(), state: Some(state), description: text.to_owned() }
    }

    #[test]
    fn a_state_is_open_until_it_is_written_and_words_alone_wait() {
        let place = || ("abc".to_owned(), "landfast/dev".to_owned());
        let mut written = Written::default();
        let want = |mark: Mark| BTreeMap::from([(place(), mark)]);
        let one = want(mark(State::Pending, "1 to do"));
        assert_eq!(written.open(&one, Duration::ZERO).0.len(), 1);
        written.is(place(), one[&place()].clone(), Duration::ZERO);
        assert_eq!(written.open(&one, Duration::ZERO), (Vec::new(), None));
        let words = want(mark(State::Pending, "2 to do"));
        assert_eq!(written.open(&words, Duration::from_secs(10)), (Vec::new(), Some(Duration::from_secs(20))));
        assert_eq!(written.open(&words, Duration::from_secs(30)).0.len(), 1);
        let done = want(mark(State::Success, "In sync"));
        assert_eq!(written.open(&done, Duration::from_secs(1)).0.len(), 1, "another state waits for nothing");
        assert!(written.open(&BTreeMap::new(), Duration::ZERO).0.is_empty());
        assert_eq!(written.open(&one, Duration::ZERO).0.len(), 1, "forgotten, and read back");
    }
}
