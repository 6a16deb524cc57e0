//! Every decision, and nothing else.
//!
//! [`plan`] is a pure function: what is wanted, what was seen, what is remembered and the time go in; for every object
//! the change it needs, the one step that can be taken now, and every reason for not taking one come out. It serves
//! `landfast plan`, `apply`, the daemon and the simulation alike. [`needs`] is the same function asked another
//! question: what would you have to know to decide? [`complete`] answers whichever of the two can be answered.
//!
//! A step leaves nothing to choose: whoever executes it re-reads its precondition and acts, or does not.

mod approval;
mod attempts;
mod backup;
mod consent;
mod decide;
mod diff;
mod doctor;
mod drift;
mod exports;
mod gone;
mod guard;
mod handover;
mod hold;
mod input;
mod inside;
mod lint;
mod names;
mod order;
mod outputs;
mod pending;
mod planner;
pub mod preflight;
mod presence;
mod readiness;
mod record;
mod removal;
mod render;
mod request;
mod resolve;
mod root_cause;
mod secret;
mod service;
mod stack;
mod standing;
mod together;
mod traffic;

pub use approval::{Counting, Tally, Void, counting, ends as review_ends, may_begin, stands, tally};
pub use backup::{compare_items, coverage, left as left_tables};
pub use consent::consent;
pub use decide::{complete, needs, plan};
pub(crate) use doctor::{are_recent, last_phase, last_update};
pub use doctor::{census, watch};
pub use drift::{
    Due, adopted as drift_adopted, beside as drift_beside, by_hand as drift_by_hand, culprit, due as drift_due,
    from_parameter as drift_from_parameter, judge as judge_drift, looked as drift_looked,
    remembered as drift_remembered, touched as drift_touched,
};
pub use gone::{Deletion, deletion};
#[cfg(test)]
pub(crate) use guard::name_commands;
pub use hold::{Effect, effect, hold, is_open_at, opens_at};
pub use input::{Goal, Input, MAX_OPERATIONS};
pub use lint::{Fault, lint};
pub use names::{OWNER_TAG, RETAIN_TAG, change_set_prefix, owner};
pub use order::{Cycle, order};
pub use render::rendered;
pub use request::grant;
pub use root_cause::{conclude, failure, is_throttling, is_transient, reach};
pub use secret::{DELETION_TAG, restarts};
pub use standing::{ROWS, Row, Standing, row};
pub use together::together;
pub use traffic::judge as judge_traffic;
