//! An export that another stack imports: nothing is updated that would fail on it, and the importers are named.

use super::*;

const IMPORTER: &str = "importer";

fn putting_out(output: &'static str) -> Wanted {
    Wanted { output, ..Wanted::sized(1) }
}

/// What ails the stack is this alone; its evidence, and what a person is to do, in order.
fn embraced(ward: &mut Ward) -> (Vec<String>, Vec<String>) {
    let ailments = ward.ailments();
    let [one] = ailments.as_slice() else { panic!("{ailments:#?}") };
    assert_eq!(one.ailment, Ailment::ExportInUse, "{one:#?}");
    let Remedy::Decision { choices, .. } = &one.remedy else { panic!("{one:#?}") };
    let steps = choices.iter().map(|choice| format!("{} {}", choice.what, choice.commands.join("; ")));
    (one.evidence.clone(), steps.collect())
}

#[test]
fn an_export_in_use_holds_the_update_that_would_take_it_away_and_names_who_imports_it() {
    let import =
        "Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !ImportValue app-size } } }\n";
    // It is gone, it has another name, and it has another value.
    for output in
        ["!Ref Size", "!Ref Size, Export: { Name: app-dimension }", "!Sub 'x${Size}', Export: { Name: app-size }"]
    {
        let mut ward = Ward::new(putting_out("!Ref Size, Export: { Name: app-size }"));
        ward.run(5 * MINUTE);
        assert_eq!(ward.ailments(), []);
        let importer = IMPORTER.parse().unwrap();
        ward.console().create_stack(&importer, import, &BTreeMap::new(), &BTreeMap::new()).unwrap();
        ward.run(5 * MINUTE);
        assert_eq!(ward.ailments(), [], "to be imported is no ailment");
        ward.commit(putting_out(output));
        ward.run(30 * MINUTE);
        assert_eq!(ward.applied("ExecuteChangeSet"), 0, "{output}");
        let (evidence, steps) = embraced(&mut ward);
        assert_eq!(evidence, ["importer imports app-size, which is `1` now"]);
        let [first, second, _] = steps.as_slice() else { panic!("{steps:#?}") };
        assert!(first.contains("importer, which is not ours") && first.contains("by the literal `1`"), "{first}");
        assert!(first.contains("get-template --region us-east-1 --stack-name importer"), "{first}");
        assert!(second.contains("the export app-size of dev/stack/app"), "{second}");
        // The consumer lets go: then nothing is in the way.
        let pinned = import.replace("!ImportValue app-size", "pinned");
        ward.console().update_template(&importer, &pinned).unwrap();
        ward.run(30 * MINUTE);
        assert_eq!((ward.applied("ExecuteChangeSet"), ward.ailments()), (1, Vec::new()), "{output}");
        assert!(ward.in_sync());
        assert_eq!(ward.truth.blames(), Vec::<String>::new());
    }
}
