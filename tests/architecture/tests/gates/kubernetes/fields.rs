//! Fields of objects that an operator defines, for which Kubernetes has no schema.

use serde_json::Value;
use std::collections::BTreeSet;

/// Fields of KEDA 2.19 and of the Prometheus Operator 0.86 that are used here, by kind; `[]` is
/// each item of a list.
const FIELDS: [(&str, &str, &[&str]); 3] = [
    (
        "keda.sh/v1alpha1",
        "ScaledObject",
        &[
            "scaleTargetRef.name",
            "minReplicaCount",
            "maxReplicaCount",
            "pollingInterval",
            "cooldownPeriod",
            "fallback.failureThreshold",
            "fallback.replicas",
            "fallback.behavior",
            "triggers.[].type",
            "triggers.[].metadata.natsServerMonitoringEndpoint",
            "triggers.[].metadata.account",
            "triggers.[].metadata.stream",
            "triggers.[].metadata.consumer",
            "triggers.[].metadata.lagThreshold",
        ],
    ),
    (
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        &[
            "selector.matchLabels.*",
            "endpoints.[].port",
            "endpoints.[].path",
            "endpoints.[].interval",
        ],
    ),
    (
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        &[
            "groups.[].name",
            "groups.[].rules.[].alert",
            "groups.[].rules.[].expr",
            "groups.[].rules.[].for",
            "groups.[].rules.[].labels.*",
            "groups.[].rules.[].annotations.*",
        ],
    ),
];

/// True for an object that Kubernetes itself does not know.
pub(super) fn is_of_an_operator(object: &Value) -> bool {
    FIELDS
        .iter()
        .any(|(version, kind, _)| object["apiVersion"] == *version && object["kind"] == *kind)
}

/// Checks the fields of an object of an operator.
pub(super) fn check(object: &Value) {
    let Some((_, kind, allowed)) = FIELDS
        .iter()
        .find(|(version, kind, _)| object["apiVersion"] == *version && object["kind"] == *kind)
    else {
        return;
    };
    let mut found = BTreeSet::new();
    collect(&object["spec"], "", &mut found);
    assert!(!found.is_empty(), "{kind} says nothing");
    for path in &found {
        let is_allowed = allowed.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == allowed,
        });
        assert!(is_allowed, "{kind} has no field {path}");
    }
}

fn collect(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| collect(value, &below(key), found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, &below("[]"), found)),
        _ => {
            found.insert(path.to_owned());
        }
    }
}
