//! The small listeners of the daemon: one takes the calls of Git hosts that say *look now*, the other tells machines how the
//! daemon stands. What comes later is served here too.
//!
//! Nothing that arrives here decides anything: a call that proves itself wakes the daemon, which fetches and judges as it
//! would have anyway, a little later. So what gets lost, comes twice or comes late costs time at most.

mod calls;
mod health;
mod listen;
mod pages;
mod webhook;

pub use calls::{Calls, Hook};
pub use health::{Health, Observed, Standing};
pub use listen::{Answer, Handler, Listening, Request, serve};
pub use pages::Pages;
pub use webhook::{Call, Proof, Refused, Replays};
