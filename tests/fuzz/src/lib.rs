//! Broken input for the callback codec: what is tried ([`targets`]), how it is broken
//! ([`mutate`]), and what must never come of it ([`run`]).
//!
//! There is no coverage to steer by; instead every input that meets an answer nobody met before
//! joins the ones that are broken further.

pub mod mutate;
pub mod targets;

pub mod run;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
