//! Checks of the invariants of ARCHITECTURE.md, throughout a run and at its end.

pub mod answers;
pub mod findings;
pub mod line;
pub mod notices;
pub mod replicas;
pub mod visits;
