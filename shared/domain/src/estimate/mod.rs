//! How long somebody will wait: learned from the queue's own finished visits, told as a range that
//! is a promise, and scored against what came (docs/reference/estimate.md).
//!
//! In reading order: a [`Situation`] is what a forecast is made for and a [`Forecast`] is what
//! comes out; [`Model`] is what was learned; the formula serves one line at its own counters, a
//! [`Chooser`] is run forward where lines share them; [`Estimate`] is the range as people are told
//! it, [`Shown`] keeps it from jumping, and [`Accuracy`] says whether the promise was kept.
//!
//! **Replaying the ledger stays exact.** What somebody was told is decided once, by the replica
//! that decides their ticket, and stands in the event; nobody computes it again from the model.
//! What is kept (slots, outcomes, forecasts, scores) is whole numbers. Between them there are only
//! the four operations and comparisons of IEEE 754, which give the same bits everywhere: no
//! logarithm, no power, nothing that a platform's library may round in its own way.

mod situation;

mod recent;
mod slots;

mod model;

mod formula;
mod run;

mod told;

mod lead;

mod accuracy;

pub use accuracy::{Accuracy, Score};
pub(crate) use lead::slips_from;
pub use lead::{is_near, is_slipped};
pub use model::{Model, Snapshot, Visit, VisitEnd};
pub use run::{Chooser, Next, RUN_LIMIT};
pub use situation::{Band, Closing, Forecast, LiveCounter, Method, Situation};
pub use told::{Estimate, Phrase, SETTLED_FOR_MS, Shown};
