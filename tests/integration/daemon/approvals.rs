//! Approvals beside a daemon and with a command of its own: signed by `ssh-keygen` and in process, counted, used once.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::place::{Place, said, until};

/// A key of a person, made by `ssh-keygen`; its public half.
fn keygen(place: &Place, name: &str, more: &[&str]) -> (PathBuf, String) {
    let path = place.dir.path().join(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", name, "-f"]).arg(&path).args(more);
    assert!(command.status().unwrap().success());
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    (path, public.trim().to_owned())
}

/// Ada and Grace have to sign in `dev`.
fn signed_by_two(place: &Place, ada: &str, grace: &str) {
    let text = format!(
        "[[approver]]\nname = 'ada'\nkeys = ['{ada}']\n[[approver]]\nname = 'grace'\nkeys = ['{grace}']\n\
         [[environment]]\nname = ['*']\nmode = 'approve'\napprovals.required = 2\n"
    );
    std::fs::write(place.dir.path().join("landfast.toml"), text).unwrap();
}

fn list(place: &Place) -> Value {
    let output = place.run(&["approvals", "-o", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

#[track_caller]
fn run(place: &Place, arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let output = place.run(arguments);
    let said = said(&output);
    assert!(
        output.status.code() == Some(code) && parts.iter().all(|part| said.contains(part)),
        "{arguments:?}: {said}"
    );
    said
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_plan_waits_for_two_people_who_sign_it_and_is_applied_once() {
    let place = Place::new();
    let (ada, ada_public) = keygen(&place, "ada", &["-t", "ed25519", "-N", ""]);
    let (grace, grace_public) = keygen(&place, "grace", &["-t", "ecdsa", "-N", ""]);
    let (mallory, _) = keygen(&place, "mallory", &["-t", "ed25519", "-N", ""]);
    signed_by_two(&place, &ada_public, &grace_public);
    let mut daemon = place.start(&[]);
    let waits = || list(&place)["plans"][0].clone();
    until("it waits", || waits()["standing"]["is"] == "waiting");
    let plan = waits()["plan"].as_str().unwrap().to_owned();
    let code = waits()["code"].as_str().unwrap().to_owned();
    // Nobody counts whose key is not listed, and nobody without a signature.
    run(&place, &["approve", "dev", &code, "--key", text(&mallory)], 64, &["is of no [[approver]]"]);
    run(&place, &["approve", "dev", &plan], 3, &["must be signed"]);
    run(&place, &["apply", "dev", "--plan", &code], 3, &["must be signed"]);
    run(&place, &["approve", "dev", &code, "--key", text(&grace)], 64, &["not an Ed25519 key", "ssh-keygen"]);
    run(&place, &["approve", "dev", &"0".repeat(32), "--key", text(&ada)], 3, &["the plan changed since"]);
    run(&place, &["approve", "dev", &plan, "--key", text(&ada), "--for", "8d"], 64, &["at most 7days"]);
    // Ada signs here, twice, and counts once.
    for _ in 0..2 {
        let parts = ["is approved by ada until", "It needs 1 more approver."];
        run(&place, &["approve", "dev", &code, "--key", text(&ada)], 0, &parts);
    }
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(waits()["standing"]["given"], serde_json::json!(["ada"]));
    // Grace signs what is printed, with `ssh-keygen`.
    let printed = place.run(&["approve", "dev", &plan, "--print"]);
    let file = place.dir.path().join("approval.json");
    std::fs::write(&file, &printed.stdout).unwrap();
    let sign = |namespace: &str| {
        let _ = std::fs::remove_file(place.dir.path().join("approval.json.sig"));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&grace).arg(&file);
        assert!(command.output().unwrap().status.success());
    };
    sign("git");
    run(&place, &["approve", "dev", &plan, "--signed", text(&file)], 64, &["not for `approval@landfast`"]);
    sign("approval@landfast");
    run(&place, &["reject", "dev", &plan, "--because", "x", "--signed", text(&file)], 64, &["about another"]);
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, whole.replace(&plan, &"0".repeat(64))).unwrap();
    run(&place, &["approve", "dev", &plan, "--signed", text(&file)], 64, &["about another plan"]);
    std::fs::write(&file, whole).unwrap();
    run(&place, &["approve", "dev", &plan, "--signed", text(&file)], 0, &["is approved by grace until"]);
    until("it is applied", || daemon.log().contains("1 of 1 object ready"));
    run(&place, &["approve", "dev", &plan, "--signed", text(&file)], 64, &["handed in before"]);
    let reviews = list(&place)["reviews"].clone();
    let states: Vec<&str> =
        reviews.as_array().unwrap().iter().map(|review| review["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "used").count(), 2, "{reviews}");
    assert_eq!(daemon.terminate().0, Some(0), "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("approval received") && log.contains("plan approved"), "{log}");
}

#[test]
fn without_a_daemon_the_same_approvals_count_and_a_rejection_voids_them() {
    let place = Place::new();
    let (ada, ada_public) = keygen(&place, "ada", &["-t", "ed25519", "-N", ""]);
    let (grace, grace_public) = keygen(&place, "grace", &["-t", "ed25519", "-N", ""]);
    signed_by_two(&place, &ada_public, &grace_public);
    run(&place, &["apply", "dev", "--yes"], 3, &["landfast approve dev "]);
    let plan = list(&place)["plans"][0]["plan"].as_str().unwrap().to_owned();
    let missing = ["the plan needs 2 more approvers", &format!("landfast approve dev {plan} --key FILE")];
    run(&place, &["apply", "dev", "--plan", &plan], 3, &missing);
    run(&place, &["approve", "dev", &plan, "--key", text(&ada)], 0, &["It needs 1 more approver."]);
    run(&place, &["approve", "dev", &plan, "--key", text(&grace)], 0, &["Enough people approve it"]);
    run(&place, &["reject", "dev", &plan, "--because", "not today"], 0, &["is rejected by", "It is not signed"]);
    run(&place, &["approvals", "dev"], 0, &["is rejected by", "not today", "void: rejected"]);
    run(&place, &["apply", "dev", "--plan", &plan], 3, &["rejected this plan: not today"]);
    run(&place, &["reject", "dev", &plan, "--because", " "], 64, &["--because needs a reason"]);
    run(&place, &["approve", "dev", &plan, "--key", text(&ada)], 0, &["It is rejected by"]);
    run(&place, &["approve", "prod", &plan, "--key", text(&ada)], 64, &["no environment or object is named `prod`"]);
    // Whoever rejected it takes that back; then it needs both anew.
    run(&place, &["apply", "dev", "--plan", &plan], 3, &["rejected this plan"]);
    place.edit(1);
    let other = list(&place)["plans"][0]["plan"].as_str().unwrap().to_owned();
    assert_ne!(plan, other);
    run(&place, &["approve", "dev", &other, "--key", text(&ada)], 0, &[]);
    run(&place, &["approve", "dev", &other, "--key", text(&grace)], 0, &["Enough people approve it"]);
    run(&place, &["apply", "dev"], 0, &["dev is in sync"]);
    run(&place, &["state", "export"], 0, &["\"reviews\"", "not today"]);
}

#[test]
fn where_nobody_has_to_sign_whoever_owns_the_state_approves_and_that_is_said() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("landfast.toml"), "[[environment]]\nname = ['*']\nmode = 'approve'\n")
        .unwrap();
    let plan = list(&place)["plans"][0]["plan"].as_str().unwrap().to_owned();
    run(&place, &["approvals"], 0, &["needs 1 more approver", "nobody verifies who gives them"]);
    run(
        &place,
        &["approve", "dev", &plan],
        0,
        &["It is not signed: nobody has verified who gave it.", "Enough people"],
    );
    run(&place, &["approvals"], 0, &["is approved by", "valid"]);
    let mut daemon = place.start(&[]);
    until("it is applied", || daemon.log().contains("1 of 1 object ready"));
    assert_eq!(daemon.terminate().0, Some(0), "{}", daemon.log());
}
