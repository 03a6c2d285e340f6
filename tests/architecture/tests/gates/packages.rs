//! Parts of a release: units, the package's configuration, the bill of materials, and the guides
//! beside it in two languages.

use crate::repository::{list_files, read_file, repository_root};
use paihao::config::{Config, DEFAULTS, Role};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Ending of a guide in Chinese.
const CHINESE: &str = concat!(".zh-CN", ".md");

const UNITS: [&str; 2] = ["paihao.service", "paihao@.service"];

/// Settings that take from a process of ours what it never needs.
const SANDBOX: [&str; 23] = [
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "PrivateUsers=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=~@privileged",
    "UMask=0077",
];

fn unit(name: &str) -> Vec<String> {
    let text = read_file(&format!("deploy/package/systemd/{name}"));
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_unit_is_confined_and_has_the_time_of_a_soft_stop() {
    let defaults: toml::Table = DEFAULTS.parse().unwrap();
    let limit = defaults["stop"]["soft_limit_seconds"].as_integer().unwrap();
    for name in UNITS {
        let lines = unit(name);
        for setting in SANDBOX {
            assert!(lines.iter().any(|line| line == setting), "{name} lacks {setting}");
        }
        let stop = lines.iter().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
        assert!(stop.parse::<i64>().unwrap() > limit, "{name} is killed within its soft stop");
        assert!(lines.iter().any(|line| line == "RestartPreventExitStatus=2"), "{name}");
    }
    let of_one_kind = |name: &str| {
        let differs = |line: &String| {
            ["Description=", "ExecStart=", "EnvironmentFile="]
                .iter()
                .any(|key| line.starts_with(key))
        };
        unit(name).into_iter().filter(|line| !differs(line)).collect::<Vec<_>>()
    };
    assert_eq!(of_one_kind(UNITS[0]), of_one_kind(UNITS[1]), "the units differ in the role alone");
}

#[test]
fn the_configuration_of_the_package_is_accepted_as_it_is() {
    let folder = "deploy/package/debian";
    let conffiles = read_file(&format!("{folder}/conffiles"));
    for path in conffiles.lines() {
        let name = path.strip_prefix("/etc/paihao/").unwrap_or_else(|| panic!("{path}"));
        let text = read_file(&format!("{folder}/{name}"));
        let config = if name.ends_with(".env") {
            let pairs = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                (key.to_owned(), value.to_owned())
            });
            Config::read(None, pairs)
        } else {
            Config::read(Some(&repository_root().join(folder).join(name)), [])
        };
        let config = config.unwrap_or_else(|error| panic!("{name}: {error}"));
        config.resolve(Role::All).map(drop).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let shipped = list_files(folder, &[".toml", ".env"]);
    assert_eq!(shipped.len(), conffiles.lines().count(), "{shipped:?} against {conffiles}");
}

/// Target of the bill that is checked.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Packages that Cargo builds the program of, for one target.
fn built_packages() -> BTreeSet<String> {
    let tree = ["tree", "--locked", "--package", "paihao", "--target", TARGET];
    let made = Command::new(env!("CARGO"))
        .args(tree)
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(repository_root())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_bill_of_materials_names_all_that_is_linked_with_its_licence_and_checksum() {
    let made = Command::new("python3")
        .arg(repository_root().join("deploy/package/sbom"))
        .arg(TARGET)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bill: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let components = bill["components"].as_array().unwrap();
    let name = |component: &Value| component["name"].as_str().unwrap().to_owned();
    let named: BTreeSet<_> = components.iter().map(name).collect();
    let built = built_packages();
    assert!(built.len() > 200, "{built:?}");
    let missing: Vec<_> = built.difference(&named).filter(|name| *name != "paihao").collect();
    assert!(missing.is_empty(), "not named: {missing:?}");
    for tool in ["harness", "proptest", "fantoccini", "tempfile"] {
        assert!(!named.contains(tool), "{tool} is a tool of the tests");
    }
    let ours = |name: &str| name.starts_with("paihao") || name == "wechat-sim";
    for component in components {
        assert!(component["licenses"][0]["expression"].is_string(), "no licence: {component}");
        let sum = component["hashes"][0]["content"].as_str().map(str::len);
        assert_eq!(sum, (!ours(&name(component))).then_some(64), "{component}");
    }
}

/// Code blocks, headings and links of a guide: what two languages share.
fn frame(text: &str) -> (Vec<&str>, usize, usize, usize) {
    let parts: Vec<_> = text.split("```").collect();
    let blocks = parts.iter().skip(1).step_by(2).copied().collect();
    let prose: String = parts.iter().step_by(2).copied().collect();
    let lines = |mark: &str| prose.lines().filter(|line| line.starts_with(mark)).count();
    let links = prose.matches("](").count();
    (blocks, lines("#"), lines("|"), links)
}

#[test]
fn a_guide_in_two_languages_has_the_same_commands_headings_tables_and_links() {
    let translated = list_files("docs/guide", &[CHINESE]);
    assert!(translated.len() >= 6, "{translated:?}");
    for chinese in translated {
        let english = chinese.replace(CHINESE, ".md");
        let (chinese_text, english_text) = (read_file(&chinese), read_file(&english));
        let (ours, theirs) = (frame(&chinese_text), frame(&english_text));
        assert_eq!((ours.1, ours.2, ours.3), (theirs.1, theirs.2, theirs.3), "{chinese}");
        // A drawing, in a block of text, is in words of its own.
        let commands = |blocks: Vec<&str>| -> Vec<String> {
            blocks
                .iter()
                .filter(|block| !block.starts_with("text"))
                .map(|b| b.to_string())
                .collect()
        };
        assert_eq!(commands(ours.0), commands(theirs.0), "{chinese}");
    }
}
