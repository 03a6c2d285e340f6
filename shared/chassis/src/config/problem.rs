//! What is wrong with a configuration: where, what, and what to do about it, all of it at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, `gateway.listen`; empty if it is about a whole file.
    pub key: String,
    /// The layer it was found in, `in paihao.toml`; empty if it is about several.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do; may be empty.
    pub advice: String,
    /// A stable name for programs, of those problems that have one.
    pub code: Option<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.key.as_str(), self.place.as_str()];
        let place = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if place.is_empty() {
            f.write_str(&self.what)?;
        } else {
            write!(f, "{place}: {}", self.what)?;
        }
        if !self.advice.is_empty() {
            write!(f, "\n  → {}", self.advice)?;
        }
        Ok(())
    }
}

/// A configuration that cannot be used, with everything that was found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<Problem>);

impl ConfigError {
    /// What is wrong, at least one thing.
    pub fn problems(&self) -> &[Problem] {
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
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Nothing wrong so far.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Notes that what stands at `key` is wrong, and what to do about it.
    pub fn refuse(&mut self, key: &str, what: impl Into<String>, advice: impl Into<String>) {
        self.note(Problem {
            key: key.to_owned(),
            place: String::new(),
            what: what.into(),
            advice: advice.into(),
            code: None,
        });
    }

    /// Notes a problem that has a name.
    pub fn named(
        &mut self,
        code: &'static str,
        key: &str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (key, what, advice) = (key.to_owned(), what.into(), advice.into());
        self.note(Problem { key, place: String::new(), what, advice, code: Some(code) });
    }

    /// Notes a problem once.
    pub fn note(&mut self, problem: Problem) {
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
