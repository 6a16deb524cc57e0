//! `Service`: what its documents become, and what is wrong with others.

use std::time::Duration;

use super::*;
use crate::model::{
    Check, Delivery, ImageParameter, MovedTag, NewestBy, Readiness, RolloutFailure, Select, ServiceSpec, SmallMap, Tls,
};

const WEB: &str = "\
Parameters:
  VpcId: { Type: String }
  ImageUri: { Type: String, AllowedPattern: '.+/.+' }
  SidecarImage: { Type: String, Default: none }
  Hidden: { Type: String, Default: none, NoEcho: true }
  Count: { Type: Number, Default: 1 }
Resources: { Service: { Type: AWS::ECS::Service } }
Outputs: { ServiceName: { Value: !GetAtt Service.Name }, Cluster: { Value: c } }
";
const FULL: &str = "  \
  cluster: '${stacks.web.outputs.Cluster}'
  service: ${env}-shop-web
  images:
    app: { repository: '${env}-web', semver: '>=1.4, <2', soak: 10m, allow: ['v?[0-9.]+'], deny: ['.*-rc'], moved: deploy }
    sidecar: { repository: sidecar, registry: '444455556666', newest: { pattern: '^main-([0-9]+)$', by: numerical } }
  deliver: { stack: web, parameters: { app: ImageUri, sidecar: SidecarImage } }
  rollout: { timeout: 20m, onFailure: report }
  keepRevisions: 5
  adopt: true
  health: { http: 'https://${values.domain}/health', expect: 204, within: 3m }
  ready: [{ service: { cluster: c, service: s } }]
  dependsOn: [network]
";

/// A service `api` whose `spec` begins on line 5.
fn service(spec: &str) -> String {
    format!("apiVersion: landfast/v1\nkind: Service\nmetadata: {{ name: api }}\nspec:\n{spec}")
}

fn loaded(spec: &str, others: &[(&str, &str)]) -> Loaded {
    let service = service(spec);
    let files = [("stacks/web.tpl", WEB), ("stacks/api.yaml", &service)].into_iter().chain(others.iter().copied());
    load_with(&files.collect::<Vec<_>>())
}

fn spec_of(loaded: &Loaded, key: &str) -> ServiceSpec {
    let key: Key = key.parse().unwrap();
    loaded.desired.environments[&key.environment].services[&key].as_ref().clone()
}

#[test]
fn a_service_says_all_that_it_can_say() {
    let loaded = loaded(FULL, &[]);
    assert_eq!(said(&loaded), [""; 0]);
    let spec = spec_of(&loaded, "dev/service/api");
    assert_eq!(spec.cluster.to_string(), "${stacks.web.outputs.Cluster}");
    assert_eq!((spec.service.as_literal(), spec.revisions_kept, spec.adopt), (Some("dev-shop-web"), 5, true));
    let app = &spec.images["app"];
    assert_eq!((app.repository.as_str(), app.registry.as_ref()), ("dev-web", None));
    assert_eq!(app.select, Select::Semver(">=1.4, <2".to_owned()));
    assert_eq!((app.soak, app.moved), (Duration::from_mins(10), MovedTag::Deploy));
    assert_eq!(
        (app.allow.as_slice(), app.deny.as_slice()),
        (["v?[0-9.]+".to_owned()].as_slice(), [".*-rc".to_owned()].as_slice())
    );
    let sidecar = &spec.images["sidecar"];
    assert_eq!(sidecar.registry.as_ref().map(crate::model::AccountId::as_str), Some("444455556666"));
    let pattern = "^main-([0-9]+)$".to_owned();
    assert_eq!(sidecar.select, Select::Newest { pattern, by: NewestBy::Numerical });
    assert_eq!((sidecar.soak, sidecar.moved), (Duration::ZERO, MovedTag::Report));
    assert_eq!((spec.rollout.timeout, spec.rollout.on_failure), (Duration::from_mins(20), RolloutFailure::Report));
    let on: Vec<String> = spec.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(on, ["dev/stack/network", "dev/stack/web"]);
    let Delivery::Stack { stack, parameters } = &spec.delivery else { panic!("{:?}", spec.delivery) };
    assert_eq!((stack.to_string().as_str(), parameters["app"].as_str()), ("dev/stack/web", "ImageUri"));
    let ready = &loaded.desired.environments[&spec.key.environment].ready[&spec.key];
    let [Readiness { check: Check::Http(probe), within }, second] = ready.as_slice() else { panic!("{ready:?}") };
    assert_eq!((probe.url.as_literal(), probe.expect), (Some("https://dev.example.com/health"), 204));
    assert_eq!((*within, probe.timeout, &probe.tls), (Duration::from_mins(3), Duration::from_secs(5), &Tls::Verify));
    assert!(matches!(second.check, Check::ServiceSteady { .. }));
}

#[test]
fn the_stack_gets_its_image_from_the_service_alone() {
    let file = r#"{"Parameters": {"Env": "dev", "ImageUri": "from/the-file"}}"#;
    let loaded = loaded(FULL, &[("dev.json", file)]);
    assert_eq!(said(&loaded), [""; 0]);
    let web = stack(&loaded, "dev/stack/web");
    let names = |map: &SmallMap<Parameter>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&web.parameters), ["VpcId"]);
    let owner = |container: &str| ImageParameter {
        service: "dev/service/api".parse().unwrap(),
        container: container.to_owned(),
    };
    assert_eq!(
        web.images,
        SmallMap::from([("ImageUri".to_owned(), owner("app")), ("SidecarImage".to_owned(), owner("sidecar"))])
    );
    assert_eq!(web.depends_on, BTreeSet::from(["dev/stack/network".parse().unwrap()]));
}

#[test]
fn what_is_not_said_has_a_default() {
    let loaded = loaded(
        "  cluster: c\n  service: s\n  images: { app: { repository: web, tag: latest } }\n",
        &[("stacks/web.tpl", WEB_TEMPLATE)],
    );
    assert_eq!(said(&loaded), [""; 0]);
    let spec = spec_of(&loaded, "dev/service/api");
    assert_eq!((spec.delivery, spec.revisions_kept, spec.adopt), (Delivery::Direct, 10, false));
    assert_eq!((spec.rollout.timeout, spec.rollout.on_failure), (Duration::from_mins(15), RolloutFailure::Rollback));
    assert_eq!(spec.depends_on, BTreeSet::new());
    assert!(loaded.desired.environments.values().all(|environment| environment.ready.is_empty()));
}

#[test]
fn a_digest_moves_with_what_is_said_and_not_with_what_is_waited_for() {
    let digest = |spec: &str| spec_of(&loaded(spec, &[]), "dev/service/api").digest;
    let first = digest(FULL);
    assert_eq!(first, digest(&FULL.replace("  dependsOn: [network]\n", "")));
    for (from, to) in [("<2", "<3"), ("10m", "11m"), ("numerical", "alphabetical"), ("20m", "21m"), ("dev", "x")] {
        assert_eq!(first == digest(&FULL.replace(from, to)), !FULL.contains(from), "{from}");
    }
}

#[test]
fn wrong_services_are_told_what_is_wrong() {
    let base = FULL.replace("  health: { http: 'https://${values.domain}/health', expect: 204, within: 3m }\n", "");
    let edits = [
        ("semver: '>=1.4, <2'", "semver: '>=1.4 <2'"),
        ("semver: '>=1.4, <2'", "semver: '>=1.4', tag: latest"),
        ("semver: '>=1.4, <2', ", ""),
        ("semver: '>=1.4, <2'", "digest: sha256:abc"),
        ("semver: '>=1.4, <2'", "tag: 'a b'"),
        ("'v?[0-9.]+'", "'v?[0-9.+'"),
        ("^main-([0-9]+)$", "^main-([0-9]+$"),
        ("by: numerical", "by: numeric"),
        ("soak: 10m", "soak: soon"),
        ("'${env}-web'", "'${env}-web:latest'"),
        ("'${env}-web'", "111122223333.dkr.ecr.us-east-1.amazonaws.com/web"),
        ("'${env}-web'", "'${stacks.web.outputs.Cluster}'"),
        ("'444455556666'", "'4444'"),
        ("moved: deploy", "moved: deploi"),
        ("  service: ${env}-shop-web\n", ""),
        ("app: { repository", "'${env}': { repository"),
        ("stack: web", "stack: wep"),
        ("app: ImageUri", "app: ImageURI"),
        ("app: ImageUri", "app: VpcId"),
        ("app: ImageUri", "app: SidecarImage"),
        ("app: ImageUri", "app: Hidden"),
        ("app: ImageUri", "app: Count"),
        ("app: ImageUri, ", ""),
        ("app: ImageUri", "app: ImageUri, ap: ImageUri"),
        ("timeout: 20m", "timeout: 20s"),
        ("onFailure: report", "onFailure: rolback"),
        ("keepRevisions: 5", "keepRevisions: 0"),
        ("adopt: true", "adopt: perhaps"),
        ("dependsOn: [network]", "dependsOn: [netwrok, service/api, stack/network, secret/nope, thing/x]"),
        ("  adopt: true\n", "  region: eu-west-1\n"),
        ("  adopt: true\n", "  replicas: 3\n"),
    ];
    let variants: Vec<String> = edits
        .iter()
        .map(|(from, to)| {
            assert!(base.contains(from), "{from}");
            service(&base.replace(from, to))
        })
        .collect();
    insta::assert_snapshot!("wrong_services", table("stacks/api.yaml", &variants, &[("stacks/web.tpl", WEB)]));
}

#[test]
fn a_parameter_has_one_writer() {
    let stack = web(&format!("{GOOD}    ImageUri: registry/web:1\n"));
    let loaded_with = loaded(FULL, &[("stacks/web.yaml", &stack)]);
    assert_eq!(said(&loaded_with), ["two-writers stacks/api.yaml:10:45 -"]);
    assert_eq!(
        loaded_with.diagnostics[0].help.as_deref(),
        Some("remove it there, at stacks/web.yaml:8: Landfast sets it to the image")
    );
    let other = service(FULL).replace("name: api", "name: jobs").replace("shop-web", "shop-jobs");
    let loaded_with = loaded(FULL, &[("stacks/jobs.yaml", &other)]);
    assert_eq!(said(&loaded_with), ["two-writers stacks/jobs.yaml:10:45 -", "two-writers stacks/jobs.yaml:10:64 -"]);
    assert_eq!(
        loaded_with.diagnostics[0].help.as_deref(),
        Some("`dev/service/api` uses it for `app`, at stacks/api.yaml:10")
    );
    let same = service(FULL).replace("name: api", "name: jobs").replace(", sidecar: SidecarImage", "");
    assert!(said(&loaded(FULL, &[("stacks/jobs.yaml", &same.replace("app: ImageUri", "app: Other"))])).len() > 1);
}

#[test]
fn two_manifests_do_not_mean_one_service() {
    let direct = "  cluster: c\n  service: s\n  images: { app: { repository: web, tag: latest } }\n";
    let other = service(direct).replace("name: api", "name: jobs");
    let loaded = loaded(direct, &[("stacks/web.tpl", WEB_TEMPLATE), ("stacks/jobs.yaml", &other)]);
    assert_eq!(said(&loaded), ["duplicate-address stacks/jobs.yaml:6:12 -"]);
    assert_eq!(
        loaded.diagnostics[0].message,
        "`dev/service/jobs` and `dev/service/api` both describe the service 111122223333/us-east-1/c/s"
    );
}

#[test]
fn a_mistake_in_a_service_does_not_make_its_stack_look_wrong() {
    let loaded = loaded(&FULL.replace("keepRevisions: 5", "keepRevision: 5"), &[]);
    assert_eq!(said(&loaded), ["unknown-field stacks/api.yaml:12:3 did you mean `keepRevisions`?"]);
}

#[test]
fn a_circle_over_several_kinds_is_found() {
    let stack = web(&format!("{GOOD}  dependsOn: [service/api]\n"));
    let loaded = loaded(FULL, &[("stacks/web.yaml", &stack)]);
    assert_eq!(said(&loaded), ["cycle stacks/web.yaml:8:15 -"]);
    assert_eq!(
        loaded.diagnostics[0].message,
        "objects form a dependency cycle: dev/stack/web → dev/service/api → dev/stack/web"
    );
}

#[test]
fn a_bare_name_of_another_kind_is_recognised() {
    let stack = web(&format!("{GOOD}  dependsOn: [api]\n"));
    let loaded = loaded(FULL, &[("stacks/web.yaml", &stack)]);
    assert_eq!(said(&loaded), ["unknown-stack stacks/web.yaml:8:15 did you mean `service/api`? `api` is a service"]);
}

#[test]
fn prereleases_are_a_switch_of_a_range() {
    // Where the service is broken, nothing gives the stack its image.
    let errors = |loaded: &Loaded| -> Vec<String> {
        let other = loaded.diagnostics.iter().filter(|one| one.code != "missing-parameter");
        other.map(|one| one.message.clone()).collect()
    };
    let with = |image: &str| {
        let deliver = "deliver: { stack: web, parameters: { app: ImageUri } }";
        let images = format!("images: {{ app: {{ repository: app, {image} }} }}");
        loaded(&format!("  cluster: c\n  service: s\n  {images}\n  {deliver}\n"), &[])
    };
    for (image, on) in [
        ("semver: '>=1', prereleases: true", true),
        ("semver: '>=1', prereleases: false", false),
        ("semver: '>=1'", false),
        ("tag: a", false),
    ] {
        let loaded = with(image);
        assert!(errors(&loaded).is_empty(), "{image}: {:?}", errors(&loaded));
        assert_eq!(spec_of(&loaded, "dev/service/api").images["app"].prereleases, on, "{image}");
    }
    let wrong = errors(&with("tag: a, prereleases: true"));
    assert!(wrong.len() == 1 && wrong[0].contains("`prereleases` needs `semver`"), "{wrong:?}");
}
