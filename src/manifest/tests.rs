use super::*;
#[test]
fn real() {
    let mut files = std::collections::BTreeMap::new();
    fn walk(root: &std::path::Path, dir: &std::path::Path, files: &mut std::collections::BTreeMap<String, crate::model::FileContent>) {
        for e in std::fs::read_dir(dir).unwrap() {
            let p = e.unwrap().path();
            if p.is_dir() { walk(root, &p, files) } else {
                files.insert(p.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), crate::model::FileContent::Bytes(std::fs::read(&p).unwrap().into()));
            }
        }
    }
    let root = std::path::Path::new("/work/main/manifests");
    walk(root, root, &mut files);
    let snapshot = crate::model::Snapshot::new("manifests", files, None);
    let revision = crate::model::Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let loaded = load(&snapshot, revision);
    for d in loaded.diagnostics { println!("{:?}", miette::Report::new(d)); }
    println!("broken {:?} found {}", loaded.broken, loaded.found);
    for e in loaded.desired.environments.values() { println!("{} {:?}", e.name, e.policy.budget); for s in e.stacks.values() { println!("  {} {} {:?}", s.key, s.stack_name, s.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>()); println!("    {:?}", s.parameters); } }
}
