//! Forecasts and statistics that a gateway draws from finished visits.

mod historian;
mod learning;
mod numbers;
