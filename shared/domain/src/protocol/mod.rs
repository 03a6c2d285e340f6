//! Commands that come in, events and refusals that go out.

pub(crate) mod command;
pub(crate) mod event;
pub(crate) mod outcome;
pub(crate) mod refusal;
