//! What every back end of the ports must do, as `CloudFormation` documents it.
//!
//! One list of tests, run against each back end, so that the simulation and the adapter cannot come to mean different
//! things by the same call. Where the emulator differs from the documentation, the documentation decides: the test
//! names the page and leaves that one assertion out for the emulator.

mod change_sets;
mod drift;
mod isolation;
mod nested;
mod objects;
mod records;
mod secrets;
mod services;
mod stacks;
mod stuck;
mod tables;
mod trail;
mod vaults;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::model::{
    AccountId, AssumeRole, ChangeSetName, ChangeSetState, ChangeSetStatus, DeploymentMode, OnFailure, Redacted, Scope,
    SmallMap, StackEvent, StackId, StackOptions, StackState, StackStatus, Value, ZoneId,
};
use landfast::ports::{Cloud, CreateChangeSet, CreateStack, Fence, Page, PageToken, PortError, Stacks, TemplateSource};
use landfast::sim::{SimCloud, SimConfig};

use crate::emulator;
use crate::workshop::Workshop;

/// The fence of every change in these tests: one holder, one revision.
pub const FENCE: Fence = Fence { epoch: 1, revision: 1 };

/// How long a stack operation may take before a test gives up; virtual time in a simulation.
const PATIENCE: Duration = Duration::from_mins(30);

/// A back end under test.
pub struct Backend {
    /// Itself.
    pub cloud: Arc<dyn Cloud>,
    /// An account that only this test uses.
    pub account: AccountId,
    /// A bucket that exists in it.
    pub bucket: String,
    /// Hands at work in `us-east-1` of that account.
    pub workshop: Workshop,
    /// Its clock.
    pub cx: Context,
    /// How often to look while waiting.
    pub interval: Duration,
    /// Somebody else's emulator: assertions that it is known to break are left out.
    pub is_emulator: bool,
    /// The one of them that gives the second opinion, and breaks others.
    pub is_moto: bool,
    /// The simulation, where it is one: there things go wrong as a test says.
    pub simulation: Option<SimCloud>,
    /// How the account is entered, where its credentials do not say so.
    pub role: Option<AssumeRole>,
}

impl Backend {
    /// The adapter and the emulator, whose stack operations take `delay`.
    async fn emulated(delay: Duration) -> Option<Self> {
        let account = emulator::account(delay)?;
        let bucket = format!("templates-{}", account.id);
        account.make_bucket(&bucket).await;
        Some(Self {
            cloud: Arc::new(account.cloud(None).await),
            account: account.id.clone(),
            workshop: Workshop::Emulated(account),
            bucket,
            cx: Context::system().unwrap(),
            interval: Duration::from_millis(20),
            is_emulator: true,
            is_moto: false,
            simulation: None,
            role: None,
        })
    }

    /// The adapter and the other emulator.
    async fn second() -> Option<Self> {
        let account = emulator::second_opinion()?;
        let arn = format!("arn:aws:iam::{}:role/landfast", account.id);
        let role =
            AssumeRole { arn: arn.parse().unwrap(), external_id: None, session_name: "landfast-contract".to_owned() };
        Some(Self {
            cloud: Arc::new(account.cloud(None).await),
            account: account.id.clone(),
            workshop: Workshop::Emulated(account),
            bucket: String::new(),
            cx: Context::system().unwrap(),
            interval: Duration::from_millis(20),
            is_emulator: true,
            is_moto: true,
            simulation: None,
            role: Some(role),
        })
    }

    /// The simulation, at its own pace.
    fn simulated(clock: &Virtual) -> Self {
        let cx = Context::simulated(clock, 1);
        let bucket = "templates".to_owned();
        let config = SimConfig { buckets: Some([bucket.clone()].into()), ..SimConfig::default() };
        let cloud = SimCloud::new(cx.clone(), config);
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        Self {
            workshop: Workshop::Simulated(cloud.console(&scope)),
            cloud: Arc::new(cloud.clone()),
            account: scope.account,
            bucket,
            cx,
            interval: Duration::from_secs(1),
            is_emulator: false,
            is_moto: false,
            simulation: Some(cloud),
            role: None,
        }
    }

    /// The door to a region of the account.
    pub fn region(&self, region: &str) -> Arc<dyn Stacks> {
        let scope = Scope { account: self.account.clone(), region: region.parse().unwrap() };
        self.cloud.stacks(&scope, None)
    }

    /// Makes a hosted zone, and says what its id is.
    pub async fn make_zone(&self, name: &str) -> ZoneId {
        match &self.workshop {
            Workshop::Emulated(account) => account.make_zone(name, self.role.as_ref()).await,
            Workshop::Simulated(console) => console.create_zone(name, false).unwrap(),
        }
    }

    /// The account, in the region that most tests use.
    pub fn scope(&self) -> Scope {
        Scope { account: self.account.clone(), region: "us-east-1".parse().unwrap() }
    }

    /// The door to the region that most tests use.
    pub fn stacks(&self) -> Arc<dyn Stacks> {
        self.region("us-east-1")
    }

    /// The stack, once no operation runs; `None` once it is gone.
    pub async fn settled(&self, stacks: &dyn Stacks, name: &str) -> Option<StackState> {
        let deadline = self.cx.elapsed() + PATIENCE;
        loop {
            let state = stacks.describe(&name.parse().unwrap()).await.unwrap();
            match state {
                Some(state) if state.status.is_in_progress() => {}
                settled => return settled,
            }
            assert!(self.cx.elapsed() < deadline, "{name} does not settle");
            self.cx.sleep(self.interval).await;
        }
    }

    /// Creates a stack and waits for it.
    pub async fn created(&self, stacks: &dyn Stacks, request: CreateStack) -> StackState {
        let name = request.name.to_string();
        let id = stacks.create(FENCE, request).await.unwrap();
        let state = self.settled(stacks, &name).await.unwrap();
        assert_eq!((&state.id, state.status), (&id, StackStatus::CreateComplete), "{:?}", state.status_reason);
        state
    }

    /// The change set, once it is computed, with all of its changes.
    pub async fn computed(&self, stacks: &dyn Stacks, stack: &StackId, name: &str) -> Option<ChangeSetState> {
        let deadline = self.cx.elapsed() + PATIENCE;
        let name: ChangeSetName = name.parse().unwrap();
        loop {
            let (mut state, mut next) = stacks.describe_change_set(stack, &name, None).await.unwrap()?;
            if state.status != ChangeSetStatus::Creating {
                while let Some(token) = next {
                    let page = stacks.describe_change_set(stack, &name, Some(token)).await.unwrap();
                    let (more, after) = page.unwrap();
                    state.changes.extend(more.changes);
                    next = after;
                }
                return Some(state);
            }
            assert!(self.cx.elapsed() < deadline, "{name} is never computed");
            self.cx.sleep(self.interval).await;
        }
    }

    /// Changes a stack by a change set and waits for it.
    pub async fn changed(&self, stacks: &dyn Stacks, request: CreateChangeSet) -> StackState {
        let (stack, name) = (request.stack.clone(), request.name.to_string());
        let id = stacks.create_change_set(FENCE, request).await.unwrap();
        let state = self.computed(stacks, &stack, &name).await.unwrap();
        assert_eq!(state.status, ChangeSetStatus::Available);
        stacks.execute_change_set(FENCE, &id, &format!("execute-{name}")).await.unwrap();
        let stack_name = stack.as_str().rsplit('/').nth(1).unwrap().to_owned();
        self.settled(stacks, &stack_name).await.unwrap()
    }
}

/// All items of all pages.
pub async fn all<T, F>(read: impl Fn(Option<PageToken>) -> F) -> Vec<T>
where
    F: Future<Output = Result<Page<T>, PortError>>,
{
    let (mut items, mut token) = (Vec::new(), None);
    loop {
        let page = read(token).await.unwrap();
        items.extend(page.items);
        token = page.next;
        if token.is_none() {
            return items;
        }
    }
}

/// All events of a stack, newest first.
pub async fn events(stacks: &dyn Stacks, stack: &StackId) -> Vec<StackEvent> {
    all(|page| stacks.events(stack, page)).await
}

/// A queue whose name and settings are parameters, a secret parameter, and an output that may be exported.
pub const TEMPLATE: &str = r#"# A comment that belongs to the text.
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  QueueName: { Type: String }
  Delay: { Type: Number, Default: 0 }
  Password: { Type: String, NoEcho: true, Default: none }
  Export: { Type: String, Default: "" }
Conditions:
  Exported: !Not [!Equals [!Ref Export, ""]]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref QueueName
      DelaySeconds: !Ref Delay
Outputs:
  QueueArn:
    Value: !GetAtt Queue.Arn
  QueueName:
    Condition: Exported
    Value: !GetAtt Queue.QueueName
    Export: { Name: !Ref Export }
"#;

/// A stack of [`TEMPLATE`] whose queue is called like the stack.
pub fn create(name: &str) -> CreateStack {
    CreateStack {
        name: name.parse().unwrap(),
        template: TemplateSource::Body(TEMPLATE.into()),
        options: options(&[("QueueName", name)]),
        termination_protection: false,
        stack_policy: None,
        on_failure: OnFailure::Rollback,
        timeout: None,
        token: format!("create-{name}"),
    }
}

/// An update of such a stack to these parameters.
pub fn change(stack: &StackState, name: &str, values: &[(&str, &str)]) -> CreateChangeSet {
    CreateChangeSet {
        stack: stack.id.clone(),
        name: name.parse().unwrap(),
        template: TemplateSource::Body(TEMPLATE.into()),
        options: options(values),
        nested: true,
        mode: DeploymentMode::Ordinary,
    }
}

fn options(values: &[(&str, &str)]) -> StackOptions {
    StackOptions {
        parameters: parameters(values),
        tags: tags(&[("landfast:owner", "test")]).into(),
        ..StackOptions::default()
    }
}

/// Parameter values; that of `Password` is secret.
pub fn parameters(values: &[(&str, &str)]) -> SmallMap<Value> {
    let value = |name: &str, text: &str| match name {
        "Password" => Value::NoEcho(Redacted::new(text.to_owned())),
        _ => Value::Plain(text.to_owned()),
    };
    values.iter().map(|(name, text)| ((*name).to_owned(), value(name, text))).collect()
}

/// Tags.
pub fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Runs every case against every back end. The second list is of those that need operations to take some time, the third
/// of those that get a second opinion.
macro_rules! contract {
    (
        [$($module:ident :: $case:ident),+ $(,)?],
        [$($slow_module:ident :: $slow_case:ident),+ $(,)?],
        [$($twice_module:ident :: $twice_case:ident),+ $(,)?]
    ) => {
        mod emulated {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let Some(backend) = Backend::emulated(Duration::ZERO).await else { return };
                    super::$module::$case(&backend).await;
                }
            )+
            $(
                #[tokio::test]
                async fn $slow_case() {
                    let Some(backend) = Backend::emulated(Duration::from_secs(1)).await else { return };
                    super::$slow_module::$slow_case(&backend).await;
                }
            )+
            $(
                #[tokio::test]
                async fn $twice_case() {
                    let Some(backend) = Backend::emulated(Duration::ZERO).await else { return };
                    super::$twice_module::$twice_case(&backend).await;
                }
            )+
        }

        mod second {
            use super::*;
            $(
                #[tokio::test]
                async fn $twice_case() {
                    let Some(backend) = Backend::second().await else { return };
                    super::$twice_module::$twice_case(&backend).await;
                }
            )+
        }

        mod simulated {
            use super::*;
            contract!(simulated $($module::$case)+ $($slow_module::$slow_case)+ $($twice_module::$twice_case)+);
        }
    };
    (simulated $($module:ident :: $case:ident)+) => {
        $(
            #[test]
            fn $case() {
                let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
                let backend = Backend::simulated(&clock);
                clock.drive(super::$module::$case(&backend)).expect("a deadlock");
            }
        )+
    };
}

contract!(
    [
        stacks::a_created_stack_says_what_it_was_created_with,
        stacks::the_template_comes_back_byte_for_byte,
        stacks::a_second_stack_of_the_same_name_is_a_conflict,
        stacks::a_stack_that_is_missing_is_none_and_not_an_error,
        stacks::a_creation_that_fails_is_rolled_back_and_says_why,
        stacks::a_stack_that_was_rolled_back_keeps_its_name_until_it_is_deleted,
        stacks::a_deleted_stack_is_gone_and_its_events_are_not,
        stacks::a_name_used_again_is_another_stack,
        stacks::termination_protection_refuses_to_delete,
        stacks::an_export_knows_its_importers_and_cannot_be_deleted_under_them,
        stacks::a_template_may_be_read_from_a_bucket,
        stacks::a_value_in_parameter_store_is_looked_up_by_name,
        stacks::a_stack_policy_is_kept,
        stacks::events_carry_the_token_of_their_request,
        stacks::a_rule_that_fails_refuses_creations_and_updates,
        stacks::a_template_has_a_most_of_everything,
        stuck::a_rollback_goes_on_without_what_it_failed_on_and_nothing_else,
        stuck::a_deletion_goes_on_without_what_is_retained_and_only_once_it_has_failed,
        change_sets::a_change_set_says_what_it_will_do_and_does_it,
        change_sets::a_parameter_can_keep_its_previous_value,
        change_sets::a_change_of_name_replaces_the_resource,
        change_sets::a_second_change_set_of_the_same_name_is_a_conflict,
        change_sets::a_change_set_without_a_change_is_empty,
        change_sets::a_change_of_outputs_alone_is_executed_and_has_no_changes,
        change_sets::a_change_set_is_spent_when_another_was_executed,
        change_sets::a_deleted_change_set_is_gone_and_may_be_deleted_again,
        change_sets::a_stack_that_was_rolled_back_takes_no_change_set,
        change_sets::tags_alone_are_a_change,
        isolation::regions_and_accounts_do_not_see_each_other,
        isolation::a_list_has_every_stack_once_however_many_pages_it_takes,
        nested::a_nested_stack_has_resources_of_its_own_and_goes_with_its_root,
        nested::a_change_set_reaches_into_nested_stacks,
        nested::both_the_template_and_what_macros_made_of_it_can_be_read,
        drift::what_was_deployed_and_left_alone_has_not_drifted,
        drift::a_changed_property_is_found_with_both_of_its_values,
        drift::what_is_gone_is_said_to_be,
        objects::what_is_written_is_read_until_it_is_deleted,
        objects::what_is_written_is_listed_at_once_and_by_how_it_begins,
        objects::a_list_has_every_object_once_however_many_pages_it_takes,
        objects::a_bucket_that_is_not_there_is_said_to_be_missing,
        drift::a_detection_that_nobody_began_is_not_there,
        drift::an_ordinary_change_set_sees_nothing_of_what_was_changed_past_its_stack,
        drift::a_change_set_that_reverts_drift_puts_back_what_was_changed,
        drift::a_change_set_that_reverts_drift_makes_again_what_is_gone,
        services::a_service_says_what_it_was_created_with,
        services::a_missing_cluster_is_not_found_and_a_deleted_service_is_inactive,
        services::clusters_and_their_services_are_listed_by_arn,
        services::a_copied_task_definition_differs_in_what_was_asked_for,
        services::revisions_of_one_family_are_listed_newest_first_on_pages,
        services::a_deployment_has_a_record_that_says_how_it_ended,
        services::to_deploy_what_runs_already_is_no_deployment,
        services::an_inactive_task_definition_cannot_be_deployed_and_the_count_stays,
        services::what_cannot_be_pulled_says_so_and_a_stopped_deployment_goes_back,
        services::a_container_that_exits_says_so_and_its_task_has_run,
        services::the_circuit_breaker_goes_back_and_says_so,
        services::a_newer_deployment_stops_the_one_under_way,
        services::what_is_not_there_is_left_out_and_no_error,
        services::tags_are_added_to_a_service,
        services::an_image_is_found_by_tag_and_digest_and_a_tag_moves,
        services::a_list_has_every_image_once_however_many_pages_it_takes,
        services::an_index_names_its_platforms_and_a_single_image_its_configuration,
        services::the_newest_lines_of_a_log_come_oldest_first,
        tables::a_backup_outlives_its_table_and_is_restored_to_another,
        tables::settings_are_changed_one_by_one,
        tables::the_window_of_recovery_is_what_was_asked_for,
        tables::a_restore_to_a_moment_has_what_was_there_then,
        tables::a_deleted_table_with_recovery_leaves_a_backup,
        tables::an_alarm_on_a_table_comes_back_as_it_was_put,
        trail::what_somebody_changed_is_told_newest_first_with_who_it_was,
        trail::a_call_that_only_reads_is_told_as_one_if_at_all,
        trail::of_another_resource_or_region_nothing_is_told,
        trail::every_change_is_told_once_however_many_pages_it_takes,
        vaults::a_recovery_point_is_made_once_copied_and_restored_elsewhere,
        vaults::what_a_vault_does_not_have_is_said_so,
        vaults::a_backup_plan_says_what_it_does_and_to_which_tables,
    ],
    [change_sets::a_busy_stack_takes_no_other_change, change_sets::a_cancelled_update_is_rolled_back,],
    [
        secrets::a_secret_says_what_it_was_created_with,
        secrets::a_token_is_good_for_one_value,
        secrets::the_previous_version_keeps_its_label,
        secrets::a_pending_version_becomes_current_when_the_label_is_moved,
        secrets::a_deleted_secret_keeps_its_name_and_can_be_restored,
        secrets::settings_tags_and_policy_are_kept,
        secrets::a_missing_secret_is_none_and_not_an_error,
        secrets::a_replica_is_told_of_and_can_be_removed,
        secrets::a_list_has_every_secret_once_however_many_pages_it_takes,
        records::a_batch_takes_effect_as_a_whole_or_not_at_all,
        records::what_exists_is_not_created_and_what_differs_is_not_deleted,
        records::record_sets_come_back_as_they_were_written,
        records::a_star_comes_back_as_a_star,
        records::a_batch_is_followed_by_its_id_until_it_is_everywhere,
        records::record_sets_are_listed_in_order_from_a_name_on,
        records::a_list_has_every_record_set_once_however_many_pages_it_takes,
        records::zones_are_found_by_domain_and_by_id,
        records::a_zone_that_is_missing_is_told_apart_from_one_without_the_record,
        records::what_dns_does_not_allow_is_refused,
        records::of_one_name_all_record_sets_are_chosen_by_one_rule,
        tables::a_table_says_what_it_was_made_with,
        tables::a_missing_table_is_none_and_not_an_error,
        tables::items_are_sampled_by_segment_and_read_by_key,
        tables::what_is_scaled_comes_back_as_it_was_put,
    ]
);
