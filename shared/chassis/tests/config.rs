//! Tests of the layers of a configuration and of its errors.

use paihao_chassis::config::{ConfigError, ConfigProblems, Layers, SecretText, render};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const DEFAULTS: &str = r#"
accounts = {}
[gateway]
listen = "127.0.0.1:8080"
workers = 4
shape = "embedded"
"#;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    accounts: BTreeMap<String, Account>,
    gateway: Gateway,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    listen: String,
    workers: u16,
    shape: Shape,
    #[serde(default)]
    keys: Vec<SecretText>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Embedded,
    Cluster,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    appid: String,
    app_secret: SecretText,
}

fn env_vars<const N: usize>(of: [(&str, &str); N]) -> Vec<(String, String)> {
    of.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn read_config(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Layers::from_defaults(DEFAULTS).text("in paihao.toml", file).environment(variables).read()
}

fn config_error(file: &str, variables: &[(&str, &str)]) -> String {
    read_config(file, variables).unwrap_err().to_string()
}

#[test]
fn a_file_lies_over_the_defaults_and_the_environment_over_both() {
    let config = read_config(
        "[gateway]\nworkers = 8\nshape = 'cluster'",
        &[("PAIHAO__GATEWAY__WORKERS", "16"), ("HOME", "/root")],
    )
    .unwrap();
    assert_eq!(config.gateway.listen, "127.0.0.1:8080");
    assert_eq!(config.gateway.workers, 16);
    assert!(matches!(config.gateway.shape, Shape::Cluster));
}

#[test]
fn a_variable_is_toml_where_the_key_wants_it_and_text_where_not() {
    let file = "[accounts.Hall-1]\nappid = 'wx'\napp_secret = 'in the file'";
    let config = read_config(
        file,
        &[
            ("PAIHAO__ACCOUNTS__HALL_1__APPID", "1234"),
            ("PAIHAO__ACCOUNTS__HALL_1__APP_SECRET", "true"),
            ("PAIHAO__GATEWAY__LISTEN", "[::1]:80"),
            ("PAIHAO__GATEWAY__KEYS", r#"["one", { env = "TWO" }]"#),
            ("TWO", "from elsewhere"),
        ],
    )
    .unwrap();
    let account = &config.accounts["Hall-1"];
    assert_eq!(account.appid, "1234");
    assert_eq!(account.app_secret.expose(), "true");
    assert_eq!(config.gateway.listen, "[::1]:80");
    let keys: Vec<_> = config.gateway.keys.iter().map(SecretText::expose).collect();
    assert_eq!(keys, ["one", "from elsewhere"]);
}

#[test]
fn a_variable_cannot_smuggle_in_a_second_key() {
    let config = read_config("", &[("PAIHAO__GATEWAY__LISTEN", "1\nworkers = 9")]).unwrap();
    assert_eq!(config.gateway.listen, "1\nworkers = 9");
    assert_eq!(config.gateway.workers, 4);
}

#[test]
fn all_unknown_keys_are_named_with_their_place_and_the_key_that_was_meant() {
    let error =
        config_error("[gateway]\nlisten_on = 'x'\nwrokers = 3", &[("PAIHAO__GATEWY__X", "1")]);
    assert!(
        error.starts_with("the configuration cannot be used, 3 things are wrong:\n"),
        "{error}"
    );
    for expected in [
        "gateway.wrokers in paihao.toml: there is no such key\n  → did you mean `workers`?",
        "gateway.listen_on in paihao.toml: there is no such key\n  → did you mean `listen`?",
        "gatewy (environment variable PAIHAO__GATEWY__X): there is no such key\n  → did you mean `gateway`?",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_unknown_key_is_reported_with_the_existing_keys() {
    let error = config_error("[gateway]\ntelephone = 1", &[]);
    assert!(error.contains("what can be set here: listen, workers, shape, keys"), "{error}");
}

#[test]
fn a_missing_key_and_a_wrong_value_say_where() {
    let error = config_error("[accounts.hall]\nappid = 'wx'", &[]);
    assert!(error.contains("accounts.hall.app_secret in paihao.toml: is missing"), "{error}");
    let error = config_error("[gateway]\nworkers = 'many'", &[]);
    assert!(error.contains("gateway.workers in paihao.toml: invalid type"), "{error}");
    let error = config_error("", &[("PAIHAO__GATEWAY__SHAPE", "clustre")]);
    assert!(
        error.contains("gateway.shape (environment variable PAIHAO__GATEWAY__SHAPE)"),
        "{error}"
    );
    assert!(error.contains("did you mean `cluster`?"), "{error}");
    let error = config_error("", &[("PAIHAO____X", "1")]);
    assert!(error.contains("names no key"), "{error}");
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_line_without_showing_it() {
    let error = config_error("[accounts.hall]\n\napp_secret = 's3cr3t-and-unclosed\n", &[]);
    assert!(error.contains("in paihao.toml, line 3: not TOML"), "{error}");
    assert!(!error.contains("s3cr3t"), "{error}");
    let layers = Layers::from_defaults(DEFAULTS).file(Path::new("/nowhere/paihao.toml"));
    let error = layers.read::<Config>().unwrap_err().to_string();
    assert!(error.contains("/nowhere/paihao.toml: cannot be read"), "{error}");
}

#[test]
fn secrets_come_from_files_beside_the_configuration_and_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "from a file\r\n").unwrap();
    let file = folder.path().join("paihao.toml");
    let text = "[accounts.a]\nappid = 'a'\napp_secret = { file = 'secret' }\n\
                [accounts.b]\nappid = 'b'\napp_secret = { env = 'B_SECRET' }\n\
                [accounts.c]\nappid = 'c'\napp_secret = 'written here'\n";
    std::fs::write(&file, text).unwrap();
    let variables = env_vars([("B_SECRET", "from the environment")]);
    let config: Config =
        Layers::from_defaults(DEFAULTS).file(&file).environment(variables).read().unwrap();
    let exposed: Vec<_> = config.accounts.values().map(|a| a.app_secret.expose()).collect();
    assert_eq!(exposed, ["from a file", "from the environment", "written here"]);

    for shown in [render(&config), format!("{config:?}"), format!("{config:#?}")] {
        for secret in exposed.iter() {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("***"), "{shown}");
    }
    let rendered = render(&config);
    assert!(rendered.contains("file = \"secret\""), "{rendered}");
    assert!(rendered.contains("env = \"B_SECRET\""), "{rendered}");
    assert!(rendered.contains("workers = 4"), "{rendered}");
}

#[test]
fn a_secret_that_is_not_there_is_refused_and_a_wrong_one_is_not_shown() {
    for (written, expected) in [
        ("{ env = 'NOT_SET' }", "environment variable NOT_SET of the secret is not set"),
        ("{ env = 'EMPTY' }", "environment variable EMPTY of the secret is empty"),
        ("{ file = '/nowhere/x' }", "the secret's file /nowhere/x"),
        ("{ file = '/dev/null' }", "is empty"),
        ("{ file = 'x', env = 'Y' }", "named twice"),
        ("{ value = 'x' }", "a secret is a text in quotes"),
        ("{}", "a secret is a text in quotes"),
        ("''", "the secret is empty"),
        ("20261122", "a secret is a text in quotes"),
        ("false", "a secret is a text in quotes"),
        ("['x']", "a secret is a text in quotes"),
    ] {
        let file = format!("[accounts.hall]\nappid = 'wx'\napp_secret = {written}");
        let error = config_error(&file, &[("EMPTY", "")]);
        assert!(error.contains("accounts.hall.app_secret in paihao.toml: "), "{error}");
        assert!(error.contains(expected), "{written}: {error}");
        assert!(!error.contains("20261122"), "{error}");
    }
}

#[test]
fn several_contradictions_are_reported_at_once() {
    let mut problems = ConfigProblems::new();
    assert_eq!(problems.clone().into_result(), Ok(()));
    problems.add("gateway.workers", "there are none", "give it at least 1");
    problems.add("token", "has no account to serve", "");
    let error = problems.into_result().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration cannot be used, 2 things are wrong:\n\
         gateway.workers: there are none\n  → give it at least 1\n\
         token: has no account to serve"
    );
}
