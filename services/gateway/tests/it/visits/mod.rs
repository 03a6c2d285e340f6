//! What finished visits teach a gateway, and what they add up to.

mod historian;
mod learning;
mod numbers;
