//! How long somebody will wait: learned from the queue's own finished visits, told as a range that
//! is a promise, and scored against what came (docs/reference/estimate.md).
//!
//! In reading order: a [`ForecastInput`] is what a forecast is made for and a [`Forecast`] is what
//! comes out; [`ForecastModel`] is what was learned; the formula serves one line at its own counters, a
//! [`CallOrder`] is run forward where lines share them; [`Estimate`] is the range as people are told
//! it, [`DisplayedRange`] keeps it from jumping, and [`Accuracy`] says whether the promise was kept.
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
mod forward_run;

mod quote;

mod lead;

mod accuracy;

pub use accuracy::{Accuracy, AccuracyScore};
pub use forward_run::{CallOrder, MAX_SIMULATED_CALLS, SimulatedCall};
pub(crate) use lead::slip_threshold_s;
pub use lead::{is_near, is_slipped};
pub use model::{ForecastModel, ModelSnapshot, Observation, ObservationEnd};
pub use quote::{DisplayedRange, Estimate, EstimatePhrase, MIN_LENGTHEN_DELAY_MS};
pub use situation::{AheadBand, ClosingRisk, Forecast, ForecastInput, ForecastMethod, LiveCounter};
