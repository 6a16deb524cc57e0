//! What people and machines read: plans, status, reasons, events, graphs, timelines.
//!
//! Takes nouns of the model and returns text or documents. Nothing here prints, looks anything up, reads a clock or
//! decides: a report that disagrees with the plan is a bug in this room. Two rules hold in every file. Colour never
//! carries a meaning that the words do not carry too. And whatever others wrote (AWS's reasons, parameter values, names
//! of resources) passes [`words::clean`] on its way into a text, so that it can neither move the cursor nor start a line. What
//! was forgotten there is caught at the last door, by [`safe_text`].

mod access;
mod approvals;
mod backups;
mod change;
mod doctor;
mod drift;
mod event_source;
mod events;
mod feedback;
#[cfg(test)]
pub(crate) mod fixtures;
mod graph;
mod images;
mod json;
mod left;
mod markup;
mod notice;
mod order;
mod outputs;
mod paint;
mod plan;
mod points;
mod preflight;
mod progress;
mod pull_request;
mod queue;
mod remedy;
mod render;
mod safe;
mod service;
mod status;
mod tables;
mod timeline;
mod why;
mod words;

mod restores;
#[cfg(test)]
mod secrecy;

pub use access::Broadened;
pub use approvals::{ApprovalList, PlanApproval, PlanStanding, ReviewCounts, ReviewState};
pub use backups::{BackupList, CoverageList, TableCoverage};
pub use change::{Told, tell};
pub use doctor::{DoctorReport, Examination, Health};
pub use drift::{Advice, DriftFinding, DriftFormat, DriftPoint, DriftReport, DriftSummary, FindingKind, ObjectDrift};
pub use event_source::{EventSource, Heartbeat};
pub use events::{Deed, Event, EventList, StackEvents};
pub use feedback::{PLAN_MAX, Section, Standing, broken, comment, comment_marker, not_followed, remarks, standing};
pub use graph::{Format, graph};
pub use images::{Image, ImageList, OlderThan};
pub use json::{
    API_VERSION, ChangesFrom, Held, PlanDocument, PlanList, PlannedStep, RefusedObject, Summary, plans_json, schemas,
    to_json,
};
pub use notice::{slack, symptoms, teams, title, webhook};
pub use outputs::{OutputList, OutputValue, StackOutputs};
pub use paint::Paint;
pub use plan::{plan, plans};
pub use points::BackupPoint;
pub use preflight::{Preflight, PreflightList, QueuePreflight};
pub use progress::Progress;
pub use pull_request::{MARKER, changes_markdown, markdown};
pub use queue::{FreezeState, QueueItem, QueueList, WindowState};
pub use render::RenderList;
pub use restores::items;
pub use safe::{json as safe_json, line as safe_line, text as safe_text};
pub use status::{Condition, ConditionStatus, ConditionType, HealthStatus, PolicyCut, Status, StatusList, SyncStatus};
pub use tables::BackedTable;
pub use timeline::{Bar, Span, Timeline};
pub use why::{NoSuchObject, why};
pub use words::{clean, duration, time};
