//! `ports::Account` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::RegistryType;
use aws_sdk_iam::types::PolicyEvaluationDecisionType;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use crate::model::{Certificate, Principal, TypeFacts};
use crate::ports::{Account, Page, PageToken, PortError, found};

/// One account in one region.
pub(super) struct Client {
    caller: aws_sdk_sts::Client,
    registry: aws_sdk_cloudformation::Client,
    policies: aws_sdk_iam::Client,
    resources: aws_sdk_cloudcontrol::Client,
    quotas: aws_sdk_servicequotas::Client,
    certificates: aws_sdk_acm::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            caller: aws_sdk_sts::Client::new(config),
            registry: aws_sdk_cloudformation::Client::new(config),
            policies: aws_sdk_iam::Client::new(config),
            resources: aws_sdk_cloudcontrol::Client::new(config),
            quotas: aws_sdk_servicequotas::Client::new(config),
            certificates: aws_sdk_acm::Client::new(config),
        }
    }
}

/// The permissions that a resource type's schema names for its creation.
fn create_permissions(schema: &str) -> Result<TypeFacts, serde_json::Error> {
    let schema: serde_json::Value = serde_json::from_str(schema)?;
    let permissions = schema.pointer("/handlers/create/permissions").and_then(serde_json::Value::as_array);
    let texts = permissions.into_iter().flatten().filter_map(serde_json::Value::as_str);
    Ok(TypeFacts { create: texts.map(str::to_owned).collect() })
}

#[async_trait]
impl Account for Client {
    async fn principal(&self) -> Result<Principal, PortError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self.caller.get_caller_identity().send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let reader = Reader(OPERATION);
        Ok(Principal {
            account: reader.parse(answer.account(), "Account")?,
            arn: reader.need(answer.arn(), "Arn")?.to_owned(),
        })
    }

    async fn resource_type(&self, name: &str) -> Result<Option<TypeFacts>, PortError> {
        const OPERATION: &str = "DescribeType";
        let request = self.registry.describe_type().r#type(RegistryType::Resource).type_name(name);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]));
        let Some(answer) = found(answer)? else { return Ok(None) };
        let schema = answer.schema().unwrap_or("{}");
        create_permissions(schema).map(Some).map_err(|_| unreadable(OPERATION, "its schema is not JSON"))
    }

    async fn denied(
        &self,
        principal: &str,
        actions: &[String],
        page: Option<PageToken>,
    ) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "SimulatePrincipalPolicy";
        let request = self.policies.simulate_principal_policy().policy_source_arn(principal);
        let request = request.set_action_names(Some(actions.to_vec())).set_marker(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let denied = answer.evaluation_results().iter();
        let denied = denied.filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed);
        let items = denied.map(|result| result.eval_action_name().to_owned()).collect();
        Ok(Page { items, next: answer.marker.filter(|_| answer.is_truncated) })
    }

    async fn resources(&self, kind: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "ListResources";
        let request = self.resources.list_resources().type_name(kind).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let descriptions = answer.resource_descriptions.unwrap_or_default();
        Ok(Page {
            items: descriptions.into_iter().filter_map(|resource| resource.identifier).collect(),
            next: answer.next_token,
        })
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<f64>, PortError> {
        const OPERATION: &str = "GetServiceQuota";
        let request = self.quotas.get_service_quota().service_code(service).quota_code(code);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]));
        Ok(found(answer)?.and_then(|answer| answer.quota).and_then(|quota| quota.value))
    }

    async fn certificate(&self, arn: &str) -> Result<Option<Certificate>, PortError> {
        const OPERATION: &str = "DescribeCertificate";
        let request = self.certificates.describe_certificate().certificate_arn(arn);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]));
        let Some(detail) = found(answer)?.and_then(|answer| answer.certificate) else { return Ok(None) };
        Ok(Some(Certificate {
            domain: detail.domain_name().unwrap_or_default().to_owned(),
            status: detail.status().map_or("UNKNOWN", |status| status.as_str()).to_owned(),
            not_after: detail.not_after().map(|at| Reader(OPERATION).time(at)).transpose()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permissions_of_a_creation_are_those_of_the_schema() {
        let facts = create_permissions(r#"{"handlers":{"create":{"permissions":["ec2:CreateVpc"]}}}"#).unwrap();
        assert_eq!(facts.create, ["ec2:CreateVpc".to_owned()].into());
        assert!(create_permissions("{}").unwrap().create.is_empty(), "old types have no handlers");
        assert!(create_permissions("no").is_err());
    }
}
