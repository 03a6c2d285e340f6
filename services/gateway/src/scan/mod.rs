//! QR codes and the browser sessions that wait for a scan.

pub mod codes;
pub(crate) mod drawings;
pub mod follow;
pub(crate) mod invitation_index;
pub mod progress_poll;
pub mod qr;
mod refused_scans;
pub mod scene;
pub mod sessions;
mod shared_read;
pub(crate) mod template_tests;
