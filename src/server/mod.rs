//! The small listener of the daemon. Today it takes the calls of Git hosts that say *look now*; what comes later is served
//! here too.
//!
//! Nothing that arrives here decides anything: a call that proves itself wakes the daemon, which fetches and judges as it
//! would have anyway, a little later. So what gets lost, comes twice or comes late costs time at most.

mod listen;
mod webhook;

pub use listen::{Hook, Listening, serve};
pub use webhook::{Call, Proof, Refused, Replays};
