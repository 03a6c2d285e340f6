//! Files in `deploy/`: configurations, Compose file and image fit the program.

use crate::repository::{list_files, read_file, repository_root};
use paihao::config::{Config, DEFAULTS, PUBLISHED_SECRETS, Role};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// The sample configurations, and the roles that each is for.
const SAMPLE_CONFIGS: [(&str, &[Role]); 3] = [
    ("cluster.toml", &[Role::Gateway, Role::Token, Role::Notifier]),
    ("compose.toml", &[Role::Gateway, Role::Token, Role::Notifier, Role::Sim]),
    ("single.toml", &[Role::All]),
];

/// Long enough for a key, short enough for a callback token.
const SAMPLE_SECRET: &str = "abcdefghijklmnop1234";

/// An EncodingAESKey.
const SAMPLE_AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// An environment in which every secret that a configuration only names is there: the variables
/// that it names, and one in the place of each file.
pub(crate) fn collect_secrets(
    table: &toml::Table,
    path: &str,
    found: &mut BTreeMap<String, String>,
) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        let path = format!("{path}__{}", key.to_uppercase().replace('-', "_"));
        let secret = if key == "aes_key" { SAMPLE_AES_KEY } else { SAMPLE_SECRET };
        match (inner.len(), inner.get("env"), inner.get("file")) {
            (1, Some(name), _) => {
                found.insert(name.as_str().unwrap().to_owned(), secret.to_owned());
            }
            (1, _, Some(_)) => {
                found.insert(path, secret.to_owned());
            }
            _ => collect_secrets(inner, &path, found),
        }
    }
}

#[test]
fn every_sample_configuration_is_accepted_for_its_roles() {
    let names: Vec<_> =
        SAMPLE_CONFIGS.iter().map(|(name, _)| format!("deploy/config/{name}")).collect();
    assert_eq!(
        list_files("deploy/config", &[""]),
        names,
        "each sample is listed here with its roles"
    );
    for (name, roles) in SAMPLE_CONFIGS {
        let file = format!("deploy/config/{name}");
        let mut environment = BTreeMap::new();
        collect_secrets(&read_file(&file).parse().unwrap(), "PAIHAO", &mut environment);
        assert!(!environment.is_empty(), "{file} names its secrets, and does not hold them");
        let config = Config::read(Some(&repository_root().join(&file)), environment)
            .unwrap_or_else(|problem| panic!("{file}: {problem}"));
        for role in roles {
            let checked = config.resolve(*role);
            assert!(checked.is_ok(), "{file} as {role:?}: {}", checked.err().unwrap());
        }
    }
}

#[test]
fn the_defaults_are_accepted() {
    let config = Config::from_text("in the defaults", DEFAULTS).unwrap();
    config.resolve(Role::All).map(drop).unwrap();
}

#[test]
fn every_secret_that_a_sample_shows_is_refused_where_wechat_is_real() {
    let compose = read_file("deploy/compose.yaml");
    let defaults =
        ["APP_SECRET", "CALLBACK_TOKEN", "AES_KEY", "STAFF_KEY", "NATS_PASSWORD", "REDIS_PASSWORD"]
            .map(|name| {
                let default = compose
                    .split(&format!("${{{name}:-"))
                    .nth(1)
                    .unwrap_or_else(|| panic!("{name}"));
                default.split('}').next().unwrap()
            });
    let demo: toml::Table = read_file("services/paihao/src/demo.toml").parse().unwrap();
    let account = &demo["accounts"]["demo"];
    let shown = ["secret", "callback_token", "aes_key"].map(|key| account[key].as_str().unwrap());
    for secret in defaults.into_iter().chain(shown) {
        assert!(PUBLISHED_SECRETS.contains(&secret), "{secret} is in a sample, and not refused");
    }
}

fn read_compose() -> Value {
    serde_saphyr::from_str(&read_file("deploy/compose.yaml")).unwrap()
}

/// True for a service that runs the one program.
fn is_ours(service: &Value) -> bool {
    service["image"].as_str().is_some_and(|image| image.starts_with("paihao:"))
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter()
}

fn string_items(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A value of compose.yaml as it is when nothing else is set: `${NAME:-default}` is the default.
fn default_value(value: &str) -> String {
    match value
        .strip_prefix("${")
        .and_then(|v| v.strip_suffix('}'))
        .and_then(|v| v.split_once(":-"))
    {
        Some((_, default)) => default.to_owned(),
        None => value.to_owned(),
    }
}

#[test]
fn compose_starts_every_role_with_a_configuration_that_is_accepted_as_it_is() {
    let compose = read_compose();
    let role_of = |name: &str| match name {
        "gateway" => Some(Role::Gateway),
        "token" => Some(Role::Token),
        "notifier" => Some(Role::Notifier),
        "sim" => Some(Role::Sim),
        _ => None,
    };
    let mut ours = 0;
    for (name, service) in services(&compose).filter(|(_, service)| is_ours(service)) {
        ours += 1;
        assert_eq!(string_items(&service["command"]), [name.as_str()]);
        let role = role_of(name).unwrap_or_else(|| panic!("{name} is no role"));
        let environment = service["environment"].as_object().unwrap().iter();
        let environment = environment.map(|(k, v)| (k.clone(), default_value(v.as_str().unwrap())));
        let mounted = &service["environment"]["PAIHAO_CONFIG"];
        let mount = string_items(&service["volumes"])
            .into_iter()
            .find_map(|volume| volume.strip_suffix(&format!(":{}:ro", mounted.as_str().unwrap())))
            .unwrap_or_else(|| panic!("{name}: nothing is mounted at {mounted}"));
        let config = Config::read(Some(&repository_root().join("deploy").join(mount)), environment);
        let config = config.unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let checked = config.resolve(role);
        assert!(checked.is_ok(), "{name}: {}", checked.err().unwrap());
    }
    assert_eq!(ours, 4, "gateway, token, notifier and sim");
    for twice in ["gateway", "token", "notifier"] {
        assert_eq!(compose["services"][twice]["deploy"]["replicas"], 2, "{twice}");
    }
}

#[test]
fn everything_that_compose_names_is_there() {
    let compose = read_compose();
    let declared = compose["volumes"].as_object().unwrap();
    // What the command at the top of the file makes.
    let head: String = read_file("deploy/compose.yaml").lines().take(12).collect();
    assert!(head.contains("deploy/certificates deploy/tls nats=") && head.contains(" redis="));
    let made = ["ca.pem", "nats.pem", "nats.key", "redis.pem", "redis.key"];
    let exists = |path: &str| {
        if let Some(file) = path.strip_prefix("./tls/") {
            return assert!(made.contains(&file), "no command makes {path}");
        }
        let path = repository_root().join("deploy").join(path);
        assert!(path.exists(), "compose.yaml names {}", path.display());
    };
    for (name, service) in services(&compose) {
        let image = service["image"].as_str().unwrap();
        match service.get("build") {
            Some(build) => {
                exists(build["context"].as_str().unwrap());
                let file = build["dockerfile"].as_str().unwrap();
                assert!(repository_root().join(file).is_file(), "{name}: {file}");
            }
            None => assert!(image.contains(':'), "{name}: {image} says no version"),
        }
        for volume in string_items(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            if source.starts_with('.') {
                exists(source)
            } else {
                assert!(declared.contains_key(source), "{name}: volume {source}")
            }
        }
        for needed in service["depends_on"].as_object().into_iter().flatten() {
            let other = &compose["services"][needed.0];
            assert!(other.is_object(), "{name} depends on {}, which is not there", needed.0);
            let watched = other.get("healthcheck").is_some() || is_ours(other);
            assert!(watched, "{name} waits for {} to be healthy", needed.0);
        }
    }
    let networks = compose["networks"].as_object().unwrap();
    for (name, service) in services(&compose) {
        let joined = string_items(&service["networks"]);
        assert!(!joined.is_empty(), "{name} is in the default network");
        assert!(joined.iter().all(|joined| networks.contains_key(*joined)), "{name}: {joined:?}");
    }
    for volume in declared.keys() {
        let used = services(&compose).any(|(_, s)| {
            string_items(&s["volumes"]).iter().any(|v| v.starts_with(&format!("{volume}:")))
        });
        assert!(used, "nobody uses the volume {volume}");
    }
}

#[test]
fn addresses_in_the_deployment_are_services_of_it() {
    let compose = read_compose();
    let known: Vec<_> = services(&compose).map(|(name, _)| name.as_str()).collect();
    let config: toml::Table = read_file("deploy/config/compose.toml").parse().unwrap();
    let mut addresses = Vec::new();
    for (section, key) in [
        ("ledger", "url"),
        ("ledger", "monitor"),
        ("cache", "url"),
        ("wechat", "api"),
        ("wechat", "mp"),
        ("sim", "gateway"),
    ] {
        addresses.extend(config[section][key].as_str().unwrap().split(',').map(str::to_owned));
    }
    let routes = read_file("deploy/nats-cluster.conf");
    let routes = routes.lines().find_map(|line| line.trim().strip_prefix("routes: "));
    let routes = routes.expect("the servers of a cluster name each other");
    addresses.extend(serde_json::from_str::<Vec<String>>(routes).unwrap());
    let haproxy = read_file("deploy/haproxy.cfg");
    let servers = haproxy.lines().filter(|line| line.trim().starts_with("server-template "));
    assert_eq!(servers.filter(|line| line.ends_with(" gateway:8080")).count(), 1);
    let nginx = read_file("deploy/nginx.conf");
    let upstream = nginx.lines().find_map(|line| line.trim().strip_prefix("server gateway:"));
    assert!(upstream.is_some(), "nginx.conf sends to the gateways");
    for address in addresses {
        let host = address.split("//").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
        assert!(known.contains(&host), "{address} is no service of compose.yaml");
    }
}

#[test]
fn the_samples_speak_to_their_stores_in_tls_and_with_a_password() {
    for file in ["config/cluster.toml", "config/compose.toml", "kubernetes/base/paihao.toml"] {
        let config: toml::Table = read_file(&format!("deploy/{file}")).parse().unwrap();
        for (section, scheme) in [("ledger", "tls://"), ("cache", "rediss://")] {
            let section = &config[section];
            let mut addresses = section["url"].as_str().unwrap().split(',');
            assert!(addresses.all(|address| address.starts_with(scheme)), "{file}: {section}");
            assert!(section["tls_ca"].is_str() && section["password"].is_table(), "{file}");
        }
    }
    let nats = read_file("deploy/nats.conf");
    assert!(nats.contains("password: $NATS_PASSWORD") && nats.contains("\ntls {"), "{nats}");
    assert!(read_file("deploy/nats-cluster.conf").contains("verify: true"));
    let compose = read_compose();
    let redis = string_items(&compose["services"]["redis"]["command"]).join(" ");
    let kubernetes = read_file("deploy/kubernetes/base/redis.yaml").replace(['"', ','], "");
    for expected in ["--port 0", "--tls-port 6379", "--requirepass", "--tls-key-file"] {
        assert!(redis.contains(expected) && kubernetes.contains(expected), "{expected}");
    }
    let chart: Value =
        serde_saphyr::from_str(&read_file("deploy/kubernetes/charts/nats.yaml")).unwrap();
    for part in ["nats", "cluster"] {
        assert_eq!(chart["config"][part]["tls"]["enabled"], true, "{part}");
    }
    assert!(chart["config"]["merge"]["authorization"]["password"].is_string());
}

#[test]
fn every_stream_is_one_for_the_balancer() {
    let nginx = read_file("deploy/nginx.conf");
    let streams = nginx.lines().find_map(|line| line.trim().strip_prefix("location ~ /("));
    let endings = streams.and_then(|line| line.strip_suffix(")$ {")).expect("a rule for streams");
    let haproxy = read_file("deploy/haproxy.cfg");
    let rule = haproxy.lines().find_map(|line| line.trim().strip_prefix("acl is_stream path_end "));
    let rule: Vec<_> = rule.expect("a rule for streams").split(' ').collect();
    let document: serde_json::Value =
        serde_json::from_str(&read_file("docs/reference/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let is_stream = |operations: &serde_json::Value| {
        operations["get"]["responses"]["200"]["content"]["text/event-stream"].is_object()
    };
    let streams: Vec<_> = paths.iter().filter(|(_, operations)| is_stream(operations)).collect();
    assert!(streams.len() > 5, "the streams were not found");
    for (path, _) in streams {
        let last = path.rsplit('/').next().unwrap();
        assert!(endings.split('|').any(|ending| ending == last), "nginx.conf buffers {path}");
        assert!(rule.contains(&&*format!("/{last}")), "haproxy.cfg ends {path} early");
    }
}

#[test]
fn the_servers_that_are_shipped_are_those_that_are_tested() {
    let tested = read_file("tests/run");
    let newest = tested
        .lines()
        .find_map(|line| line.strip_prefix("newest_nats="))
        .and_then(|line| line.split_whitespace().next())
        .expect("tests/run names the newest nats-server");
    let compose = read_compose();
    for server in ["nats-0", "nats-1", "nats-2"] {
        let image = &compose["services"][server]["image"];
        assert_eq!(*image, format!("nats:{newest}-alpine"), "{server}");
    }
    let rust = read_file("deploy/Dockerfile");
    let toolchain = rust.lines().find_map(|line| line.trim().strip_prefix("ENV RUSTUP_TOOLCHAIN="));
    let version = toolchain.and_then(|v| v.split(' ').next()).expect("the image's toolchain");
    let short = version.strip_suffix(".0").unwrap_or(version);
    assert!(rust.contains(&format!("FROM rust:{short}-slim")), "{version} is not the image's");
}

#[test]
fn nats_accepts_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nats.conf");
    let data = folder.path().join("data");
    let tls = folder.path().join("tls");
    let certificates = Command::new(repository_root().join("deploy/certificates"))
        .arg(&tls)
        .arg("nats=DNS:nats-0")
        .output()
        .unwrap();
    assert!(certificates.status.success(), "{}", String::from_utf8_lossy(&certificates.stderr));
    let placed = |name: &str| {
        let text = read_file(&format!("deploy/{name}"));
        assert_eq!(text.matches("/etc/nats/tls/").count(), 3, "{name}");
        text.replace("\"/data\"", &format!("{:?}", data.display().to_string()))
            .replace("/etc/nats/tls", &tls.display().to_string())
    };
    std::fs::write(&file, placed("nats.conf")).unwrap();
    let cluster = folder.path().join("nats-cluster.conf");
    std::fs::write(&cluster, placed("nats-cluster.conf")).unwrap();
    for file in [file, cluster] {
        let checked = Command::new(harness::nats_server())
            .env("NATS_PASSWORD", "a-password-of-the-tests")
            .arg("-t")
            .arg("-c")
            .arg(&file)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn the_image_runs_the_program_as_nobody_and_asks_it_how_it_is() {
    let image = read_file("deploy/Dockerfile");
    let last = image.split("\nFROM ").last().unwrap();
    assert!(last.starts_with("scratch\n"), "deploy/image takes the stage from `FROM scratch` on");
    let packs = |file: &str| read_file(file).contains("deploy/root-tree ");
    assert!(packs("deploy/Dockerfile") && packs("deploy/image"), "both have the same files");
    for expected in [
        "\nUSER 10001:10001\n",
        "\nENTRYPOINT [\"paihao\"]\n",
        "CMD [\"paihao\", \"health\"]\n",
        "COPY --from=tree /tree /\n",
    ] {
        assert!(last.contains(expected), "the image lost {expected:?}");
    }
    let set = last.lines().filter_map(|line| {
        let (name, value) = line.trim().trim_start_matches("ENV ").split_once('=')?;
        let value = value.trim_end_matches(['\\', ' ']);
        name.starts_with("PAIHAO__").then(|| (name.to_owned(), value.to_owned()))
    });
    let config = Config::read(None, set).unwrap();
    assert_eq!(config.admin.listen, "0.0.0.0:9090");
    config.resolve(Role::All).map(drop).unwrap();
}

/// What proxies write of an address: its path, query or line, or the page that led there.
const ADDRESS_FIELDS: [&str; 14] = [
    "$uri",
    "$request_uri",
    "$request ",
    "$args",
    "$query_string",
    "$http_referer",
    "$http_cookie",
    "%HU",
    "%HP",
    "%HQ",
    "%HV",
    "%r ",
    "%hr",
    "capture",
];

#[test]
fn no_proxy_of_the_samples_logs_an_address() {
    let files = list_files("deploy", &[".cfg", ".conf", ".yaml", ".toml", ".md"]);
    let mut formats = Vec::new();
    for file in files {
        let text = read_file(&file);
        assert!(!text.contains("option httplog"), "{file}: it has whole request lines");
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in lines.filter(|line| line.contains("log-format") || line.contains("log_format"))
        {
            let logged: Vec<_> =
                ADDRESS_FIELDS.iter().filter(|field| line.contains(**field)).collect();
            assert!(logged.is_empty(), "{file} logs {logged:?}: {line}");
            formats.push(file.clone());
        }
    }
    assert_eq!(formats, ["deploy/haproxy.cfg", "deploy/nginx.conf"]);
}
