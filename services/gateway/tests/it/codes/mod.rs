//! Tests of WeChat's codes over embedded stores: permanent codes of queues, pools for sessions.

mod code_source;

mod permanent_codes;
mod pool;
mod strangers;
mod waiting;
