//! What is wrong with a configuration: where, what, and what to do about it, all of it at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The key, `gateway.forward_stop_requests`; empty if it is about a whole file.
    pub key: String,
    /// The layer it was found in, `in paihao.toml`; empty if it is about several.
    pub location: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub advice: String,
    /// A stable name for programs, of those problems that have one.
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

/// A configuration that cannot be used, with everything that was found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<ConfigProblem>);

impl ConfigError {
    /// What is wrong, at least one thing.
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

/// Collects what is wrong, so that a person is told once and not problem by problem.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigProblems(Vec<ConfigProblem>);

impl ConfigProblems {
    /// Nothing wrong so far.
    pub fn new() -> ConfigProblems {
        ConfigProblems::default()
    }

    /// Notes that what stands at `key` is wrong, and what to do about it.
    pub fn add(&mut self, key: &str, what: impl Into<String>, advice: impl Into<String>) {
        self.push(ConfigProblem {
            key: key.to_owned(),
            location: String::new(),
            message: what.into(),
            advice: advice.into(),
            code: None,
        });
    }

    /// Notes a problem that has a name.
    pub fn add_with_code(
        &mut self,
        code: &'static str,
        key: &str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (key, what, advice) = (key.to_owned(), what.into(), advice.into());
        self.push(ConfigProblem {
            key,
            location: String::new(),
            message: what,
            advice,
            code: Some(code),
        });
    }

    /// Notes a problem once.
    pub fn push(&mut self, problem: ConfigProblem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails with everything that was noted, if anything was.
    pub fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError(self.0)) }
    }
}
