//! WeChat's codes over embedded stores: one for a door, ready ones for sessions.

mod code_source;

mod doors;
mod pool;
