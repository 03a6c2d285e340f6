//! What is told of one ticket: to its holder behind the link, and to staff.

mod link;
mod notices;
