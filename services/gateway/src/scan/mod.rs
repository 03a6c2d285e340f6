//! QR codes and the browser sessions that wait for a scan.

pub mod codes;
pub mod qr;
pub mod scene;
pub mod sessions;
