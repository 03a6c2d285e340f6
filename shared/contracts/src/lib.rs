//! What crosses a process boundary: names, and versioned types with their stored form.
//!
//! Nothing here decides anything. The domain's own types are converted at the edge.

pub mod names;

pub mod book;
pub mod commit;
pub mod notice;
pub mod session;
pub mod token;
