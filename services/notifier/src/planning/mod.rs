//! Planning: consumers of commits that queue notices and write the visit log.

pub mod plan;

pub(crate) mod planner;
pub(crate) mod visit_writer;
