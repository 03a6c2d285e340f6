//! Objects that kustomize makes of an overlay.

use crate::repository::repository_root;
use serde_json::{Map, Value};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// An overlay that is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlay {
    OneNode,
    Production,
}

pub(super) const OVERLAYS: [Overlay; 2] = [Overlay::OneNode, Overlay::Production];

/// What an overlay becomes.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) objects: Vec<Value>,
}

/// Renders an overlay, once for all tests of a process.
pub(super) fn render(overlay: Overlay) -> Arc<Rendered> {
    static RENDERED: [OnceLock<Arc<Rendered>>; 2] = [const { OnceLock::new() }; 2];
    let (at, folder) = match overlay {
        Overlay::OneNode => (0, "one-node"),
        Overlay::Production => (1, "production"),
    };
    let rendered = RENDERED[at].get_or_init(|| {
        let path = repository_root().join("deploy/kubernetes/overlays").join(folder);
        let output = Command::new(harness::kubectl()).arg("kustomize").arg(path).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{folder}: {errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let objects = text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap());
        Arc::new(Rendered { objects: objects.collect(), text })
    });
    rendered.clone()
}

/// Validates the objects of a file. Returns what was said, or what is wrong.
pub(super) fn validate(file: &Path, versions: &[&str]) -> Result<String, String> {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", harness::kubernetes_validate());
    command.args(["-m", "kubernetes_validate", "--strict", "--quiet"]);
    for version in versions {
        command.args(["-k", version]);
    }
    let output = command.arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

impl Rendered {
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    pub(super) fn find(&self, kind: &str, name: &str) -> &Value {
        let found = self.of_kind(kind).find(|object| object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    pub(super) fn deployment(&self, name: &str) -> &Value {
        self.find("Deployment", name)
    }

    /// The pod of a role.
    pub(super) fn pod_spec(&self, role: &str) -> &Value {
        &self.deployment(&format!("paihao-{role}"))["spec"]["template"]["spec"]
    }

    /// The one container of a role.
    pub(super) fn container(&self, role: &str) -> &Value {
        let containers = self.pod_spec(role)["containers"].as_array().unwrap();
        let [container] = containers.as_slice() else { panic!("{containers:?}") };
        container
    }

    /// The volume that a role has at a path.
    pub(super) fn volume_at(&self, role: &str, path: &str) -> &Value {
        let mounts = self.container(role)["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountPath"] == path);
        let name = &mount.unwrap_or_else(|| panic!("{role} has nothing at {path}"))["name"];
        let volumes = self.pod_spec(role)["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == *name).expect("a volume of this name")
    }

    /// The one file of a ConfigMap.
    pub(super) fn config_map(&self, name: &str) -> String {
        let files = self.find("ConfigMap", name)["data"].as_object().unwrap();
        files.values().next().and_then(Value::as_str).unwrap().to_owned()
    }

    /// True if a pod has these labels. Those of NATS are made by its chart.
    pub(super) fn selects(&self, selector: &Map<String, Value>) -> bool {
        let nats = serde_json::json!({
            "app.kubernetes.io/name": "nats", "app.kubernetes.io/component": "nats",
        });
        let pods = self.of_kind("Deployment");
        let labels = pods.map(|object| &object["spec"]["template"]["metadata"]["labels"]);
        let has_all = |labels: &Value| selector.iter().all(|(key, value)| labels[key] == *value);
        labels.chain([&nats]).any(has_all)
    }
}
