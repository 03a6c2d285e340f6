//! WeChat's codes over embedded stores: one for a door, ready ones for sessions.

mod shop;

mod doors;
mod pool;
