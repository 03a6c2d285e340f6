//! A site as those who work there see it, asked over HTTP.

mod seen;
mod told;
