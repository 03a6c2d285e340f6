//! Paths of the server programs, and Python with the packages of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Path of the newest nats-server: `PAIHAO_NATS_SERVER`, or the one that `tests/run` installed, or
/// the one in PATH.
pub fn nats_server() -> PathBuf {
    find("PAIHAO_NATS_SERVER", "nats-server", true)
}

/// Path of the oldest supported nats-server: `PAIHAO_NATS_SERVER_OLDEST`, or the one that
/// `tests/run` installed.
pub fn nats_server_oldest() -> PathBuf {
    find("PAIHAO_NATS_SERVER_OLDEST", "nats-server-oldest", false)
}

/// Path of redis-server: `PAIHAO_REDIS_SERVER`, or the one that `tests/run` installed, or the one
/// in PATH.
pub fn redis_server() -> PathBuf {
    find("PAIHAO_REDIS_SERVER", "redis-server", true)
}

/// Path of chromedriver: `PAIHAO_CHROMEDRIVER`, or the one in PATH, which `tests/run` installs.
pub fn chromedriver() -> PathBuf {
    find("PAIHAO_CHROMEDRIVER", "chromedriver", true)
}

/// Path of the browser that chromedriver drives: `PAIHAO_CHROMIUM`, or the one in PATH.
pub fn chromium() -> PathBuf {
    find("PAIHAO_CHROMIUM", "chromium", true)
}

/// Folder of the Python packages that `tests/run` installed for the tests; `None` if it has not.
pub fn python_packages() -> Option<PathBuf> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/python");
    packages.join("packages.txt").is_file().then_some(packages)
}

/// Python with the packages that `tests/run` installed for the tests.
///
/// # Panics
/// They are not installed.
pub fn python() -> Command {
    let packages = python_packages().expect(
        "the Python packages of the tests are missing: run ./tests/run, which installs them",
    );
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// The command `schemathesis`, which `tests/run` installs.
///
/// # Panics
/// It is not installed.
pub fn schemathesis() -> Command {
    let packages = installed("schemathesis");
    assert!(packages.is_dir(), "{} is missing: run ./tests/run", packages.display());
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    python.args(["-m", "schemathesis.cli"]);
    python
}

/// Path of nginx: `PAIHAO_NGINX`, or the one in PATH or where Debian installs it.
pub fn nginx() -> PathBuf {
    let debian = Path::new("/usr/sbin/nginx");
    let named = std::env::var_os("PAIHAO_NGINX").is_some();
    if debian.is_file() && !named { debian.into() } else { find("PAIHAO_NGINX", "nginx", true) }
}

/// Path of caddy, whose authority speaks ACME: `PAIHAO_CADDY`, or the one in PATH, which
/// `tests/run` installs.
pub fn caddy() -> PathBuf {
    find("PAIHAO_CADDY", "caddy", true)
}

/// Path of prometheus: `PAIHAO_PROMETHEUS`, or the one in PATH, which `tests/run` installs.
pub fn prometheus() -> PathBuf {
    find("PAIHAO_PROMETHEUS", "prometheus", true)
}

/// Path of promtool: `PAIHAO_PROMTOOL`, or the one in PATH, which `tests/run` installs.
pub fn promtool() -> PathBuf {
    find("PAIHAO_PROMTOOL", "promtool", true)
}

/// Path of the blackbox exporter, as Debian names it: `PAIHAO_BLACKBOX_EXPORTER`, or the one in
/// PATH, which `tests/run` installs.
pub fn blackbox_exporter() -> PathBuf {
    find("PAIHAO_BLACKBOX_EXPORTER", "prometheus-blackbox-exporter", true)
}

/// Path of kubectl, which renders kustomize's files: `PAIHAO_KUBECTL`, or the one in PATH, which
/// `tests/run` installs.
pub fn kubectl() -> PathBuf {
    find("PAIHAO_KUBECTL", "kubectl", true)
}

/// Folder of the Python package `kubernetes_validate`, with the schemas of Kubernetes, which
/// `tests/run` installs.
pub fn kubernetes_validate() -> PathBuf {
    let folder = installed("kubernetes-validate");
    assert!(folder.is_dir(), "{} is missing: run ./tests/run", folder.display());
    folder
}

/// Path of a tool that `tests/run` installs for the tests alone.
fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(name)
}

fn find(variable: &str, name: &str, in_path: bool) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "{variable} names {}, which is no file", named.display());
        return named;
    }
    let installed = installed(name);
    if installed.is_file() {
        return installed;
    }
    std::env::var_os("PATH")
        .filter(|_| in_path)
        .and_then(|path| {
            std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
        })
        .unwrap_or_else(|| {
            panic!("{name} is missing: run ./tests/run, which installs it, or set {variable}")
        })
}
