//! Tests of the console's view of a site, over HTTP.

mod events;
mod logins;
mod view;
