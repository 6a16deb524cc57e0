//! What AWS says of the health of what runs: targets of load balancers, and alarms.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aws::InvalidName;
use super::ecs::words;

words! {
    /// What a load balancer thinks of a target (AWS: *`TargetHealth`*, `State`).
    TargetState, "a state of a target's health", {
        /// It is being registered, or was not checked often enough.
        Initial = "initial",
        /// It gets traffic.
        Healthy = "healthy",
        /// It fails its health checks.
        Unhealthy = "unhealthy",
        /// It fails them, and its connections are being closed.
        UnhealthyDraining = "unhealthy.draining",
        /// No listener leads to its target group, or its zone is off.
        Unused = "unused",
        /// It is being deregistered.
        Draining = "draining",
        /// Health checks are off.
        Unavailable = "unavailable",
    }
}

words! {
    /// What an alarm says (AWS: *`MetricAlarm`*, `StateValue`).
    AlarmState, "a state of an alarm", {
        /// All is well.
        Ok = "OK",
        /// It is not.
        Alarm = "ALARM",
        /// There are not enough data to say.
        InsufficientData = "INSUFFICIENT_DATA",
    }
}

/// One target of a target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    /// An IP address, an instance, a function.
    pub id: String,
    /// Its port.
    pub port: Option<u16>,
    /// What the load balancer thinks of it.
    pub state: TargetState,
    /// Why, as a word: `Target.FailedHealthChecks`.
    pub reason: Option<String>,
    /// Why, as a sentence.
    pub description: Option<String>,
}

/// One alarm, of a metric or composite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmSeen {
    /// Its name.
    pub name: String,
    /// What it says.
    pub state: AlarmState,
    /// Why, in AWS's words.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
}
