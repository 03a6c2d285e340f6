//! Names of streams and subjects on the server.

use crate::options::ConnectError;
use paihao_contracts::streams::{Log, WorkQueue};
use paihao_ledger::Subject;

/// Prefix of all names of one deployment.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(String);

/// Name of the durable consumer through which all workers of a queue receive their messages.
pub(crate) const QUEUE_CONSUMER: &str = "workers";

impl Namespace {
    pub(crate) fn new(name: &str) -> Result<Self, ConnectError> {
        let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || !name.bytes().all(is_allowed) {
            return Err(ConnectError::Invalid(format!(
                "the namespace {name:?} is invalid: use lower-case letters, digits and -"
            )));
        }
        Ok(Namespace(name.to_owned()))
    }

    /// Returns `PAIHAO_DEAD_LETTERS` for `dead-letters`.
    pub(crate) fn stream_name(&self, name: &str) -> String {
        format!("{}_{}", self.0, name).replace('-', "_").to_ascii_uppercase()
    }

    /// Name of the stream that is there while a restore is being made.
    pub(crate) fn restore_marker(&self) -> String {
        self.stream_name("restore")
    }

    /// The one subject of the marker of a restore.
    pub(crate) fn restore_subject(&self) -> String {
        format!("{}.restore", self.0)
    }

    /// Name of the stream that tells how far a division of the ledger has come.
    pub(crate) fn division_stream(&self) -> String {
        self.stream_name("division")
    }

    /// The one subject of that stream.
    pub(crate) fn division_subject(&self) -> String {
        format!("{}.division", self.0)
    }

    /// Subject on which processes are asked to look at that stream.
    pub(crate) fn division_call(&self) -> String {
        format!("{}.division-call", self.0)
    }

    /// The one subject of a log to which nobody may append.
    pub(crate) fn detached_subject(&self, name: &str) -> String {
        format!("{}.detached.{name}", self.0)
    }

    /// Pattern of all subjects of a log.
    pub(crate) fn log_wildcard(&self, log: &Log) -> String {
        format!("{}.{}.>", self.0, log.name)
    }

    /// Returns `paihao.ledger.<account>.<site>`.
    pub(crate) fn log_subject(&self, log: &Log, subject: &Subject) -> String {
        format!("{}.{}.{}", self.0, log.name, subject)
    }

    /// The one subject of a queue.
    pub(crate) fn queue_subject(&self, queue: &WorkQueue) -> String {
        format!("{}.{}", self.0, queue.name)
    }

    /// Parses a subject of the server as a subject of the log.
    pub(crate) fn parse_subject(&self, log: &Log, subject: &str) -> Option<Subject> {
        let tail = subject.strip_prefix(&self.0)?.strip_prefix('.')?;
        Subject::parse(tail.strip_prefix(log.name)?.strip_prefix('.')?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::streams::{DEAD_LETTERS, LEDGER, NOTICES};

    #[test]
    fn names_carry_the_namespace() {
        let space = Namespace::new("shop-1").unwrap();
        let subject = Subject::new(&["gh_1", "hall"]).unwrap();
        assert_eq!(space.stream_name(DEAD_LETTERS.name), "SHOP_1_DEAD_LETTERS");
        assert_eq!(space.log_wildcard(&LEDGER), "shop-1.ledger.>");
        assert_eq!(space.log_subject(&LEDGER, &subject), "shop-1.ledger.gh_1.hall");
        assert_eq!(space.queue_subject(&NOTICES), "shop-1.notices");
        assert_eq!(space.parse_subject(&LEDGER, "shop-1.ledger.gh_1.hall"), Some(subject));
        assert_eq!(space.parse_subject(&LEDGER, "shop-1.ledgers.gh_1"), None);
        assert_eq!(space.parse_subject(&LEDGER, "shop-1.ledger"), None);
    }

    #[test]
    fn a_namespace_that_would_break_them_is_refused() {
        for name in ["", "A", "a.b", "a*", "a b", "a_b", "店"] {
            assert!(Namespace::new(name).is_err(), "{name:?}");
        }
    }
}
