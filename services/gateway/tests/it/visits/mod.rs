//! Tests of forecasts and statistics from finished visits.

mod historian;
mod learning;
mod numbers;
