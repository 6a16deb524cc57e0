//! `ports::Stacks` over the SDK: one method, one request.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::{self as sdk, ChangeSetType, TemplateStage};
use aws_sdk_dynamodb::types::{BackupStatus, BackupTypeFilter};
use jiff::Timestamp;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use super::request;
use crate::model::{
    AccountId, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetSummary, DeletedStack, DeploymentMode, Scope,
    StackEvent, StackId, StackName, StackState,
};
use crate::ports::{
    CreateChangeSet, CreateStack, Fence, Page, PageToken, PortError, Stacks, TemplateSource, Uploaded, found,
};

/// A table has at most a few hundred backups; 100 pages of 100 are a loop that AWS never ends, not a table.
const MAX_BACKUP_PAGES: usize = 100;

/// One account in one region.
pub(super) struct Client {
    stacks: aws_sdk_cloudformation::Client,
    caller: aws_sdk_sts::Client,
    objects: super::objects::Client,
    tables: aws_sdk_dynamodb::Client,
    parameters: aws_sdk_ssm::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig, scope: &Scope) -> Self {
        Self {
            stacks: aws_sdk_cloudformation::Client::new(config),
            caller: aws_sdk_sts::Client::new(config),
            objects: super::objects::Client::new(config, scope),
            tables: aws_sdk_dynamodb::Client::new(config),
            parameters: aws_sdk_ssm::Client::new(config),
        }
    }
}

#[async_trait]
impl Stacks for Client {
    async fn caller(&self) -> Result<AccountId, PortError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self.caller.get_caller_identity().send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).parse(answer.account(), "Account")
    }

    async fn list(&self, page: Option<PageToken>) -> Result<Page<StackState>, PortError> {
        const OPERATION: &str = "DescribeStacks";
        let request = self.stacks.describe_stacks().set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let stacks = answer.stacks.unwrap_or_default().into_iter();
        let items = stacks.map(|stack| Reader(OPERATION).stack(stack)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }

    async fn describe(&self, name: &StackName) -> Result<Option<StackState>, PortError> {
        const OPERATION: &str = "DescribeStacks";
        let request = self.stacks.describe_stacks().stack_name(name.as_str());
        let answer = found(request.send().await.map_err(|e| port_error(OPERATION, e, &[])))?;
        let Some(answer) = answer else { return Ok(None) };
        let stack = answer.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.ok_or_else(|| unreadable(OPERATION, "it contains neither a stack nor a reason"))?;
        Reader(OPERATION).stack(stack).map(Some)
    }

    async fn deleted(&self, page: Option<PageToken>) -> Result<Page<DeletedStack>, PortError> {
        const OPERATION: &str = "ListStacks";
        let request = self.stacks.list_stacks().stack_status_filter(sdk::StackStatus::DeleteComplete);
        let answer = request.set_next_token(page).send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let stacks = answer.stack_summaries.unwrap_or_default().into_iter();
        let items = stacks.map(|stack| Reader(OPERATION).deleted(&stack)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }

    async fn known(&self, stack: &StackId) -> Result<Option<StackState>, PortError> {
        const OPERATION: &str = "DescribeStacks";
        let request = self.stacks.describe_stacks().stack_name(stack.as_str());
        let answer = found(request.send().await.map_err(|e| port_error(OPERATION, e, &[])))?;
        let stack = answer.and_then(|answer| answer.stacks.unwrap_or_default().into_iter().next());
        stack.map(|stack| Reader(OPERATION).stack(stack)).transpose()
    }

    async fn template(&self, stack: &StackId) -> Result<String, PortError> {
        const OPERATION: &str = "GetTemplate";
        let request = self.stacks.get_template().stack_name(stack.as_str()).template_stage(TemplateStage::Original);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).need(answer.template_body, "TemplateBody")
    }

    async fn processed_template(&self, stack: &StackId) -> Result<String, PortError> {
        const OPERATION: &str = "GetTemplate";
        let request = self.stacks.get_template().stack_name(stack.as_str()).template_stage(TemplateStage::Processed);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).need(answer.template_body, "TemplateBody")
    }

    async fn stack_policy(&self, stack: &StackId) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetStackPolicy";
        let request = self.stacks.get_stack_policy().stack_name(stack.as_str());
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Ok(answer.stack_policy_body.filter(|body| !body.is_empty()))
    }

    async fn events(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<StackEvent>, PortError> {
        const OPERATION: &str = "DescribeStackEvents";
        let request = self.stacks.describe_stack_events().stack_name(stack.as_str()).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let events = answer.stack_events.unwrap_or_default().into_iter();
        let items = events.map(|event| Reader(OPERATION).event(event)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }

    async fn change_sets(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ChangeSetSummary>, PortError> {
        const OPERATION: &str = "ListChangeSets";
        let request = self.stacks.list_change_sets().stack_name(stack.as_str()).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let summaries = answer.summaries.unwrap_or_default().into_iter();
        let items = summaries.map(|summary| Reader(OPERATION).summary(&summary)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }

    async fn describe_change_set(
        &self,
        stack: &StackId,
        name: &ChangeSetName,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        const OPERATION: &str = "DescribeChangeSet";
        let request = self.stacks.describe_change_set().stack_name(stack.as_str()).change_set_name(name.as_str());
        let answer = request.include_property_values(true).set_next_token(page).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]));
        found(answer)?.map(|answer| Reader(OPERATION).change_set(answer)).transpose()
    }

    async fn nested_change_set(
        &self,
        id: &ChangeSetId,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        const OPERATION: &str = "DescribeChangeSet";
        let request = self.stacks.describe_change_set().change_set_name(id.as_str());
        let answer = request.include_property_values(true).set_next_token(page).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]));
        found(answer)?.map(|answer| Reader(OPERATION).change_set(answer)).transpose()
    }

    async fn change_set_template(&self, stack: &StackId, name: &ChangeSetName) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetTemplate";
        let request = self.stacks.get_template().stack_name(stack.as_str()).change_set_name(name.as_str());
        let request = request.template_stage(TemplateStage::Original);
        let answer = found(request.send().await.map_err(|e| port_error(OPERATION, e, &[])))?;
        answer.map(|answer| Reader(OPERATION).need(answer.template_body, "TemplateBody")).transpose()
    }

    async fn importers(&self, export: &str, page: Option<PageToken>) -> Result<Page<StackName>, PortError> {
        const OPERATION: &str = "ListImports";
        let request = self.stacks.list_imports().export_name(export).set_next_token(page);
        let answer = match request.send().await.map_err(|e| port_error(OPERATION, e, &[])) {
            // That is how AWS says "none".
            Err(error) if error.message.contains("is not imported by any stack") => {
                return Ok(Page { items: Vec::new(), next: None });
            }
            answer => answer?,
        };
        let names = answer.imports.unwrap_or_default();
        let read = |name: &String| Reader(OPERATION).parse(Some(name), "Imports");
        Ok(Page { items: names.iter().map(read).collect::<Result<_, _>>()?, next: answer.next_token })
    }

    async fn newest_backup(&self, kind: &str, physical_id: &str) -> Result<Option<Timestamp>, PortError> {
        const OPERATION: &str = "ListBackups";
        if !matches!(kind, "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable") {
            return Ok(None);
        }
        // A backup of an earlier table of that name has nothing of this one.
        let described = self.tables.describe_table().table_name(physical_id).send().await;
        let described = found(described.map_err(|e| port_error("DescribeTable", e, &[])))?;
        let Some(id) = described.and_then(|answer| answer.table?.table_id) else { return Ok(None) };
        let request = self.tables.list_backups().table_name(physical_id).backup_type(BackupTypeFilter::All);
        let (mut newest, mut after) = (None, None);
        for _ in 0..MAX_BACKUP_PAGES {
            let page = request.clone().set_exclusive_start_backup_arn(after).send().await;
            let page = page.map_err(|e| port_error(OPERATION, e, &[]))?;
            for backup in page.backup_summaries.unwrap_or_default() {
                if let (Some(BackupStatus::Available), Some(at)) =
                    (backup.backup_status, backup.backup_creation_date_time)
                    && backup.table_id.as_ref() == Some(&id)
                {
                    newest = newest.max(Some(Reader(OPERATION).time(&at)?));
                }
            }
            after = page.last_evaluated_backup_arn;
            if after.is_none() {
                break;
            }
        }
        // Beyond the last page that was read there can only be more of them: what was found exists.
        Ok(newest)
    }

    async fn create(&self, _fence: Fence, request: CreateStack) -> Result<StackId, PortError> {
        const OPERATION: &str = "CreateStack";
        let (body, url) = request::template(&request.template);
        let options = &request.options;
        let call = self
            .stacks
            .create_stack()
            .stack_name(request.name.as_str())
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(request::parameters(&options.parameters)))
            .set_capabilities(Some(request::capabilities(&options.capabilities)))
            .set_tags(Some(request::tags(&options.tags)))
            .set_role_arn(options.role_arn.clone())
            .set_notification_arns(Some(options.notifications.iter().cloned().collect()))
            .rollback_configuration(request::rollback(options))
            .enable_termination_protection(request.termination_protection)
            .set_stack_policy_body(request.stack_policy.map(|policy| policy.as_ref().to_owned()))
            .on_failure(request::on_failure(request.on_failure))
            .set_timeout_in_minutes(request.timeout.map(request::minutes))
            .client_request_token(request.token);
        let secrets = request::secrets(&options.parameters);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &secrets))?;
        Reader(OPERATION).parse(answer.stack_id(), "StackId")
    }

    async fn create_change_set(&self, _fence: Fence, request: CreateChangeSet) -> Result<ChangeSetId, PortError> {
        const OPERATION: &str = "CreateChangeSet";
        let (body, url) = request::template(&request.template);
        let options = &request.options;
        let call = self
            .stacks
            .create_change_set()
            .change_set_type(ChangeSetType::Update)
            .stack_name(request.stack.as_str())
            .change_set_name(request.name.as_str())
            .set_use_previous_template((request.template == TemplateSource::Previous).then_some(true))
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(request::parameters(&options.parameters)))
            .set_capabilities(Some(request::capabilities(&options.capabilities)))
            .set_tags(Some(request::tags(&options.tags)))
            .set_role_arn(options.role_arn.clone())
            .set_notification_arns(Some(options.notifications.iter().cloned().collect()))
            .rollback_configuration(request::rollback(options))
            .set_deployment_mode(
                (request.mode == DeploymentMode::RevertDrift).then_some(sdk::DeploymentMode::RevertDrift),
            )
            .include_nested_stacks(request.nested);
        let secrets = request::secrets(&options.parameters);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &secrets))?;
        Reader(OPERATION).parse(answer.id(), "Id")
    }

    async fn execute_change_set(&self, _fence: Fence, change_set: &ChangeSetId, token: &str) -> Result<(), PortError> {
        let call = self.stacks.execute_change_set().change_set_name(change_set.as_str()).client_request_token(token);
        call.send().await.map_err(|e| port_error("ExecuteChangeSet", e, &[]))?;
        Ok(())
    }

    async fn delete_change_set(&self, _fence: Fence, stack: &StackId, name: &ChangeSetName) -> Result<(), PortError> {
        let call = self.stacks.delete_change_set().stack_name(stack.as_str()).change_set_name(name.as_str());
        found(call.send().await.map_err(|e| port_error("DeleteChangeSet", e, &[])))?;
        Ok(())
    }

    async fn delete(
        &self,
        _fence: Fence,
        stack: &StackId,
        retain: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError> {
        let call = self.stacks.delete_stack().stack_name(stack.as_str()).client_request_token(token);
        let call = call.set_retain_resources(request::some(retain));
        found(call.send().await.map_err(|e| port_error("DeleteStack", e, &[])))?;
        Ok(())
    }

    async fn cancel_update(&self, _fence: Fence, stack: &StackId, token: &str) -> Result<(), PortError> {
        let call = self.stacks.cancel_update_stack().stack_name(stack.as_str()).client_request_token(token);
        call.send().await.map_err(|e| port_error("CancelUpdateStack", e, &[]))?;
        Ok(())
    }

    async fn continue_rollback(
        &self,
        _fence: Fence,
        stack: &StackId,
        skip: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError> {
        let call = self.stacks.continue_update_rollback().stack_name(stack.as_str()).client_request_token(token);
        let call = call.set_resources_to_skip(request::some(skip));
        call.send().await.map_err(|e| port_error("ContinueUpdateRollback", e, &[]))?;
        Ok(())
    }

    async fn set_termination_protection(&self, _fence: Fence, stack: &StackId, on: bool) -> Result<(), PortError> {
        let call = self.stacks.update_termination_protection().stack_name(stack.as_str());
        let call = call.enable_termination_protection(on);
        call.send().await.map_err(|e| port_error("UpdateTerminationProtection", e, &[]))?;
        Ok(())
    }

    async fn set_stack_policy(&self, _fence: Fence, stack: &StackId, body: &str) -> Result<(), PortError> {
        let call = self.stacks.set_stack_policy().stack_name(stack.as_str()).stack_policy_body(body);
        call.send().await.map_err(|e| port_error("SetStackPolicy", e, &[]))?;
        Ok(())
    }

    async fn keeps_versions(&self, bucket: &str) -> Result<bool, PortError> {
        self.objects.keeps_versions(bucket).await
    }

    async fn stored(&self, names: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        const OPERATION: &str = "GetParameters";
        let request = self.parameters.get_parameters().set_names(Some(names.to_vec()));
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let mut values = BTreeMap::new();
        for parameter in answer.parameters.unwrap_or_default() {
            // It is asked for by name, by ARN, or by either with a version or a label.
            let selector = parameter.selector.as_deref().unwrap_or_default();
            let called = [parameter.name.as_deref(), parameter.arn.as_deref()];
            let called: Vec<String> = called.into_iter().flatten().map(|name| format!("{name}{selector}")).collect();
            let value = Reader(OPERATION).need(parameter.value, "Value")?;
            for name in names.iter().filter(|name| called.contains(name)) {
                values.insert(name.clone(), value.clone());
            }
        }
        Ok(values)
    }

    async fn upload_template(&self, _fence: Fence, bucket: &str, key: &str, body: &str) -> Result<Uploaded, PortError> {
        let version = self.objects.write(bucket, key, None, body).await?;
        Ok(Uploaded { url: self.objects.url(bucket, key, version.as_deref()).await?, version })
    }

    async fn uploaded_template(&self, bucket: &str, key: &str, version: &str) -> Result<Option<String>, PortError> {
        self.objects.read(bucket, key, Some(version)).await
    }

    async fn newest_upload(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, PortError> {
        self.objects.newest(bucket, key).await
    }

    async fn delete_upload(
        &self,
        _fence: Fence,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), PortError> {
        self.objects.erase(bucket, key, version).await
    }
}
