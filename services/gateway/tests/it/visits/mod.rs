//! Tests of forecasts and statistics from finished visits.

mod learning;
mod numbers;
mod visit_writer;
