//! Values of the NATS chart: their keys are those of the published chart, and they name what this
//! deployment has.
//!
//! The keys stand in a file, each with the kind of its default: `free` takes anything below it.

use crate::repository::read_file;
use serde_json::Value;
use std::collections::BTreeMap;

const VALUES: [&str; 2] = ["nats.yaml", "nats.one-node.yaml"];

/// Keys of the values of the chart in github.com/nats-io/k8s, version 2.14.2.
const CHART: &str = include_str!("nats-chart-2.14.2.txt");

fn values(file: &str) -> Value {
    serde_saphyr::from_str(&read_file(&format!("deploy/kubernetes/charts/{file}"))).unwrap()
}

/// Keys of the chart that hold no other key, with the kind of their defaults.
fn chart_keys() -> BTreeMap<&'static str, &'static str> {
    CHART.lines().map(|line| line.split_once(' ').unwrap()).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// Values whose key is none of the chart, or whose kind is another than that of its default.
fn strange_values(values: &Value, path: &str, keys: &BTreeMap<&str, &str>) -> Vec<String> {
    match keys.get(path) {
        Some(&"free") => Vec::new(),
        // A key without a default takes a text: a name, mostly.
        Some(&default) => {
            let found = kind(values);
            let fits = found == default || (default == "null" && found == "string");
            if fits { Vec::new() } else { vec![format!("{path}: {found} in place of {default}")] }
        }
        None => match values {
            Value::Object(members) => members
                .iter()
                .flat_map(|(key, value)| {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    strange_values(value, &path, keys)
                })
                .collect(),
            _ => vec![format!("{path}: the chart has no such key")],
        },
    }
}

#[test]
fn every_value_is_one_of_the_published_chart() {
    let keys = chart_keys();
    assert!(keys.len() > 200);
    for file in VALUES {
        assert_eq!(strange_values(&values(file), "", &keys), [] as [&str; 0], "{file}");
    }
    for (wrong, problems) in [
        (serde_json::json!({ "config": { "nats": { "tls": { "secret": "x" } } } }), 1),
        (serde_json::json!({ "config": { "nats": { "tls": { "enabled": "yes" } } } }), 1),
        (serde_json::json!({ "config": { "tls": true, "nats": { "tls": true } } }), 2),
        (serde_json::json!({ "tlsCa": { "enabled": true }, "podTemplate": { "merge": [] } }), 1),
    ] {
        let found = strange_values(&wrong, "", &keys);
        assert_eq!(found.len(), problems, "{wrong}: {found:?}");
    }
}

#[test]
fn the_values_name_the_secrets_the_user_and_the_hosts_of_this_deployment() {
    let chart = values("nats.yaml");
    let text = read_file("deploy/kubernetes/base/paihao.toml");
    let config: toml::Table = text.parse().unwrap();
    let authorization = &chart["config"]["merge"]["authorization"];
    assert_eq!(authorization["user"], config["ledger"]["user"].as_str().unwrap());
    // The chart takes the quotes off, and the server reads the variable of its environment.
    let password = authorization["password"].as_str().unwrap();
    let variable = password.strip_prefix("<< $").and_then(|rest| rest.strip_suffix(" >>")).unwrap();
    let reference = &chart["container"]["env"][variable]["valueFrom"]["secretKeyRef"];
    let file = config["ledger"]["password"]["file"].as_str().unwrap();
    assert_eq!(reference["key"], file.rsplit('/').next().unwrap());

    // The secrets are those that the README has made.
    let readme = read_file("deploy/kubernetes/README.md");
    let secret = reference["name"].as_str().unwrap();
    assert!(readme.contains(&format!("create secret generic {secret} ")), "{secret}");
    for part in [&chart["config"]["nats"]["tls"], &chart["config"]["cluster"]["tls"]] {
        assert_eq!(part["secretName"], "nats-tls");
        assert_eq!(part["enabled"], true);
    }
    let authority = &chart["tlsCA"];
    assert_eq!(
        (&authority["secretName"], &authority["enabled"]),
        (&"nats-tls".into(), &true.into())
    );
    let key = authority["key"].as_str().unwrap();
    for made in ["$store-tls", "tls.crt=", "tls.key=", &format!("{key}=")] {
        assert!(readme.contains(made), "README.md makes no {made}");
    }
    assert_eq!(chart["config"]["cluster"]["tls"]["merge"]["verify"], true);

    // The servers' certificate has the names by which clients and the other servers call them.
    let url = config["ledger"]["url"].as_str().unwrap();
    let host = url.strip_prefix("tls://").unwrap().split(':').next().unwrap();
    for name in [format!("DNS:{host},"), format!("DNS:*.{host}-headless,")] {
        assert!(readme.contains(&name), "README.md makes no certificate with {name}");
    }
}
