//! One ticket as its holder sees it behind the link, and the notices about it as staff see them.

mod link;
mod notices;
