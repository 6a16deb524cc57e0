//! An export that another stack imports: nothing is updated or deleted that would fail on it, and the importers are named.

use landfast::sim::{Fault, Window};

use super::*;

const IMPORTER: &str = "importer";
const IMPORT: &str =
    "Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !ImportValue app-size } } }\n";
const EXPORT: &str = "!Ref Size, Export: { Name: app-size }";

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

impl Ward {
    /// Somebody makes a stack that imports.
    fn imported(&self) {
        self.console().create_stack(&IMPORTER.parse().unwrap(), IMPORT, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    }

    /// Somebody writes the value in the place of the import.
    fn pinned(&self, value: &str) {
        let template = IMPORT.replace("!ImportValue app-size", value);
        self.console().update_template(&IMPORTER.parse().unwrap(), &template).unwrap();
    }
}

#[test]
fn an_export_in_use_holds_the_update_that_would_take_it_away_and_names_who_imports_it() {
    // It is gone, it has another name, it has another value, it is made of another parameter, or of a key that is to be
    // replaced.
    let desired = [
        putting_out("!Ref Size"),
        putting_out("!Ref Size, Export: { Name: app-dimension }"),
        putting_out("!Sub 'x${Size}', Export: { Name: app-size }"),
        Wanted { output: EXPORT, ..Wanted::sized(2) },
    ];
    for desired in desired {
        let mut ward = Ward::new(putting_out(EXPORT));
        ward.run(5 * MINUTE);
        assert_eq!(ward.ailments(), []);
        ward.imported();
        ward.run(5 * MINUTE);
        assert_eq!(ward.ailments(), [], "to be imported is no ailment");
        ward.commit(desired.clone());
        ward.run(30 * MINUTE);
        assert_eq!(ward.applied("ExecuteChangeSet"), 0, "{desired:?}");
        let (evidence, steps) = embraced(&mut ward);
        assert_eq!(evidence, ["importer imports app-size, whose value is `1`"]);
        let [first, second, _] = steps.as_slice() else { panic!("{steps:#?}") };
        assert!(
            first.contains("importer (not managed by Landfast)") && first.contains("by the literal `1`"),
            "{first}"
        );
        assert!(first.contains("get-template --region us-east-1 --stack-name importer"), "{first}");
        assert!(second.contains("the export app-size of dev/stack/app"), "{second}");
        // The consumer lets go, by the same value: then nothing is in the way.
        ward.pinned("'1'");
        ward.run(30 * MINUTE);
        assert_eq!((ward.applied("ExecuteChangeSet"), ward.ailments()), (1, Vec::new()), "{desired:?}");
        assert!(ward.in_sync());
        assert_eq!(ward.truth.blames(), Vec::<String>::new());
    }
}

#[test]
fn an_export_that_is_written_otherwise_and_is_the_same_is_nobodys_business() {
    let mut ward = Ward::new(putting_out(EXPORT));
    ward.run(5 * MINUTE);
    ward.imported();
    ward.commit(putting_out("!Sub '${Size}', Export: { Name: !Join ['-', [app, size]] }"));
    ward.run(10 * MINUTE);
    assert_eq!((ward.in_sync(), ward.ailments()), (true, Vec::new()));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

#[test]
fn an_export_of_what_is_to_be_replaced_holds_the_change_set_that_says_so() {
    let table =
        |key: &'static str| Wanted { more: key, output: "!Ref Vpc, Export: { Name: app-size }", ..Wanted::sized(1) };
    let mut ward = Ward::new(table("  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }\n"));
    ward.run(5 * MINUTE);
    ward.imported();
    let now = ward.cx.elapsed();
    let denied = Window {
        from: now,
        until: now + 30 * MINUTE,
        scope: None,
        operations: ["ListImports".to_owned()].into(),
        fault: Fault::Denied,
    };
    ward.cloud.set_faults(FaultPlan { windows: vec![denied], ..FaultPlan::default() });
    ward.commit(table("  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.1.0.0/16 } }\n"));
    ward.run(30 * MINUTE);
    assert_eq!(ward.applied("ExecuteChangeSet"), 0, "not to know who imports it is not to know that nobody does");
    ward.run(30 * MINUTE);
    assert_eq!(ward.applied("ExecuteChangeSet"), 0, "it would be rolled back");
    assert!(embraced(&mut ward).0[0].starts_with("importer imports app-size, whose value is `vpc-"));
    ward.pinned("pinned");
    ward.run(30 * MINUTE);
    assert_eq!((ward.applied("ExecuteChangeSet"), ward.in_sync()), (1, true));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

/// Conditions are evaluated by AWS alone.
#[test]
fn an_export_that_an_update_failed_on_holds_it_until_nobody_imports_it() {
    let sized = |size| Wanted {
        more: "Conditions: { Two: !Equals [!Ref Size, '2'] }\n",
        output: "!If [Two, many, one], Export: { Name: app-size }",
        ..Wanted::sized(size)
    };
    let mut ward = Ward::new(sized(1));
    ward.run(5 * MINUTE);
    ward.imported();
    ward.commit(sized(2));
    ward.run(3 * 60 * MINUTE);
    assert_eq!(ward.applied("ExecuteChangeSet"), 1, "an update that is rolled back is no way to ask");
    assert_eq!(embraced(&mut ward).0, ["importer imports app-size, whose value is `one`"]);
    ward.pinned("pinned");
    ward.run(30 * MINUTE);
    assert_eq!((ward.applied("ExecuteChangeSet"), ward.in_sync()), (2, true));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

#[test]
fn a_stack_whose_export_is_in_use_is_deleted_once_it_is_not() {
    let mut ward = Ward::new(putting_out(EXPORT));
    ward.run(5 * MINUTE);
    ward.imported();
    ward.commit(Wanted { present: false, ..Wanted::sized(1) });
    ward.run(30 * MINUTE);
    ward.approve();
    ward.run(30 * MINUTE);
    assert_eq!(ward.applied("DeleteStack"), 0, "AWS would take the request, and do nothing");
    let (evidence, steps) = embraced(&mut ward);
    assert_eq!(evidence, ["importer imports app-size, whose value is `1`"]);
    let [first, second] = steps.as_slice() else { panic!("{steps:#?}") };
    assert!(first.contains("importer (not managed by Landfast)"), "{first}");
    assert!(second.contains("deletes dev/stack/app"), "{second}");
    ward.pinned("pinned");
    ward.run(30 * MINUTE);
    assert_eq!(ward.approve(), None, "it holds a key: a person has to agree, and leaves nothing out");
    ward.run(30 * MINUTE);
    assert_eq!((ward.status(), ward.applied("DeleteStack")), (None, 1));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

#[test]
fn a_deletion_that_aws_takes_and_does_not_begin_is_tried_again() {
    let mut ward = Ward::new(putting_out(EXPORT));
    ward.run(5 * MINUTE);
    ward.imported();
    // For ten minutes nobody is seen to import it.
    let now = ward.cx.elapsed();
    let stale = Window {
        from: now,
        until: now + 10 * MINUTE,
        scope: None,
        operations: ["ListImports".to_owned()].into(),
        fault: Fault::Stale(20 * MINUTE),
    };
    ward.cloud.set_faults(FaultPlan { windows: vec![stale], ..FaultPlan::default() });
    ward.commit(Wanted { present: false, ..Wanted::sized(1) });
    ward.run(2 * MINUTE);
    ward.approve();
    ward.run(5 * MINUTE);
    assert_eq!(ward.status(), Some(StackStatus::CreateComplete), "it is what it was");
    let tried = ward.applied("DeleteStack");
    assert!((1..4).contains(&tried), "{tried} times, which is not for ever, nor without a pause");
    ward.run(60 * MINUTE);
    assert_eq!(embraced(&mut ward).0, ["importer imports app-size, whose value is `1`"], "seen at last");
    ward.pinned("pinned");
    ward.run(2 * 60 * MINUTE);
    ward.approve();
    ward.run(10 * MINUTE);
    assert_eq!(ward.status(), None, "{:?}", ward.looked().1.plan.entries);
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}
