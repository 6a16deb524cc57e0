//! Reading CloudFormation templates: what they declare, what they export and import, and whether two are equal.
//!
//! A template is read, never validated: CloudFormation does that better. Read is what Landfast decides by. The text
//! itself is kept byte for byte, because that is what is sent.

mod access;
mod anatomy;
mod canonical;
mod difference;
mod evaluate;
mod export;
mod fault;
mod filled;
mod growth;
mod locate;
mod loops;
mod memo;
mod opaque;
mod parsed;
mod policy;
mod predict;
mod read;
mod scalar;
mod shift;
mod shown;
mod table;
mod transforms;

pub use access::{broadened, broadened_resource, may_give_access, policy_gains, unseen};
pub use difference::{Differing, differing};
pub use evaluate::{Evaluated, Known, Tree, Values, evaluate};
pub use export::resolve_name;
pub use fault::TemplateError;
pub use filled::{Filled, filled, given};
pub use locate::{Written, parameter, written};
pub use opaque::{json_digest, opaque_facts};
pub use policy::policy_digest;
pub use predict::predict;
pub use read::{MAX_BYTES, parse};
pub use shift::{Origin, TrafficShift, output_origin, traffic_shifts};
pub use shown::may_be_shown_as;
pub use table::{TableSettings, table_settings};
