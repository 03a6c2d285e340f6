//! The console's view of a site, asked over HTTP.

mod events;
mod view;
