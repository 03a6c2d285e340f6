//! Tests of a ticket as its holder sees it behind the link, and of its notices as staff see them.

mod coming;
mod day_turn;
pub mod link;
mod newest;
mod notices;
