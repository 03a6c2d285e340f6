//! Layers of configuration: collection, merging, and parsing with errors that tell the operator
//! what to change.

use super::problem::{ConfigError, ConfigProblem, ConfigProblems};
use super::read_files::read_text;
use super::secret::SecretSources;
use super::tree::{Path as KeyPath, Tree};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// Prefix of environment variables that belong to the configuration: `PAIHAO__GATEWAY__LISTEN` is
/// `gateway.listen`.
pub const ENV_PREFIX: &str = "PAIHAO__";

/// Layers of configuration, each of which overrides those before it. Errors are collected until
/// [`Layers::read`].
#[derive(Debug, Clone, Default)]
pub struct Layers {
    tree: Tree,
    secret_sources: SecretSources,
    /// Original texts of environment variables whose value TOML parsed as something other than
    /// text.
    literal_text: BTreeMap<KeyPath, String>,
    problems: ConfigProblems,
}

impl Layers {
    /// Starts with the compiled-in defaults.
    pub fn from_defaults(defaults: &str) -> Layers {
        Layers::default().text("in the built-in defaults", defaults)
    }

    /// Adds a file. Paths of secrets in it are relative to its folder.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Layers {
        match read_text(path) {
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

    /// Adds TOML text; `place` names its origin in errors: `in paihao.toml`.
    #[must_use]
    pub fn text(mut self, layer: &str, text: &str) -> Layers {
        match text.parse::<Table>() {
            Ok(table) => self.tree.merge(table, layer),
            // The error's own rendering shows the line, which may contain a secret.
            Err(problem) => {
                let before = &text[..problem.span().map_or(0, |span| span.start.min(text.len()))];
                let line = before.matches('\n').count() + 1;
                self.problems.push(ConfigProblem {
                    key: String::new(),
                    location: format!("{layer}, line {line}"),
                    message: format!("not TOML: {}", problem.message()),
                    advice: String::new(),
                    code: None,
                });
            }
        }
        self
    }

    /// Adds a JSON object, treated like the same content in TOML; `null` means absent.
    #[must_use]
    pub fn json(mut self, layer: &str, text: &str) -> Layers {
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(serde_json::Value::Object(fields)) => {
                self.tree.merge(table_from_json(fields), layer);
                self
            }
            Ok(_) => self.note_json_error(layer, "not an object".to_owned()),
            Err(problem) => {
                let line = problem.line();
                let column = problem.column();
                self.note_json_error(layer, format!("not JSON at line {line}, column {column}"))
            }
        }
    }

    fn note_json_error(mut self, layer: &str, message: String) -> Layers {
        self.problems.push(ConfigProblem {
            key: String::new(),
            location: layer.to_owned(),
            message,
            advice: String::new(),
            code: None,
        });
        self
    }

    /// Adds the variables that begin with [`ENV_PREFIX`]. A value is TOML (`true`, `8080`, `["a",
    /// "b"]`, `{ file = "x" }`), or plain text if it is not TOML or if the key requires text. The
    /// other variables are available to `{ env = "NAME" }`.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Layers {
        // Sorted, so that an error does not depend on the environment's order.
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        for (name, text) in &variables {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else { continue };
            let layer = format!("(environment variable {name})");
            let path: KeyPath = key.split("__").map(str::to_lowercase).collect();
            if path.iter().any(String::is_empty) {
                self.problems.push(ConfigProblem {
                    key: String::new(),
                    location: layer,
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
            let spelled = self.tree.set(&path, value, &layer);
            if !is_text {
                self.literal_text.insert(spelled, text.clone());
            }
        }
        self.secret_sources.environment = variables;
        self
    }

    /// Parses all layers into a type whose tables have `#[serde(deny_unknown_fields)]`.
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
                // The key requires a text that happens to look like another type, such as `0012` or
                // `true`.
                let layer = self.tree.location(&path).to_owned();
                self.tree.set(&path, Value::String(text), &layer);
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
        let (message, advice) = if let Some(unknown) = unknown_key(message) {
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
            message,
            advice,
            code: None,
        }
    }
}

/// Converts a JSON object to TOML.
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

/// Parses the value of an environment variable.
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

/// Returns the key of an "unknown field" error.
fn unknown_key(message: &str) -> Option<&str> {
    message.starts_with("unknown field").then(|| backticked_names(message).next()).flatten()
}

/// Returns the names between backticks in an error of serde's: first the unknown name, then the
/// known ones.
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
