//! Tests of the gateway over embedded stores: a folder a subject, what they share in `support`.

mod support;

mod codes;
mod console;
mod engine;
mod feed;
mod identity;
mod menu;
mod migration;
mod newer;
mod openapi;
mod receipts;
mod rehearsal;
mod settings;
mod ticket;
mod unfollow;
mod visits;
mod wechat;
