//! Simulated WeChat: it takes messages, loses answers, and pushes what people do.
//!
//! It follows the facts that are known of WeChat: a template message is accepted once per person
//! and `client_msg_id` for ten minutes; a customer-service text needs an open window; a push is
//! repeated twice, five seconds apart; a token of the stable channel stays the same until its last
//! five minutes.

pub mod platform;
pub mod pushes;
pub mod transport;
