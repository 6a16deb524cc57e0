//! What a pure function has answered lately, within a limit.
//!
//! A plan is made again in every round of every look, and most of what it is made from is the same each time. What depends on
//! nothing but its key can be kept, and nobody but the clock sees that it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

struct Kept<K, V> {
    answers: BTreeMap<K, V>,
    bytes: usize,
}

/// Answers by their questions, of so many bytes in all. When there is no more room, everything is forgotten: what is still
/// needed is soon there again.
pub(super) struct Memo<K, V> {
    kept: Mutex<Kept<K, V>>,
    most: usize,
}

impl<K: Ord, V: Clone> Memo<K, V> {
    pub(super) const fn new(most: usize) -> Self {
        Self { kept: Mutex::new(Kept { answers: BTreeMap::new(), bytes: 0 }), most }
    }

    /// The answer that is kept, if there is one.
    pub(super) fn get(&self, question: &K) -> Option<V> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).answers.get(question).cloned()
    }

    /// Keeps an answer of about so many bytes. One that would take all the room is not kept.
    pub(super) fn keep(&self, question: K, answer: V, bytes: usize) {
        if bytes > self.most {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes > self.most {
            *kept = Kept { answers: BTreeMap::new(), bytes: 0 };
        }
        if kept.answers.insert(question, answer).is_none() {
            kept.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_never_more_than_the_limit() {
        let memo: Memo<u32, u32> = Memo::new(100);
        memo.keep(1, 10, 60);
        memo.keep(1, 10, 60);
        assert_eq!(memo.get(&1), Some(10));
        memo.keep(2, 20, 40);
        assert_eq!((memo.get(&1), memo.get(&2)), (Some(10), Some(20)));
        memo.keep(3, 30, 1);
        assert_eq!((memo.get(&1), memo.get(&2), memo.get(&3)), (None, None, Some(30)));
        memo.keep(4, 40, 101);
        assert_eq!((memo.get(&3), memo.get(&4)), (Some(30), None));
        assert!(memo.kept.lock().unwrap().bytes <= 100);
    }
}
