//! Secrets in a configuration: given as text, or better by reference to a file or a variable.

use super::read_files::read_text;
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A secret text. In TOML it is the text itself, or `{ file = "/run/secrets/x" }` (without its last
/// line end), or `{ env = "NAME" }`. It is never empty, and prints as `***`.
#[derive(Clone)]
pub struct SecretText {
    text: SecretString,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Inline,
    File(PathBuf),
    Environment(String),
}

impl SecretText {
    /// Wraps a secret from the program itself or from a test.
    pub fn new(text: impl Into<String>) -> SecretText {
        SecretText { text: SecretString::from(text.into()), source: Source::Inline }
    }

    /// The secret, for the one call that needs it.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl From<SecretText> for SecretString {
    fn from(secret: SecretText) -> SecretString {
        secret.text
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Serializes the reference to the secret, or `***`; never the secret.
impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, value) = match &self.source {
            Source::Inline => return serializer.serialize_str("***"),
            Source::File(path) => ("file", path.display().to_string()),
            Source::Environment(name) => ("env", name.clone()),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(key, &value)?;
        map.end()
    }
}

/// Sources in which references to secrets are resolved.
#[derive(Debug, Clone, Default)]
pub(super) struct SecretSources {
    /// Variables of the environment.
    pub(super) environment: BTreeMap<String, String>,
    /// Folder of the configuration file; paths are relative to it.
    pub(super) folder: PathBuf,
}

thread_local! {
    /// The sources during a read. Serde passes a type only its own part of the input, so they
    /// cannot be handed over as an argument.
    static AROUND: RefCell<SecretSources> = RefCell::default();
}

impl SecretSources {
    /// Reads a configuration with these sources.
    pub(super) fn scope<T>(&self, read: impl FnOnce() -> T) -> T {
        let before = AROUND.replace(self.clone());
        let read = read();
        AROUND.set(before);
        read
    }

    fn read_file(&self, path: &Path) -> Result<String, String> {
        let at = self.folder.join(path);
        let text = read_text(&at)
            .map_err(|problem| format!("the secret's file {}: {problem}", at.display()))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(format!("the secret's file {} is empty", at.display()));
        }
        Ok(text.to_owned())
    }

    fn read_variable(&self, name: &str) -> Result<String, String> {
        match self.environment.get(name).map(String::as_str) {
            None => Err(format!("the environment variable {name} of the secret is not set")),
            Some("") => Err(format!("the environment variable {name} of the secret is empty")),
            Some(text) => Ok(text.to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretText, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

/// Description of a secret's forms for errors: the faulty value itself may be the secret and is not
/// quoted.
const EXPECTED_SECRET: &str =
    "a secret is a text in quotes, { file = \"path\" } or { env = \"NAME\" }";

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED_SECRET)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretText, E> {
        if text.is_empty() {
            return Err(E::custom("the secret is empty"));
        }
        Ok(SecretText::new(text))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<SecretText, E> {
        Err(E::custom(EXPECTED_SECRET))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretText, E> {
        Err(E::custom(EXPECTED_SECRET))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<SecretText, E> {
        Err(E::custom(EXPECTED_SECRET))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretText, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let source = match key.as_str() {
                "file" => Source::File(map.next_value()?),
                "env" => Source::Environment(map.next_value()?),
                _ => return Err(de::Error::custom(EXPECTED_SECRET)),
            };
            if found.replace(source).is_some() {
                return Err(de::Error::custom("the secret is named twice, by file and by env"));
            }
        }
        let source = found.ok_or_else(|| de::Error::custom(EXPECTED_SECRET))?;
        let text = AROUND.with_borrow(|around| match &source {
            Source::File(path) => around.read_file(path),
            Source::Environment(name) => around.read_variable(name),
            Source::Inline => Err(EXPECTED_SECRET.to_owned()),
        });
        Ok(SecretText { text: text.map_err(de::Error::custom)?.into(), source })
    }
}
