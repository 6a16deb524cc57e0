//! How an object is not as desired.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StackStatus;

/// One way in which a stack is not as desired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Difference {
    /// It does not exist.
    Absent,
    /// Something that was there is gone.
    Missing {
        /// Its name, with what it is: `the table orders`.
        name: String,
    },
    /// It was there and healthy, and was deleted by somebody else.
    Gone {
        /// The id that it had.
        stack: String,
        /// When it was deleted, as far as known.
        #[schemars(with = "Option<String>")]
        at: Option<Timestamp>,
        /// What went with it, of what holds state; `null` where that is not known.
        lost: Option<BTreeSet<String>>,
    },
    /// It was deployed from another template.
    Template,
    /// A parameter has another value; `to: null` where it is known only after apply.
    Parameter {
        /// The parameter.
        name: String,
        /// The deployed value.
        from: Option<String>,
        /// The desired one.
        to: Option<String>,
    },
    /// What a parameter takes from Systems Manager Parameter Store has another value there than at the last update.
    Stored {
        /// The parameter.
        name: String,
        /// The name in Parameter Store.
        stored: String,
        /// The value at the last update, where AWS says it.
        from: Option<String>,
        /// The value now.
        to: Option<String>,
    },
    /// A `NoEcho` parameter has another value, or it is not known which it has.
    NoEcho {
        /// The parameter.
        name: String,
    },
    /// A tag has another value.
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
    /// Its manifest has no stack policy any more: everything is allowed again.
    StackPolicyLifted,
    /// It is not marked as ours.
    Owner,
    /// It is in another region: that stack stays, and a second one is created.
    Elsewhere {
        /// The id of the one that stays.
        stack: String,
        /// Where it is.
        region: String,
        /// What holds state in it; `null` where that is not known.
        holds: Option<BTreeSet<String>>,
    },
    /// It is the same object under another name: its owner tag changes, and nothing else.
    Renamed {
        /// The key that it had.
        from: String,
    },
    /// Another object takes it over: nothing becomes of it here.
    HandedOver {
        /// The key that it gets.
        to: String,
    },
    /// The stack is in a status that has to be left first.
    Status {
        /// The status.
        status: StackStatus,
    },
    /// Its manifest is gone.
    NotDesired,
    /// Its rollback cannot go on but without these resources, which are then not what the stack takes them for.
    Skip {
        /// Their logical ids.
        resources: BTreeSet<String>,
    },
    /// A rollback was continued without these resources.
    OutOfStep {
        /// Their logical ids.
        resources: BTreeSet<String>,
    },
    /// It cannot be deleted but without these resources, which stay in the account.
    Leave {
        /// Their logical ids.
        resources: BTreeSet<String>,
    },
    /// Something else about it has another value; `to: null` where it is known only after apply.
    Value {
        /// What.
        name: String,
        /// The present value.
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
    /// A table that a backup policy covers is not protected as it asks.
    Protection {
        /// The table.
        table: String,
        /// What of its protection.
        setting: String,
        /// As it is.
        from: String,
        /// As it is asked for.
        to: String,
    },
    /// A setting of a secret differs.
    Setting {
        /// Which.
        name: String,
    },
    /// Something in it was changed past its stack.
    Drift {
        /// The resource's logical id.
        resource: String,
        /// The property; `null`: the resource is gone.
        property: Option<String>,
        /// What there is.
        live: Option<String>,
        /// What was deployed.
        deployed: Option<String>,
    },
    /// It is deleted, and can be restored.
    Deleted,
    /// Fields of a secret's value. Names, and never what is in them.
    Fields {
        /// Which; a value that has no fields is one without a name.
        names: BTreeSet<String>,
        /// What about them.
        why: String,
    },
    /// A secret's generated fields are due to be made anew.
    Rotation,
    /// Its tasks were started before secrets got their current values.
    Restart {
        /// Which secrets.
        secrets: BTreeSet<String>,
    },
    /// A container runs another image.
    Image {
        /// The container.
        container: String,
        /// What runs, as far as known: a tag or a digest.
        from: Option<String>,
        /// What is to run.
        to: String,
    },
    /// The tag that was decided on means another image now.
    MovedTag {
        /// The container.
        container: String,
        /// The tag.
        tag: String,
        /// The digest that was decided on.
        from: String,
        /// What it means now.
        to: String,
    },
    /// An image that would be chosen was not built for the platform that the tasks run on.
    OtherPlatform {
        /// The container.
        container: String,
        /// The image.
        image: String,
    },
    /// The image that runs is not in its registry any more.
    ImageGone {
        /// The container.
        container: String,
        /// The image.
        image: String,
    },
}
