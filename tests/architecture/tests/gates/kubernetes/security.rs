//! Security of the pods: the restricted standard, secrets by reference, and a closed network.

use super::rendered::{OVERLAYS, render};
use crate::repository::{list_files, read_file};
use serde_json::{Value, json};

/// Volumes that the restricted standard allows and that are used here.
const ALLOWED_VOLUMES: [&str; 2] = ["configMap", "secret"];

fn assert_restricted(name: &str, pod: &Value) {
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
    assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[shared].is_null(), "{name}");
    }
    for container in pod["containers"].as_array().unwrap() {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }), "{name}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        let image = container["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no version"));
        assert_ne!(tag, "latest", "{image}");
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        for kind in kinds {
            assert!(ALLOWED_VOLUMES.contains(&kind.as_str()), "{name}: {kind}");
        }
    }
}

#[test]
fn every_pod_is_restricted() {
    for overlay in OVERLAYS {
        let rendered = render(overlay);
        let labels = &rendered.find("Namespace", "paihao")["metadata"]["labels"];
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
        let mut pods = 0;
        for deployment in rendered.of_kind("Deployment") {
            pods += 1;
            let name = deployment["metadata"]["name"].as_str().unwrap();
            assert_restricted(name, &deployment["spec"]["template"]["spec"]);
        }
        assert_eq!(pods, 4, "gateway, token, notifier and redis");
    }
}

#[test]
fn secrets_are_referred_to_and_never_here() {
    for overlay in OVERLAYS {
        assert_eq!(render(overlay).of_kind("Secret").count(), 0);
        for role in ["gateway", "token", "notifier"] {
            let rendered = render(overlay);
            let volume = rendered.volume_at(role, "/run/secrets/paihao");
            assert_eq!(volume["secret"]["secretName"], "paihao-secrets");
        }
    }
    let config: toml::Table = read_file("deploy/kubernetes/base/paihao.toml").parse().unwrap();
    let mut keys = Vec::new();
    collect_secret_files(&toml::Value::Table(config), &mut keys);
    assert!(keys.len() > 3, "{keys:?}");
    let guide = read_file("deploy/kubernetes/README.md");
    for key in keys {
        let name = key.strip_prefix("/run/secrets/paihao/").unwrap_or_else(|| panic!("{key}"));
        assert!(guide.contains(&format!("--from-file={name}")), "the guide makes no {name}");
    }
    for file in list_files("deploy/kubernetes", &[".yaml"]) {
        let text = read_file(&file);
        assert!(!text.contains("kind: Secret\n"), "{file}");
    }
}

fn collect_secret_files(value: &toml::Value, found: &mut Vec<String>) {
    let Some(table) = value.as_table() else { return };
    match table.get("file").and_then(toml::Value::as_str) {
        Some(file) => found.push(file.to_owned()),
        None => table.values().for_each(|value| collect_secret_files(value, found)),
    }
}

#[test]
fn nothing_reaches_a_pod_that_no_policy_names() {
    for overlay in OVERLAYS {
        let rendered = render(overlay);
        let closed = rendered.find("NetworkPolicy", "nothing-by-default");
        assert_eq!(closed["spec"]["podSelector"], json!({}));
        assert_eq!(closed["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        assert!(closed["spec"]["ingress"].is_null() && closed["spec"]["egress"].is_null());
        for policy in rendered.of_kind("NetworkPolicy") {
            let name = policy["metadata"]["name"].as_str().unwrap();
            for side in ["ingress", "egress"] {
                for rule in policy["spec"][side].as_array().into_iter().flatten() {
                    let peers = if side == "ingress" { "from" } else { "to" };
                    assert!(rule[peers].is_array(), "{name} is open to everybody");
                    assert!(rule["ports"].is_array(), "{name} is open on every port");
                }
            }
        }
    }
}
