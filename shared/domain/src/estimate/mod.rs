//! Estimates of waits: learned from the queue's own finished visits, quoted as a range that is a
//! promise, and scored against the waits that followed (docs/reference/estimate.md).
//!
//! In reading order: a [`ForecastInput`] goes in and a [`Forecast`] comes out; [`ForecastModel`]
//! holds what was learned. The formula serves one line at its own counters; the calls are simulated
//! where lines share them, classes take turns or counters change by plan. [`Estimate`] is the
//! quoted range, [`DisplayedRange`] keeps it steady, and [`Accuracy`] scores the promise.
//!
//! **Replay of the ledger stays exact.** A quote is decided once, by the replica that decides the
//! ticket, and stands in the event; it is never computed again from the model. Stored values
//! (slots, outcomes, forecasts, scores) are whole numbers. Between them there are only the four
//! operations and comparisons of IEEE 754, which give the same bits everywhere: no logarithm, no
//! power, nothing that a platform's library may round in its own way.

mod forecast;

mod recent;
mod slots;

mod calibration;
mod model;

mod formula;
mod simulation;

mod quote;

mod thresholds;

mod accuracy;

pub use accuracy::{Accuracy, AccuracyScore};
pub use forecast::{AheadBand, ClosingRisk, Forecast, ForecastInput, ForecastMethod, LiveCounter};
pub use model::{ForecastModel, Observation, ObservationEnd};
pub use quote::{DisplayedRange, Estimate, EstimatePhrase, MIN_LENGTHEN_DELAY_MS};
pub(crate) use simulation::{CallOrder, SimulatedCall, SimulatedCounter, Simulation};
pub(crate) use thresholds::slip_threshold_s;
pub use thresholds::{is_near, is_slipped};
