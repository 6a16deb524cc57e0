//! Bugs that tests plant to show that the simulation would find them. A release build contains none of them.
//!
//! Each stands for a mistake that controllers have really been shipped with. The switch belongs to the thread, because a
//! simulated daemon runs on one thread.

use std::cell::Cell;

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// What could not be read is taken for absent.
    UnknownIsAbsent,
    /// A revision in which everything is gone is taken at its word.
    PruneOnEmpty,
    /// A step is taken without reading its stack again.
    NoSecondLook,
    /// The journal is written after the call instead of before it.
    JournalAfter,
    /// A call may take for ever.
    NoDeadline,
    /// How an operation ended is read from the stack's status instead of from its own events.
    ConcludeByStatus,
    /// Nobody looks unless something is said to have changed.
    EdgeTriggered,
    /// Events that have arrived once are relied on for ever.
    SilenceIsCalm,
    /// What failed for good is tried again.
    RetryTerminal,
    /// A change set is executed whatever it replaces.
    Unguarded,
    /// Access is given without asking anybody.
    BroadensUnasked,
    /// What a rollback was continued without is not written down.
    ForgetsSkipped,
    /// The best image that the registry lists is deployed, even below the one that was decided.
    GoesBack,
    /// That an image has failed is not written down.
    ForgetsQuarantine,
    /// A rollout has succeeded when its service is steady.
    SteadyIsSuccess,
    /// The time for which a deployment is only watched counts as time in which it got nowhere.
    BakeIsHopeless,
    /// Holds the time that a lifecycle hook takes against an image.
    HookIsHopeless,
    /// Adoption takes every output of the same value for where a parameter came from.
    EqualIsReference,
    /// Adoption leaves out what AWS does not show.
    LeavesOutHidden,
    /// A backup whose answer was lost is taken for one that was not made.
    ForgetBackup,
    /// Recovery points go although they are too young to.
    ExpiresYoung,
    /// Settings stay in their bucket when their recovery point is gone.
    LeavesSettings,
    /// A restore test proves whatever it finds.
    ProvesAnything,
    /// The table in whose place another one is restored is deleted whatever is in it.
    DeletesUnseenItems,
    /// A record set that another program keeps is taken over.
    IgnoresClaims,
    /// A resource policy is compared as it is written, and not by what it says.
    PolicyByText,
    /// What AWS shows of a template is taken for the template.
    TakesQuestionMarks,
    /// Whatever differs when a stack is looked at is taken for AWS's own doing.
    AllIsBaseline,
    /// Consent covers what is done, and not what it is done with.
    ConsentToNames,
    /// A change set is ours if it has the name of one that was asked for.
    TrustsNames,
    /// That a change set of the name exists is taken for the answer that it was made.
    ExistsIsOurs,
    /// What a change set was made from is not read back.
    NoReadBack,
    /// A recovery point is ours if it has a name like ours.
    TrustsPoints,
    /// The owner tag proves that a stack is ours to delete.
    TrustsTags,
    /// A template in a bucket is read as it is then, and not as it was written.
    NewestObject,
    /// Two stacks between which an export moves are updated at once.
    ExportsAtOnce,
    /// Renaming an object deletes what it was, and makes another.
    RenameDeletes,
    /// A stack that somebody has deleted is taken for one that was never made.
    GoneIsAbsent,
    /// Drift is put back however often somebody makes it again.
    FightsOn,
    /// Change sets leave nested stacks out, and what they do inside is not asked for.
    NestedLeftOut,
    /// What a deletion takes with it is read from the template as it was written.
    JudgedAsWritten,
    /// What cannot be judged counts for nothing.
    UnknownIsHarmless,
    /// What is in no manifest that was read is gone, whatever could not be read.
    UnreadIsGone,
    /// Files are read while Git is in the middle of writing them.
    ReadsHalfACheckout,
    /// A policy holds as the manifests say, whatever the operator allows.
    NoFloor,
    /// Checks ask any server, whatever its address means.
    ProbesAnywhere,
    /// A sealed value is opened for whoever asks.
    OpensForAnybody,
    /// Whatever lies in the inbox is believed: from whenever, under whatever name, by whoever it says.
    TrustsNotes,
    /// A freeze is looked at when a plan is made, and not when a step of it begins.
    FreezeIsAdvice,
    /// An approval is acted on after it has expired, or was rejected.
    ApprovalIsForever,
    /// An approval is looked at when a plan is made, and not when a step of it begins.
    ApprovalIsAdvice,
    /// Two approvals of one person count as those of two people.
    OnePersonTwice,
    /// An approval that was carried out counts for the next plan of the same digest too.
    ReplaysApprovals,
    /// A health check that moves traffic by itself is taken for one that Landfast decides.
    TrustsAnyHealthCheck,
    /// Who is to serve is published once, and not again and again.
    PublishesOnce,
    /// A step that could not be written down is logged, and the daemon goes on.
    LivesOnWithoutJournal,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in everything that runs on this thread from now on; `None` removes it.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether `bug` is planted here. In a release build: never.
#[must_use]
pub(crate) fn is(bug: Bug) -> bool {
    cfg!(debug_assertions) && PLANTED.get() == Some(bug)
}
