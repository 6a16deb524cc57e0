//! Backup plans of AWS Backup, as a backup policy would say them: in comments.
//!
//! A plan goes on whatever Landfast does, and a policy with a schedule makes backups of its own. So what a plan does is
//! written down where it would stand, and asked for when somebody takes the comments away, and the tables out of the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::scalar::{comment, list, literal, quoted};
use super::survey::FoundTable;
use crate::model::{Schedule, Scope, VaultCopy, VaultPlan, VaultRule, VaultSelection};

/// Which rules of which plans keep a table: by their numbers, and that of the selection that assigns it.
pub(super) type Kept = BTreeSet<(usize, usize, usize)>;

/// What keeps a table.
pub(super) fn kept(plans: &[VaultPlan], table: &FoundTable) -> Kept {
    let mut found = Kept::new();
    for (at, plan) in plans.iter().enumerate() {
        let covers = |selection: &VaultSelection| selection.covers(&table.arn, &table.tags);
        if let Some(selection) = plan.selections.iter().position(covers) {
            found.extend((0..plan.rules.len()).map(|rule| (at, rule, selection)));
        }
    }
    found
}

/// What keeps these tables, as the end of their policy's `spec`; `start` begins the lines of fields.
pub(super) fn text(plans: &[VaultPlan], kept: &Kept, scope: &Scope, start: &str) -> String {
    let mut said: Vec<Said> = kept
        .iter()
        .filter_map(|(plan, rule, selection)| {
            let plan = plans.get(*plan)?;
            Some(Said::of(&plan.name, plan.rules.get(*rule)?, &plan.selections.get(*selection)?.role, scope))
        })
        .collect();
    // One of them can be said: the first that has a schedule, one for each day before others.
    said.sort_by_key(|one| (one.lines.is_empty(), !one.daily));
    let mut text = String::new();
    for (at, one) in said.iter().enumerate() {
        let mut head = format!("{} of AWS Backup also backs up these tables", one.name);
        let lines = if at == 0 { &one.lines[..] } else { &[] };
        if !lines.is_empty() {
            head.push_str(
                ". Landfast would create additional backups, so the schedule is commented out. To move the backups to \
                Landfast, remove these comments and the tables from that plan",
            );
        } else if at > 0 {
            head.push_str(", but a policy has one schedule");
            if !one.lines.is_empty() {
                let _ = write!(head, " (this one's: `{}`)", one.lines.join("`, `"));
            }
        }
        for remark in &one.remarks {
            let _ = write!(head, "; {remark}");
        }
        text.push_str(&comment(2, &format!("{head}.")));
        for line in lines {
            text.extend([start, line, "\n"]);
        }
    }
    text
}

/// A rule in a policy's words.
struct Said {
    name: String,
    /// It is one for each day.
    daily: bool,
    /// The fields; none if it has no schedule that can be said.
    lines: Vec<String>,
    /// What cannot be said.
    remarks: Vec<String>,
}

impl Said {
    fn of(plan: &str, rule: &VaultRule, taken: &str, scope: &Scope) -> Self {
        let mut said = Self {
            name: format!("The rule {} of the plan {plan}", rule.name),
            daily: false,
            lines: Vec::new(),
            remarks: Vec::new(),
        };
        let schedule = said.schedule(rule);
        if let Some(daily) = schedule {
            said.daily = daily;
            said.retention(rule, daily);
            said.copies(rule, taken, scope);
        }
        if let Some(days) = rule.cold_after_days {
            said.remarks.push(format!("it moves them to cold storage after {days} days, which is not supported"));
        }
        said
    }

    /// The schedule, if it can be said; whether it is once a day.
    fn schedule(&mut self, rule: &VaultRule) -> Option<bool> {
        let Some(expression) = &rule.schedule else {
            self.remarks.push("it has no schedule".to_owned());
            return None;
        };
        let zone = rule.zone.as_deref().unwrap_or("UTC");
        let zone = if zone == "Etc/UTC" { "UTC" } else { zone };
        let pattern = cron(expression).filter(|pattern| Schedule::new(pattern, zone).is_ok());
        let Some(pattern) = pattern else {
            self.remarks.push(format!("its schedule, {expression} in {zone}, cannot be written as a cron expression"));
            return None;
        };
        self.lines.push(format!("schedule: \"{pattern}\""));
        if zone != "UTC" {
            self.lines.push(format!("timezone: {}", literal(zone)));
        }
        let fields: Vec<&str> = pattern.split(' ').collect();
        let once = |field: &&str| field.bytes().all(|byte| byte.is_ascii_digit());
        Some(fields.iter().take(2).all(once) && fields.iter().skip(2).all(|field| *field == "*"))
    }

    /// A plan deletes what is so many days old; a policy keeps so many points.
    fn retention(&mut self, rule: &VaultRule, daily: bool) {
        match rule.delete_after_days {
            None => {}
            Some(days) if daily && days <= 1000 => self.lines.push(format!("retention: {{ daily: {days} }}")),
            Some(days) => self.remarks.push(format!(
                "it deletes them after {days} days, but `retention` counts recovery points, not days: choose a number"
            )),
        }
    }

    /// Copies, and the vault with the role that AWS Backup takes.
    fn copies(&mut self, rule: &VaultRule, taken: &str, scope: &Scope) {
        let mut to: BTreeMap<&str, &str> = BTreeMap::new();
        for copy in &rule.copies {
            match place(copy) {
                Some((region, account, vault))
                    if account == scope.account.as_str() && region != scope.region.as_str() =>
                {
                    to.insert(region, vault);
                    if copy.delete_after_days != rule.delete_after_days {
                        let days = copy
                            .delete_after_days
                            .map_or_else(|| "forever".to_owned(), |days| format!("for {days} days"));
                        self.remarks.push(format!(
                            "copies in {region} are kept {days}; Landfast would keep them as long as the originals"
                        ));
                    }
                }
                _ => self.remarks.push(format!("it copies them to {}, which is not supported", copy.to)),
            }
        }
        if to.is_empty() {
            let vault = &rule.vault;
            self.remarks.push(format!(
                "it stores them in the vault {vault}; without copies, Landfast creates on-demand backups"
            ));
            return;
        }
        self.lines.push(format!("vault: {{ name: {}, role: {} }}", literal(&rule.vault), literal(taken)));
        let alike = to.values().all(|vault| *vault == rule.vault);
        let line = if alike {
            list(to.keys().map(|region| quoted(region)))
        } else {
            let pairs = to.iter().map(|(region, vault)| format!("{}: {}", quoted(region), literal(vault)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        };
        self.lines.push(format!("copyTo: {line}"));
    }
}

/// Region, account and name of the vault that gets a copy.
fn place(copy: &VaultCopy) -> Option<(&str, &str, &str)> {
    let (_, place) = copy.to.split_once(":backup:")?;
    let (region, rest) = place.split_once(':')?;
    let (account, vault) = rest.split_once(":backup-vault:")?;
    Some((region, account, vault))
}

/// A schedule as a cron pattern of five fields. AWS has a sixth for the year, says `?` where nothing is said of days, and
/// counts weekdays from 1, which is Sunday (AWS: *Amazon EventBridge, Cron expressions*).
fn cron(expression: &str) -> Option<String> {
    let fields: Vec<&str> = expression.strip_prefix("cron(")?.strip_suffix(')')?.split_whitespace().collect();
    let [minute, hour, day, month, weekday, year] = fields[..] else { return None };
    let odd = |field: &str| field.contains(['L', 'W', '#']) && !field.contains("JUL") && !field.contains("WED");
    if year != "*" || odd(day) || odd(weekday) {
        return None;
    }
    let any = |field: &str| if field == "?" { "*".to_owned() } else { field.to_owned() };
    let weekday = any(weekday);
    let (days, step) = weekday.split_once('/').map_or((&*weekday, None), |(days, step)| (days, Some(step)));
    let mut counted = String::new();
    for c in days.chars() {
        match c {
            '1'..='7' => counted.push(char::from_digit(c.to_digit(10)? - 1, 10)?),
            '0' | '8' | '9' => return None,
            c => counted.push(c),
        }
    }
    if let Some(step) = step {
        counted = format!("{counted}/{step}");
    }
    Some([minute, hour, &any(day), month, &counted].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_a_cron_pattern_where_it_can_be_one() {
        for (aws, pattern) in [
            ("cron(0 5 ? * * *)", Some("0 5 * * *")),
            ("cron(30 3 ? * 1 *)", Some("30 3 * * 0")),
            ("cron(30 3 ? * MON-FRI *)", Some("30 3 * * MON-FRI")),
            ("cron(0 1 ? * 2-6/2 *)", Some("0 1 * * 1-5/2")),
            ("cron(0 1 1 * ? *)", Some("0 1 1 * *")),
            ("cron(0 1 L * ? *)", None),
            ("cron(0 1 ? * 2#1 *)", None),
            ("cron(0 1 ? * * 2027)", None),
            ("rate(1 day)", None),
            ("cron(0 5)", None),
        ] {
            assert_eq!(cron(aws).as_deref(), pattern, "{aws}");
        }
    }
}
