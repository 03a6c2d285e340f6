//! Tests of the gateway over embedded stores: a folder a subject, what they share in `support`.

mod support;

mod codes;
mod console;
mod engine;
mod feed;
mod identity;
mod newer;
mod openapi;
mod settings;
mod ticket;
mod visits;
