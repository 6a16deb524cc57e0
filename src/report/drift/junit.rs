//! For CI systems that show tests: a suite for each stack, a test for each finding, and one for all that is as deployed.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{DriftFinding, DriftReport, FindingKind, ObjectDrift};
use crate::report::words;

type Xml = Writer<Vec<u8>>;

pub(super) fn junit(report: &DriftReport) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = xml.create_element("testsuites").with_attribute(("name", "landfast drift"));
    suites.write_inner_content(|xml| report.items.iter().try_for_each(|item| suite(xml, item)))?;
    let text = String::from_utf8(xml.into_inner()).map_err(io::Error::other)?;
    Ok(text + "\n")
}

fn suite(xml: &mut Xml, item: &ObjectDrift) -> io::Result<()> {
    let shown: Vec<&DriftFinding> = item.findings.iter().filter(|found| found.verdict != FindingKind::Noise).collect();
    let (failures, tests) = (item.drift().count(), shown.len() + 1);
    let skipped = shown.len() - failures;
    let suite = xml.create_element("testsuite").with_attributes([
        ("name", item.object.as_str()),
        ("tests", tests.to_string().as_str()),
        ("failures", failures.to_string().as_str()),
        ("skipped", skipped.to_string().as_str()),
    ]);
    suite.write_inner_content(|xml| {
        let compared = format!("{} compared", words::count(item.compared, "resource"));
        test(xml, item, &compared).write_empty()?;
        shown.into_iter().try_for_each(|finding| case(xml, item, finding))
    })?;
    Ok(())
}

fn case(xml: &mut Xml, item: &ObjectDrift, finding: &DriftFinding) -> io::Result<()> {
    let place = finding.place();
    test(xml, item, &place).write_inner_content(|xml| {
        if finding.verdict != FindingKind::Drift {
            let why = words::clean(finding.why.as_deref().unwrap_or_default());
            xml.create_element("skipped").with_attribute(("message", why.as_str())).write_empty()?;
            return Ok(());
        }
        let told = match finding.sides() {
            Some(sides) => words::clean(&sides),
            None if finding.is_gone() => "deleted".to_owned(),
            None => place.clone(),
        };
        let severity = finding.severity.map_or("drift", super::word);
        let failure = xml.create_element("failure").with_attributes([("type", severity), ("message", told.as_str())]);
        failure.write_text_content(BytesText::new(&told))?;
        Ok(())
    })?;
    Ok(())
}

fn test<'w>(xml: &'w mut Xml, item: &ObjectDrift, name: &str) -> quick_xml::writer::ElementWriter<'w, Vec<u8>> {
    xml.create_element("testcase").with_attributes([("classname", item.object.as_str()), ("name", name)])
}
