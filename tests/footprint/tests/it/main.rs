//! Gates on counts: bytes by part, and instructions by decision.

mod instructions;
mod memory;
