//! Backup plans of AWS Backup in our nouns. They are read by adoption alone.

use aws_sdk_backup::types as sdk;

use crate::model::{TagCondition, VaultCopy, VaultRule, VaultSelection};

fn days(days: Option<i64>) -> Option<u32> {
    days.and_then(|days| u32::try_from(days).ok()).filter(|days| *days > 0)
}

pub(super) fn rule(rule: sdk::BackupRule) -> VaultRule {
    let lifecycle = rule.lifecycle;
    let copies = rule.copy_actions.unwrap_or_default().into_iter();
    VaultRule {
        name: rule.rule_name,
        vault: rule.target_backup_vault_name,
        schedule: rule.schedule_expression.filter(|text| !text.is_empty()),
        zone: rule.schedule_expression_timezone.filter(|text| !text.is_empty()),
        delete_after_days: lifecycle.as_ref().and_then(|lifecycle| days(lifecycle.delete_after_days)),
        cold_after_days: lifecycle.as_ref().and_then(|lifecycle| days(lifecycle.move_to_cold_storage_after_days)),
        copies: copies
            .map(|copy| VaultCopy {
                to: copy.destination_backup_vault_arn,
                delete_after_days: copy.lifecycle.and_then(|lifecycle| days(lifecycle.delete_after_days)),
            })
            .collect(),
    }
}

pub(super) fn selection(selection: sdk::BackupSelection) -> VaultSelection {
    let told = selection.conditions;
    let told = told.as_ref();
    let sorts = [
        (told.and_then(|all| all.string_equals.as_ref()), false, false),
        (told.and_then(|all| all.string_not_equals.as_ref()), false, true),
        (told.and_then(|all| all.string_like.as_ref()), true, false),
        (told.and_then(|all| all.string_not_like.as_ref()), true, true),
    ];
    let conditions = sorts.into_iter().flat_map(|(all, like, not)| {
        all.into_iter().flatten().map(move |one| TagCondition {
            key: one.condition_key.clone().unwrap_or_default(),
            value: one.condition_value.clone().unwrap_or_default(),
            like,
            not,
        })
    });
    let conditions = conditions.collect();
    let tags = selection.list_of_tags.unwrap_or_default().into_iter();
    VaultSelection {
        role: selection.iam_role_arn,
        resources: selection.resources.unwrap_or_default(),
        not_resources: selection.not_resources.unwrap_or_default(),
        // It knows no other comparison than equality (AWS: *`Condition`*).
        any_tag: tags.map(|tag| (tag.condition_key, tag.condition_value)).collect(),
        conditions,
    }
}
