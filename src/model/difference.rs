//! How an object is not as desired.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StackStatus;

/// One difference between desired and actual state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Difference {
    /// It does not exist.
    Absent,
    /// Something no longer exists.
    Missing {
        /// Its name, with what it is: `the table orders`.
        name: String,
    },
    /// It was healthy and was deleted outside Landfast.
    Gone {
        /// Its former ID.
        stack: String,
        /// When it was deleted, as far as known.
        #[schemars(with = "Option<String>")]
        at: Option<Timestamp>,
        /// Stateful resources that were deleted with it; `null` if unknown.
        lost: Option<BTreeSet<String>>,
    },
    /// Its template differs.
    Template,
    /// A parameter differs; `to` is `null` if it is known only after apply.
    Parameter {
        /// The parameter.
        name: String,
        /// The deployed value.
        from: Option<String>,
        /// The desired one.
        to: Option<String>,
    },
    /// A parameter's value in Systems Manager Parameter Store changed since the last update.
    Stored {
        /// The parameter.
        name: String,
        /// The name in Parameter Store.
        stored: String,
        /// The value at the last update, if known.
        from: Option<String>,
        /// The value now.
        to: Option<String>,
    },
    /// A `NoEcho` parameter changed, or its current value is unknown.
    NoEcho {
        /// The parameter.
        name: String,
    },
    /// A tag differs.
    Tag {
        /// The tag's key.
        name: String,
        /// The deployed value.
        from: Option<String>,
        /// The desired one.
        to: Option<String>,
    },
    /// The service role differs.
    Role,
    /// The notification topics differ.
    Notifications,
    /// The rollback alarms differ.
    RollbackAlarms,
    /// Termination protection differs.
    TerminationProtection {
        /// The desired setting.
        to: bool,
    },
    /// The stack policy differs.
    StackPolicy,
    /// The stack policy was removed from its manifest: everything is allowed again.
    StackPolicyLifted,
    /// It does not have Landfast's owner tag.
    Owner,
    /// It is in another region: that stack is kept, and a second one is created.
    Elsewhere {
        /// The ID of the stack that is kept.
        stack: String,
        /// Where it is.
        region: String,
        /// Its stateful resources; `null` if unknown.
        holds: Option<BTreeSet<String>>,
    },
    /// The object was renamed: only its owner tag changes.
    Renamed {
        /// Its former address.
        from: String,
    },
    /// Another object adopts it: only its owner tag changes.
    HandedOver {
        /// Its new address.
        to: String,
    },
    /// The stack is in a status that must be recovered first.
    Status {
        /// The status.
        status: StackStatus,
    },
    /// Its manifest was removed.
    NotDesired,
    /// Its rollback can continue only if it skips these resources, which are then out of sync with the stack.
    Skip {
        /// Their logical IDs.
        resources: BTreeSet<String>,
    },
    /// A rollback skipped these resources.
    OutOfStep {
        /// Their logical IDs.
        resources: BTreeSet<String>,
    },
    /// It can be deleted only if it retains these resources in the account.
    Leave {
        /// Their logical IDs.
        resources: BTreeSet<String>,
    },
    /// Another setting differs; `to` is `null` if it is known only after apply.
    Value {
        /// What.
        name: String,
        /// The current value.
        from: Option<String>,
        /// The desired one.
        to: Option<String>,
    },
    /// Something about a table that a backup policy covers.
    Table {
        /// The table.
        name: String,
        /// What about it.
        why: String,
    },
    /// The protection of a table does not match its backup policy.
    Protection {
        /// The table.
        table: String,
        /// The protection setting.
        setting: String,
        /// As it is.
        from: String,
        /// The desired value.
        to: String,
    },
    /// A setting of a secret differs.
    Setting {
        /// Which.
        name: String,
    },
    /// A resource of it drifted.
    Drift {
        /// The resource's logical id.
        resource: String,
        /// The property; `null`: the resource was deleted.
        property: Option<String>,
        /// The live value.
        live: Option<String>,
        /// The deployed value.
        deployed: Option<String>,
    },
    /// It is scheduled for deletion and can be restored.
    Deleted,
    /// Fields of a secret's value: only names, never values.
    Fields {
        /// The field names; empty for a value without fields.
        names: BTreeSet<String>,
        /// What about them.
        why: String,
    },
    /// The rotation of a secret's generated fields is due.
    Rotation,
    /// Its tasks started before the current values of secrets.
    Restart {
        /// Which secrets.
        secrets: BTreeSet<String>,
    },
    /// A container runs another image.
    Image {
        /// The container.
        container: String,
        /// The running image, if known: a tag or a digest.
        from: Option<String>,
        /// The desired image.
        to: String,
    },
    /// The selected tag now points to another image.
    MovedTag {
        /// The container.
        container: String,
        /// The tag.
        tag: String,
        /// The selected digest.
        from: String,
        /// The digest that it points to now.
        to: String,
    },
    /// An image that would be selected was not built for the platform of the tasks.
    OtherPlatform {
        /// The container.
        container: String,
        /// The image.
        image: String,
    },
    /// The running image is no longer in its registry.
    ImageGone {
        /// The container.
        container: String,
        /// The image.
        image: String,
    },
}
