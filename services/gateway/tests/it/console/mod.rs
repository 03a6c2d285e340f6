//! The console's view of a site, asked over HTTP.

mod seen;
mod told;
