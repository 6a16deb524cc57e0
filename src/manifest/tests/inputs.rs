//! Other people's files: what they say is taken as CloudFormation takes it, or is an error.

use super::*;

fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let loaded = load_with(files);
    loaded.diagnostics.iter().map(|one| format!("{} {}", one.code, one.message)).collect()
}

#[test]
fn nothing_of_a_parameter_file_is_passed_over() {
    for (file, said) in [
        (r#"{"Parameters": {"Env": "dev"}, "Tags": {"Team": "a"}}"#, "`Tags` of a parameter file is not used"),
        (r#"{"Parameters": {"Env": "dev"}, "StackPolicy": {"Statement": []}}"#, "`StackPolicy` of a parameter file"),
        (r#"{"Parameters": {"Env": "dev"}, "Params": {"A": "b"}}"#, "unknown field `Params`"),
        (r#"{"Parameters": {"Env": "dev", "Zones": ["a,b", "c"]}}"#, "an item of the list `Zones` contains a comma"),
    ] {
        let found = errors(&[("dev.json", file)]);
        assert!(found.iter().any(|text| text.contains(said)), "{file}: {found:?}");
        let loaded = load_with(&[("dev.json", file)]);
        let place = loaded.diagnostics.iter().find(|one| one.message.contains(said)).unwrap();
        assert_eq!((place.file.as_deref(), place.line), (Some("dev.json"), Some(1)), "{place:?}");
    }
}

#[test]
fn an_item_of_a_list_keeps_its_commas_or_is_refused() {
    let given = |zones: &str| web(&format!("{GOOD}    Zones: {zones}\n"));
    assert_eq!(errors(&[("stacks/web.yaml", &given("['a,b', c]"))]).len(), 1);
    assert_eq!(errors(&[("stacks/web.yaml", &given("[a, b]"))]), [""; 0]);
    assert_eq!(errors(&[("stacks/web.yaml", &given("'a,b'"))]), [""; 0], "this is the list itself");
}

#[test]
fn allowed_values_are_what_cloudformation_reads() {
    let template =
        |allowed: &str| WEB_TEMPLATE.replace("AllowedValues: [1, 2, 3]", &format!("AllowedValues: [{allowed}]"));
    let fits = |allowed: &str, value: &str| {
        let manifest = web(&format!("{GOOD}    Name: {value}\n"));
        let template = template("1").replace("AllowedPattern: '[a-z]+'", &format!("AllowedValues: [web, {allowed}]"));
        errors(&[("stacks/web.tpl", &template), ("stacks/web.yaml", &manifest)]).is_empty()
    };
    for (allowed, value, is) in [
        ("1e3", "1e3", true),
        ("0777", "511", true),
        ("0777", "'0777'", false),
        ("'0777'", "0777", true),
        ("012345678901", "'012345678901'", true),
        ("012345670123", "'012345670123'", false),
        ("1_000", "'1000'", true),
        ("0x1F", "'31'", true),
        ("22:22", "'1342'", true),
        ("1.10", "'1.1'", true),
        ("1.10", "'1.10'", false),
        ("'1.10'", "'1.10'", true),
        ("yes", "'true'", true),
        ("'yes'", "'yes'", true),
    ] {
        assert_eq!(fits(allowed, value), is, "AllowedValues: [{allowed}] and {value}");
    }
}

#[test]
fn an_object_has_room_for_the_tags_of_its_own() {
    let tags = |count: usize| (0..count).map(|at| format!("t{at}: v")).collect::<Vec<_>>().join(", ");
    let with = |count: usize, rest: &str| {
        errors(&[("stacks/web.yaml", &web(&format!("{GOOD}  tags: {{ {} }}\n{rest}", tags(count))))])
    };
    // The environment has two.
    assert_eq!(with(47, ""), [""; 0]);
    assert!(with(48, "")[0].contains("it has 50 tags"), "{:?}", with(48, ""));
    assert_eq!(with(46, "  deletionPolicy: retain\n"), [""; 0]);
    assert_eq!(with(47, "  deletionPolicy: retain\n").len(), 1);
}
