//! Failures of the identity logs.

/// Reason why the roster or a session cannot be read or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The ledger did not answer, or did not take a change, in time.
    #[error("the ledger did not answer in time")]
    LedgerUnavailable,
    /// An entry was written by a newer program.
    #[error("a newer program wrote an entry that this one cannot read")]
    NewerVersion,
}
