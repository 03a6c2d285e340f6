//! Kubernetes files: what kustomize makes of them is valid, and fits the program.

mod fields;
mod nats_chart;
mod rendered;
mod security;

use crate::repository::{read_file, repository_root};
use paihao::config::{Config, Role};
use paihao_contracts::streams;
use rendered::{OVERLAYS, Overlay, render};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const RULES: &str = "deploy/kubernetes/components/monitoring/rules.yaml";

/// Versions of Kubernetes whose schemas every object has to fit: the oldest and the newest.
const VERSIONS: [&str; 2] = ["1.31", "1.37"];

/// Time that a pod has beyond the process's own, before it is killed.
const STOP_MARGIN: Duration = Duration::from_secs(10);

#[test]
fn kustomize_makes_objects_that_fit_the_schemas_of_kubernetes() {
    for overlay in OVERLAYS {
        let rendered = render(overlay);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("objects.yaml");
        std::fs::write(&file, &rendered.text).unwrap();
        let said = rendered::validate(&file, &VERSIONS).unwrap();
        let unknown: Vec<_> = said.lines().filter(|line| line.starts_with("WARN")).collect();
        let expected = rendered.objects.iter().filter(|object| fields::is_of_an_operator(object));
        assert_eq!(unknown.len(), expected.count() * VERSIONS.len(), "{unknown:#?}");
        for object in &rendered.objects {
            fields::check(object);
        }
    }
}

#[test]
fn an_object_that_fits_no_schema_is_found() {
    let rendered = render(Overlay::OneNode);
    for (right, wrong) in [
        ("maxUnavailable: 0", "maxUnavailble: 0"),
        ("containerPort: 9090", "containerPort: admin"),
        ("apiVersion: autoscaling/v2\n", "apiVersion: autoscaling/v2beta2\n"),
    ] {
        assert!(rendered.text.contains(right), "{right}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("objects.yaml");
        std::fs::write(&file, rendered.text.replace(right, wrong)).unwrap();
        let said = rendered::validate(&file, &VERSIONS);
        let is_found = said.as_ref().map_or(true, |said| said.contains("Couldn't find schema"));
        assert!(is_found, "{wrong}: {said:?}");
    }
}

/// The configuration that a pod of a role has, with its environment.
fn configuration(overlay: Overlay, role: &str) -> Config {
    let rendered = render(overlay);
    let container = rendered.container(role);
    let mut environment: BTreeMap<String, String> = BTreeMap::new();
    for variable in container["env"].as_array().unwrap() {
        let text = |key: &str| variable[key].as_str().unwrap().to_owned();
        environment.insert(text("name"), text("value"));
    }
    let path = environment.remove("PAIHAO_CONFIG").expect("the pod names its configuration");
    let volume = rendered.volume_at(role, path.rsplit_once('/').unwrap().0);
    let text = rendered.config_map(volume["configMap"]["name"].as_str().unwrap());
    crate::deploy::collect_secrets(&text.parse().unwrap(), "PAIHAO", &mut environment);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("paihao.toml");
    std::fs::write(&file, text).unwrap();
    Config::read(Some(&file), environment).unwrap_or_else(|problem| panic!("{role}: {problem}"))
}

const ROLES: [(&str, Role); 3] =
    [("gateway", Role::Gateway), ("token", Role::Token), ("notifier", Role::Notifier)];

#[test]
fn every_pod_has_a_configuration_that_is_accepted_and_listens_where_it_is_asked() {
    for overlay in OVERLAYS {
        let rendered = render(overlay);
        for (name, role) in ROLES {
            let config = configuration(overlay, name);
            let resolved = config.resolve(role).unwrap_or_else(|e| panic!("{name}: {e}"));
            let container = rendered.container(name);
            assert_eq!(container["args"], serde_json::json!([name]));
            let port = |port: &str| -> Option<u16> {
                let ports = container["ports"].as_array().unwrap();
                let found = ports.iter().find(|declared| declared["name"] == port)?;
                found["containerPort"].as_u64().and_then(|port| port.try_into().ok())
            };
            assert_eq!(port("admin"), Some(resolved.admin_listen.port()), "{name}");
            let expected = (name == "gateway").then(|| resolved.gateway_listen.port());
            assert_eq!(port("http"), expected, "{name}");
            for (probe, path) in [("readinessProbe", "/ready"), ("livenessProbe", "/live")] {
                assert_eq!(container[probe]["httpGet"]["path"], path, "{name}");
                assert_eq!(container[probe]["httpGet"]["port"], "admin", "{name}");
            }
        }
    }
}

#[test]
fn a_pod_serves_until_its_endpoint_is_gone_and_ends_before_it_is_killed() {
    for overlay in OVERLAYS {
        let rendered = render(overlay);
        for (name, role) in ROLES {
            let resolved = configuration(overlay, name).resolve(role).unwrap();
            let probe = &rendered.container(name)["readinessProbe"];
            let seconds = |key: &str| Duration::from_secs(probe[key].as_u64().unwrap());
            let failures = u32::try_from(probe["failureThreshold"].as_u64().unwrap()).unwrap();
            let noticed = seconds("periodSeconds") * failures + seconds("timeoutSeconds");
            assert!(resolved.lame_duck >= noticed, "{name}: {:?}", resolved.lame_duck);
            let grace = &rendered.pod_spec(name)["terminationGracePeriodSeconds"];
            let grace = Duration::from_secs(grace.as_u64().unwrap());
            let needed = resolved.lame_duck + resolved.shutdown_timeout + STOP_MARGIN;
            assert_eq!(grace, needed, "{name}");
        }
    }
}

#[test]
fn each_stream_has_as_many_copies_as_there_are_servers() {
    let values = |file: &str| -> Value {
        let path = format!("deploy/kubernetes/charts/{file}");
        serde_saphyr::from_str(&read_file(&path)).unwrap()
    };
    let (chart, one_node) = (values("nats.yaml"), values("nats.one-node.yaml"));
    let cluster = &chart["config"]["cluster"];
    assert_eq!(cluster["enabled"], true);
    assert_eq!(one_node["config"]["cluster"]["enabled"], false);
    for (overlay, servers) in
        [(Overlay::Production, cluster["replicas"].as_u64().unwrap()), (Overlay::OneNode, 1)]
    {
        for (name, _) in ROLES {
            let environment = render(overlay).container(name)["env"].as_array().unwrap().clone();
            let copies = environment.iter().find(|e| e["name"] == "PAIHAO__LEDGER__REPLICAS");
            assert_eq!(copies.unwrap()["value"], servers.to_string(), "{name}");
        }
    }
    // As nats.conf: an acknowledged entry is on the disk. The version is the one that is tested.
    assert_eq!(chart["config"]["jetstream"]["merge"]["sync_interval"], "always");
    let tested = read_file("tests/run");
    let newest = tested.lines().find_map(|line| line.strip_prefix("newest_nats="));
    let newest = newest.and_then(|line| line.split_whitespace().next()).unwrap();
    assert_eq!(chart["container"]["image"]["tag"], format!("{newest}-alpine"));
    let redis = render(Overlay::Production).deployment("redis")["spec"]["template"].clone();
    let compose: Value = serde_saphyr::from_str(&read_file("deploy/compose.yaml")).unwrap();
    let shipped = &compose["services"]["redis"]["image"];
    assert_eq!(&redis["spec"]["containers"][0]["image"], shipped);
    let version = format!(":{}", env!("CARGO_PKG_VERSION"));
    let image = render(Overlay::Production).container("gateway")["image"].clone();
    assert!(image.as_str().unwrap().ends_with(&version), "{image}");
}

#[test]
fn the_scaler_reads_the_streams_and_consumers_of_the_notifier() {
    let rendered = render(Overlay::Production);
    let scaled = rendered.find("ScaledObject", "paihao-notifier");
    let target = scaled["spec"]["scaleTargetRef"]["name"].as_str().unwrap();
    let replicas = &rendered.deployment(target)["spec"]["replicas"];
    assert!(replicas.is_null(), "one alone has the number of {target}");
    let namespace = "PAIHAO";
    // ledger-nats/src/naming.rs forms the names.
    let naming = read_file("shared/ledger-nats/src/naming.rs");
    let workers = naming.lines().find_map(|line| {
        line.strip_prefix("pub(crate) const QUEUE_CONSUMER: &str = \"")?.strip_suffix("\";")
    });
    let expected = BTreeSet::from([
        (stream_name(namespace, streams::NOTICES.name), workers.unwrap().to_owned()),
        (stream_name(namespace, streams::LEDGER.name), streams::PLANNER.name.to_owned()),
    ]);
    let triggers = scaled["spec"]["triggers"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found: BTreeSet<_> = triggers
        .iter()
        .map(|trigger| {
            assert_eq!(trigger["type"], "nats-jetstream");
            let metadata = &trigger["metadata"];
            assert_eq!(metadata["account"], "$G");
            let endpoint = text(&metadata["natsServerMonitoringEndpoint"]);
            assert_eq!(endpoint, "nats-headless.paihao.svc:8222");
            assert!(metadata["lagThreshold"].as_str().unwrap().parse::<u32>().unwrap() > 0);
            (text(&metadata["stream"]), text(&metadata["consumer"]))
        })
        .collect();
    assert_eq!(found, expected);
}

fn stream_name(namespace: &str, name: &str) -> String {
    format!("{namespace}_{name}").replace('-', "_").to_uppercase()
}

#[test]
fn selectors_select_something() {
    for overlay in OVERLAYS {
        let rendered = render(overlay);
        let kinds = rendered.of_kind("Service").chain(rendered.of_kind("PodDisruptionBudget"));
        for object in kinds.chain(rendered.of_kind("NetworkPolicy")) {
            let name = &object["metadata"]["name"];
            let selectors = [
                &object["spec"]["selector"],
                &object["spec"]["selector"]["matchLabels"],
                &object["spec"]["podSelector"]["matchLabels"],
            ];
            for selector in selectors.iter().filter_map(|selector| selector.as_object()) {
                if selector.values().any(|value| !value.is_string()) {
                    continue; // it holds `matchLabels`
                }
                assert!(rendered.selects(selector), "{name} selects no pod: {selector:?}");
            }
        }
        for scaler in rendered.of_kind("HorizontalPodAutoscaler") {
            rendered.deployment(scaler["spec"]["scaleTargetRef"]["name"].as_str().unwrap());
        }
        for ingress in rendered.of_kind("Ingress") {
            let path = &ingress["spec"]["rules"][0]["http"]["paths"][0];
            let service = &path["backend"]["service"];
            let found = rendered.find("Service", service["name"].as_str().unwrap());
            let ports = found["spec"]["ports"].as_array().unwrap();
            assert!(ports.iter().any(|port| port["name"] == service["port"]["name"]));
        }
    }
}

/// The rules as the Prometheus Operator takes them.
fn rules_object() -> String {
    let alerts = read_file(crate::alerts::ALERTS);
    let groups = alerts.split_once("\ngroups:\n").expect("groups of rules").1;
    let indented = groups.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    });
    "# alerts.yaml for the Prometheus Operator: `PAIHAO_WRITE=1 cargo test -p architecture rules_of`\n\
     apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: paihao\n\
     spec:\n  groups:\n"
        .to_owned()
        + &indented.collect::<String>()
}

#[test]
fn the_rules_of_the_operator_are_those_of_prometheus() {
    if std::env::var_os("PAIHAO_WRITE").is_some() {
        std::fs::write(repository_root().join(RULES), rules_object()).unwrap();
    }
    assert_eq!(read_file(RULES), rules_object(), "{RULES}: write it with PAIHAO_WRITE=1");
}
