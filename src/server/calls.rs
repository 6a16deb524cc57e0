//! The calls of Git hosts: each proves itself, and says *look now*.

use std::sync::{Mutex, PoisonError};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tracing::{info, warn};

use super::listen::{Answer, Handler, Request};
use super::webhook::{Proof, Refused, Replays};
use crate::context::Context;
use crate::model::Redacted;

/// The largest body: GitHub sends up to 25 MB, says its documentation. It is not kept: strangers may call.
const BODY: usize = 25 << 20;
/// So much of a body is read at a time.
const PIECE: usize = 16 << 10;

/// Reads a secret, which may have been changed meanwhile; why it cannot be read.
type Secret = Box<dyn Fn() -> Result<Redacted, String> + Send + Sync>;

/// Where the calls of one source arrive, and how they prove themselves.
pub struct Hook {
    /// The last part of its path.
    pub name: String,
    /// Its secret.
    pub secret: Secret,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What takes these calls.
pub struct Calls<'a> {
    cx: &'a Context,
    hooks: &'a [Hook],
    replays: Mutex<Replays>,
    wake: &'a dyn Fn(),
}

impl std::fmt::Debug for Calls<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("hooks", &self.hooks).finish_non_exhaustive()
    }
}

impl<'a> Calls<'a> {
    /// `wake` is called for each call that proves itself.
    pub fn new(cx: &'a Context, hooks: &'a [Hook], wake: &'a dyn Fn()) -> Self {
        Self { cx, hooks, replays: Mutex::default(), wake }
    }

    fn judge(&self, hook: &Hook, proof: Proof) -> Answer {
        let proven = {
            let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
            proof.finish(self.cx.now(), &mut replays)
        };
        match proven {
            Ok(()) => {
                info!(source = hook.name, "webhook received: looking now");
                (self.wake)();
                Answer::text("202 Accepted", "accepted")
            }
            Err(why) => refused(hook, why),
        }
    }
}

impl Handler for Calls<'_> {
    async fn answer(&self, request: Request, stream: &mut TcpStream) -> std::io::Result<Answer> {
        let name = request.path.strip_prefix("/webhooks/");
        let hook = name.and_then(|name| self.hooks.iter().find(|hook| hook.name == name));
        let Some(hook) = hook else { return Ok(Answer::text("404 Not Found", "not found")) };
        if request.method != "POST" {
            return Ok(Answer::text("405 Method Not Allowed", "use POST"));
        }
        // A body of unknown length is not read: no Git host sends one.
        let Some(size) = request.length else {
            return Ok(Answer::text("411 Length Required", "Content-Length is missing"));
        };
        if size > BODY {
            return Ok(Answer::text("413 Content Too Large", "the body is too large"));
        }
        let secret = match (hook.secret)() {
            Ok(secret) => secret,
            Err(why) => {
                warn!(source = hook.name, why, "the webhook's secret cannot be read; calls are refused");
                return Ok(Answer::text("503 Service Unavailable", "the webhook is not available"));
            }
        };
        let mut proof = Proof::begin(&request.call(), &secret);
        // All of it is read, also of a call that is refused: an answer before that may be lost on its way.
        let mut left = size;
        let mut piece = request.begun;
        loop {
            piece.truncate(left);
            if let Ok(proof) = &mut proof {
                proof.update(&piece);
            }
            left -= piece.len();
            if left == 0 {
                break;
            }
            piece.clear();
            piece.reserve(PIECE);
            if stream.read_buf(&mut piece).await? == 0 {
                return Ok(Answer::bad("the body is incomplete"));
            }
        }
        Ok(proof.map_or_else(|why| refused(hook, why), |proof| self.judge(hook, proof)))
    }
}

fn refused(hook: &Hook, why: Refused) -> Answer {
    if why == Refused::Replayed {
        return Answer::text("200 OK", &why.to_string());
    }
    warn!(source = hook.name, %why, "a webhook call was refused");
    Answer::text("401 Unauthorized", &why.to_string())
}
