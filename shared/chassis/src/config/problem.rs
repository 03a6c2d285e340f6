//! Problems of a configuration: place, description and advice, reported all at once.

use std::fmt;

/// A problem of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The key, such as `gateway.listen`; empty if the problem concerns a whole file.
    pub key: String,
    /// The layer with the problem, such as `in paihao.toml`; empty if several are involved.
    pub location: String,
    /// Description of the problem.
    pub message: String,
    /// Advice on the correction; may be empty.
    pub advice: String,
    /// Stable code for programs, if the problem has one.
    pub code: Option<&'static str>,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.key.as_str(), self.location.as_str()];
        let place = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if place.is_empty() {
            f.write_str(&self.message)?;
        } else {
            write!(f, "{place}: {}", self.message)?;
        }
        if !self.advice.is_empty() {
            write!(f, "\n  → {}", self.advice)?;
        }
        Ok(())
    }
}

/// Error for an unusable configuration, with all problems found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<ConfigProblem>);

impl ConfigError {
    /// The problems, at least one.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration cannot be used:")?,
            n => write!(f, "the configuration cannot be used, {n} things are wrong:")?,
        }
        for problem in &self.0 {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collector of problems, so that an operator sees all of them at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigProblems(Vec<ConfigProblem>);

impl ConfigProblems {
    /// Creates an empty collector.
    pub fn new() -> ConfigProblems {
        ConfigProblems::default()
    }

    /// Adds a problem of the value at `key`, with advice.
    pub fn add(&mut self, key: &str, what: impl Into<String>, advice: impl Into<String>) {
        self.push(ConfigProblem {
            key: key.to_owned(),
            location: String::new(),
            message: what.into(),
            advice: advice.into(),
            code: None,
        });
    }

    /// Adds a problem with a code.
    pub fn add_with_code(
        &mut self,
        code: &'static str,
        key: &str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let key = key.to_owned();
        let what = what.into();
        let advice = advice.into();
        self.push(ConfigProblem {
            key,
            location: String::new(),
            message: what,
            advice,
            code: Some(code),
        });
    }

    /// Adds a problem unless it is present already.
    pub fn push(&mut self, problem: ConfigProblem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// True if there is no problem.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails with all collected problems, if there are any.
    pub fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError(self.0)) }
    }
}
