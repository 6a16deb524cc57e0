//! References: where they lead, in which order, and what is said of those that lead nowhere.

use super::*;

#[test]
fn references_that_lead_nowhere_are_pointed_at_inside_the_text() {
    for (text, expected) in [
        ("a ${stacks.netwrk.outputs.VpcId}", "unknown-stack stacks/web.yaml:7:15 did you mean `network`?"),
        ("a ${stacks.network.outputs.VpcID}", "unknown-output stacks/web.yaml:7:15 did you mean `VpcId`?"),
        ("${environments.prd.stacks.a.outputs.B}", "unknown-environment stacks/web.yaml:7:13 -"),
        ("${values.domian}", "unknown-value stacks/web.yaml:7:13 did you mean `domain`?"),
        ("${parameters.Enw}", "unknown-file-parameter stacks/web.yaml:7:13 did you mean `Env`?"),
        (
            "${stack.network.outputs.VpcId}",
            "unknown-reference stacks/web.yaml:7:13 did you mean `${stacks.network.outputs.VpcId}`?",
        ),
        ("x ${env", "unterminated-reference stacks/web.yaml:7:15 -"),
    ] {
        assert_web(&format!("  parameters:\n    VpcId: '{text}'\n"), &[expected]);
    }
    assert_web(
        &format!("{GOOD}  stackName: 'a-${{stacks.network.outputs.VpcId}}'\n  dependsOn: [netwok]\n"),
        &["not-known-yet stacks/web.yaml:8:17 -", "unknown-stack stacks/web.yaml:9:15 did you mean `network`?"],
    );
}

#[test]
fn a_cycle_is_one_error_that_names_the_way_round() {
    let loaded = load_with(&[(
        "stacks/network.yaml",
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: network }\nspec: { template: network.tpl, dependsOn: [web] }\n",
    )]);
    assert_eq!(said(&loaded), ["cycle stacks/network.yaml:4:44 -"]);
    let cycle = &loaded.diagnostics[0];
    assert!(cycle.message.ends_with("dev/stack/network → dev/stack/web → dev/stack/network"), "{}", cycle.message);
    assert_eq!(
        cycle.help.as_deref(),
        Some(
            "dev/stack/network depends on dev/stack/web: dependsOn (manifests/stacks/network.yaml:4:44)\n\
             dev/stack/web depends on dev/stack/network: ${stacks.network.outputs.VpcId} \
             (manifests/stacks/web.yaml:7:13)"
        )
    );
    assert!(loaded.desired.environments.is_empty());
    assert_web(&format!("{GOOD}  dependsOn: [web]\n"), &["cycle stacks/web.yaml:8:15 -"]);
}

#[test]
fn an_import_of_another_stacks_export_orders_the_graph_across_environments() {
    let other = ENV.replace("name: dev", "name: ops").replace("[stacks]", "[ops]");
    let importer = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: dns }\nspec: { template: dns.tpl }\n";
    let template = "Parameters: { Env: { Type: String } }\nResources:\n  A: { Type: T, Properties: { Id: !ImportValue { 'Fn::Sub': '${Env}-VpcId-us-east-1' } } }\n";
    let files = [("ops.yaml", other.as_str()), ("ops/dns.yaml", importer), ("ops/dns.tpl", template)];
    let loaded = load_with(&files);
    assert_eq!(said(&loaded), [""; 0]);
    assert_eq!(stack(&loaded, "ops/stack/dns").depends_on, BTreeSet::from(["dev/stack/network".parse().unwrap()]));
    let elsewhere = importer.replace("dns.tpl }", "dns.tpl, region: eu-west-1 }");
    let loaded = load_with(&[files[0], ("ops/dns.yaml", &elsewhere), files[2]]);
    assert_eq!(stack(&loaded, "ops/stack/dns").depends_on, BTreeSet::new());
}

#[test]
fn one_broken_environment_stops_only_those_who_take_outputs_from_it() {
    let env = |name: &str, dir: &str| ENV.replace("name: dev", &format!("name: {name}")).replace("[stacks]", dir);
    let broken = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: bad }\nspec: { template: none.tpl }\n";
    let user = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: user }\nspec: { template: ../stacks/web.tpl, parameters: { VpcId: '${environments.shared.stacks.network.outputs.VpcId}' } }\n";
    let loaded = load_with(&[
        ("shared.yaml", &env("shared", "[stacks, shared]")),
        ("shared/bad.yaml", broken),
        ("user.yaml", &env("user", "[user]").replace("  parameters: dev.json\n", "")),
        ("user/user.yaml", user),
    ]);
    assert_eq!(said(&loaded), ["template-not-found shared/bad.yaml:4:19 -"]);
    let help = loaded.diagnostics[0].help.as_deref().unwrap_or_default();
    assert!(help.ends_with("`user` takes outputs from `shared` and is not loaded either"), "{help}");
    assert_eq!(loaded.diagnostics[0].environments.len(), 2);
    let names: Vec<&str> = loaded.broken.iter().map(crate::model::EnvName::as_str).collect();
    assert_eq!(names, ["shared", "user"]);
    assert_eq!(loaded.desired.environments.len(), 1);
    assert_eq!(loaded.desired.environments.values().next().unwrap().stacks.len(), 2);
}

#[test]
fn a_text_of_very_many_references_is_refused_rather_than_searched() {
    let text = "${env}".repeat(100_000);
    assert_web(&format!("{GOOD}    Name: '{text}'\n"), &["too-many-references stacks/web.yaml:8:11 -"]);
}
