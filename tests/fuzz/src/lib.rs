//! Fuzzer of the callback codec: its targets ([`targets`]), the mutation of inputs ([`mutate`]),
//! and the loop that checks every answer ([`run`]).
//!
//! It has no coverage feedback. Instead, every input with an answer not seen before joins the
//! inputs that are mutated further.

pub mod mutate;
pub mod targets;

pub mod run;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
