//! The layers themselves: gathering them, and reading the result with errors that a person can act
//! on.

use super::problem::{ConfigError, ConfigProblem, ConfigProblems};
use super::secret::SecretSources;
use super::tree::{Path as KeyPath, Tree};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// What the name of an environment variable begins with if it is part of the configuration:
/// `PAIHAO__GATEWAY__LISTEN` is `gateway.forward_stop_requests`.
pub const ENV_PREFIX: &str = "PAIHAO__";

/// Layers of configuration, each over the ones before. Problems are kept until [`Layers::read_config`].
#[derive(Debug, Clone, Default)]
pub struct Layers {
    tree: Tree,
    secret_sources: SecretSources,
    /// What environment variables said literally, where TOML took it for something else than text.
    literal_text: BTreeMap<KeyPath, String>,
    problems: ConfigProblems,
}

impl Layers {
    /// Begins with the defaults that are compiled in.
    pub fn from_defaults(defaults: &str) -> Layers {
        Layers::default().text("in the built-in defaults", defaults)
    }

    /// Lays a file on top. Secrets' paths are relative to its folder.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Layers {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.secret_sources.folder = path.parent().map(Path::to_owned).unwrap_or_default();
                self.text(&format!("in {}", path.display()), &text)
            }
            Err(problem) => {
                self.problems.push(ConfigProblem {
                    key: String::new(),
                    location: path.display().to_string(),
                    message: format!("cannot be read: {problem}"),
                    advice: "name a file that is there and that this user may read".to_owned(),
                    code: None,
                });
                self
            }
        }
    }

    /// Lays TOML text on top; `location` says in errors where it stands: `in paihao.toml`.
    #[must_use]
    pub fn text(mut self, place: &str, text: &str) -> Layers {
        match text.parse::<Table>() {
            Ok(table) => self.tree.merge(table, place),
            // Not the error's own rendering: it shows the line, and a secret may stand on it.
            Err(problem) => {
                let before = &text[..problem.span().map_or(0, |span| span.start.min(text.len()))];
                let line = before.matches('\n').count() + 1;
                self.problems.push(ConfigProblem {
                    key: String::new(),
                    location: format!("{place}, line {line}"),
                    message: format!("not TOML: {}", problem.message()),
                    advice: String::new(),
                    code: None,
                });
            }
        }
        self
    }

    /// Lays a JSON object on top, as if it were the same in TOML; `null` is nothing at all.
    #[must_use]
    pub fn json(mut self, place: &str, text: &str) -> Layers {
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(serde_json::Value::Object(fields)) => {
                self.tree.merge(table_from_json(fields), place);
                self
            }
            Ok(_) => self.note_json_error(place, "not an object".to_owned()),
            Err(problem) => {
                let (line, column) = (problem.line(), problem.column());
                self.note_json_error(place, format!("not JSON at line {line}, column {column}"))
            }
        }
    }

    fn note_json_error(mut self, place: &str, what: String) -> Layers {
        self.problems.push(ConfigProblem {
            key: String::new(),
            location: place.to_owned(),
            message: what,
            advice: String::new(),
            code: None,
        });
        self
    }

    /// Lays the variables that begin with [`ENV_PREFIX`] on top. A value is TOML (`true`, `8080`,
    /// `["a", "b"]`, `{ file = "x" }`), and plain text where it is not TOML or where the key wants
    /// text. The others are where `{ env = "NAME" }` looks.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Layers {
        // Sorted, so that an error does not depend on the environment's order.
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        for (name, text) in &variables {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else { continue };
            let place = format!("(environment variable {name})");
            let path: KeyPath = key.split("__").map(str::to_lowercase).collect();
            if path.iter().any(String::is_empty) {
                self.problems.push(ConfigProblem {
                    key: String::new(),
                    location: place,
                    message: "names no key".to_owned(),
                    advice: format!(
                        "write {ENV_PREFIX}SECTION__KEY, two underscores between the parts"
                    ),
                    code: None,
                });
                continue;
            }
            let value = parse_env_value(text);
            let is_text = value.is_str();
            let spelled = self.tree.set(&path, value, &place);
            if !is_text {
                self.literal_text.insert(spelled, text.clone());
            }
        }
        self.secret_sources.environment = variables;
        self
    }

    /// Reads everything into a type whose tables have `#[serde(deny_unknown_fields)]`.
    pub fn read<T: DeserializeOwned>(mut self) -> Result<T, ConfigError> {
        loop {
            let value = self.tree.value();
            let read =
                self.secret_sources.scope(|| serde_path_to_error::deserialize::<_, T>(value));
            let error = match read {
                Ok(config) => return self.problems.into_result().map(|()| config),
                Err(error) => error,
            };
            let path = key_path(error.path());
            let message = error.inner().message();
            if let Some(text) = self.literal_text.remove(&path) {
                // The key wants a text that happens to look like something else, `0012` or `true`.
                let place = self.tree.location(&path).to_owned();
                self.tree.set(&path, Value::String(text), &place);
                continue;
            }
            let unknown = unknown_key(message);
            self.problems.push(self.to_problem(&path, message));
            if unknown.is_none_or(|key| path.last().map(String::as_str) != Some(key))
                || !self.tree.remove(&path)
            {
                self.problems.into_result()?;
                unreachable!("a problem was just noted");
            }
        }
    }

    fn to_problem(&self, path: &[String], message: &str) -> ConfigProblem {
        let mut path = path.to_vec();
        let (what, advice) = if let Some(unknown) = unknown_key(message) {
            // An enum's own keys are read after the path has been left.
            if path.last().map(String::as_str) != Some(unknown) {
                path.push(unknown.to_owned());
            }
            ("there is no such key".to_owned(), suggestion(unknown, message))
        } else if let Some(missing) = message.strip_prefix("missing field ") {
            path.push(missing.trim_matches('`').to_owned());
            ("is missing".to_owned(), "there is no default for it: say what it is".to_owned())
        } else if message.starts_with("unknown variant") {
            let given = backticked_names(message).next().unwrap_or_default();
            (message.to_owned(), suggestion(given, message))
        } else {
            (message.to_owned(), String::new())
        };
        ConfigProblem {
            location: self.tree.location(&path).to_owned(),
            key: path.join("."),
            message: what,
            advice,
            code: None,
        }
    }
}

/// A JSON object as TOML.
fn table_from_json(fields: serde_json::Map<String, serde_json::Value>) -> Table {
    fields.into_iter().filter_map(|(key, value)| Some((key, toml_from_json(value)?))).collect()
}

fn toml_from_json(value: serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match value {
        Json::Null => return None,
        Json::Bool(is) => Value::Boolean(is),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::String(text),
        Json::Array(values) => {
            Value::Array(values.into_iter().filter_map(toml_from_json).collect())
        }
        Json::Object(fields) => Value::Table(table_from_json(fields)),
    })
}

/// A value as an environment variable has it.
fn parse_env_value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    path.iter().map(ToString::to_string).filter(|key| key != "?").collect()
}

/// The key of an "unknown field" error.
fn unknown_key(message: &str) -> Option<&str> {
    message.starts_with("unknown field").then(|| backticked_names(message).next()).flatten()
}

/// What stands between backticks in an error of serde's: the name it stumbled over, and then those
/// that it knows.
fn backticked_names(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

fn suggestion(given: &str, message: &str) -> String {
    let known: Vec<_> = backticked_names(message).skip(1).collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, given), *known))
        .filter(|(distance, known)| *distance <= known.len().max(given.len()).div_ceil(3))
        .min();
    match nearest {
        Some((_, nearest)) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "nothing can be set here".to_owned(),
        None => format!("what can be set here: {}", known.join(", ")),
    }
}
