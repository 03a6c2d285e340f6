//! Allowed dependencies between the packages.

use crate::repository::{WorkspacePackage, dependency_tree, read_file, workspace_packages};

/// The services: libraries over ports.
const SERVICES: [&str; 3] = ["paihao-gateway", "paihao-token", "paihao-notifier"];
/// Adapters behind the ports. Only the program chooses among them.
const ADAPTERS: [&str; 3] = ["paihao-ledger-nats", "paihao-ledger-sqlite", "paihao-cache-redis"];
/// The clients and stores that the adapters bring.
const STORE_CLIENTS: [&str; 4] = ["async-nats", "redis", "rusqlite", "libsqlite3-sys"];
/// Everything that is only there for tests; `wechat-sim` is also part of the demo.
const TEST_PACKAGES: [&str; 6] =
    ["harness", "architecture", "bench", "footprint", "fuzz", "simulation"];

fn package_named<'a>(members: &'a [WorkspacePackage], name: &str) -> &'a WorkspacePackage {
    members.iter().find(|member| member.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn assert_within(package: &str, found: &[String], allowed: &[&str]) {
    let strangers: Vec<_> =
        found.iter().filter(|name| *name != package && !allowed.contains(&name.as_str())).collect();
    assert!(strangers.is_empty(), "{package} is built from {strangers:?} too");
}

#[test]
fn the_rules_of_the_line_know_nothing_but_persistent_maps() {
    let domain = package_named(&workspace_packages(), "paihao-domain").dependencies.clone();
    assert_eq!(domain, ["imbl"]);
    let imbl = [
        "imbl",
        "imbl-sized-chunks",
        "archery",
        "bytemuck",
        "equivalent",
        "rand_core",
        "rand_xoshiro",
        "safe_arch",
        "version_check",
        "wide",
    ];
    assert_within("paihao-domain", &dependency_tree("paihao-domain"), &imbl);
}

#[test]
fn what_crosses_a_boundary_knows_nothing_but_its_format() {
    let contracts = package_named(&workspace_packages(), "paihao-contracts").dependencies.clone();
    // The second only for whoever asks for schemas, and so not in the tree. The last divides sites
    // among the partitions of the ledger, which is a part of the format.
    assert_eq!(contracts, ["hex", "schemars", "serde", "serde_json", "sha2"]);
    let serde = [
        "hex",
        "serde",
        "serde_core",
        "serde_derive",
        "serde_json",
        "itoa",
        "memchr",
        "zmij",
        "proc-macro2",
        "quote",
        "syn",
        "unicode-ident",
        "sha2",
        "digest",
        "block-buffer",
        "crypto-common",
        "hybrid-array",
        "typenum",
        "const-oid",
        "cpufeatures",
        "cfg-if",
        "libc",
    ];
    assert_within("paihao-contracts", &dependency_tree("paihao-contracts"), &serde);
}

#[test]
fn a_service_is_built_without_any_client_of_a_store_or_another_service() {
    let ports = ["paihao-ledger", "paihao-cache", "paihao-access-token", "paihao-wechat"];
    for package in SERVICES.into_iter().chain(ports).chain(["paihao-chassis"]) {
        let known = dependency_tree(package);
        let others = SERVICES.iter().filter(|service| **service != package);
        for barred in STORE_CLIENTS.iter().chain(&ADAPTERS).chain(others).chain(&TEST_PACKAGES) {
            assert!(!known.iter().any(|name| name == barred), "{package} is built from {barred}");
        }
    }
}

#[test]
fn an_adapter_knows_its_port_and_no_other_store() {
    for (package, port, own) in [
        ("paihao-ledger-nats", "paihao-ledger", &["async-nats"][..]),
        ("paihao-ledger-sqlite", "paihao-ledger", &["rusqlite", "libsqlite3-sys"]),
        ("paihao-cache-redis", "paihao-cache", &["redis"]),
    ] {
        let known = dependency_tree(package);
        assert!(known.iter().any(|name| name == port), "{package} has no port");
        let barred = STORE_CLIENTS.iter().filter(|client| !own.contains(client)).chain(&SERVICES);
        for barred in barred.chain(&["paihao-wechat", "paihao-domain"]) {
            assert!(!known.iter().any(|name| name == barred), "{package} is built from {barred}");
        }
    }
}

#[test]
fn only_the_program_chooses_and_it_ships_no_test_tools() {
    for package in workspace_packages() {
        let by_hand = TEST_PACKAGES.contains(&package.name.as_str());
        if package.name != "paihao" && !by_hand {
            for chosen in ADAPTERS.iter().chain(&SERVICES) {
                let known = package.dependencies.iter().any(|name| name == chosen);
                assert!(!known, "{} depends on {chosen}", package.name);
            }
        }
        if !by_hand {
            for tool in TEST_PACKAGES {
                let known = package.dependencies.iter().any(|name| name == tool);
                assert!(!known, "{} depends on {tool}", package.name);
            }
        }
    }
}

#[test]
fn every_package_says_what_it_is_and_takes_the_house_rules() {
    for package in workspace_packages() {
        assert!(package.description.len() > 10, "{} has no description", package.name);
        let manifest: toml::Table = read_file(&package.manifest).parse().unwrap();
        let rules = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(rules, Some(&toml::Value::Boolean(true)), "{} has its own lints", package.name);
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        for (name, how) in tables.iter().filter_map(|t| manifest.get(*t)?.as_table()).flatten() {
            let shared = how.get("workspace") == Some(&toml::Value::Boolean(true));
            // A package's tests may switch on its own features.
            let itself = how.get("path").and_then(toml::Value::as_str) == Some(".");
            assert!(shared || itself, "{} takes {name} past the workspace's list", package.name);
        }
    }
}

#[test]
fn every_shared_dependency_has_its_reason_beside_it() {
    let manifest = read_file("Cargo.toml");
    let list = manifest.split("[workspace.dependencies]").nth(1).expect("the shared list");
    let lines = list.lines().take_while(|line| !line.starts_with('[')).map(str::trim);
    let mut dependencies = 0;
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        dependencies += 1;
        let ours = line.contains("path = \"");
        let reason = line.rsplit_once(" # ").map_or("", |(_, reason)| reason);
        assert!(ours || reason.len() > 7, "say beside it why it is there: {line}");
    }
    assert!(dependencies > 30, "the list was not found: {dependencies}");
}
