//! Request of a kiosk to be paired, in the cache under the code that it shows.

use serde::{Deserialize, Serialize};

/// Request of a kiosk to be paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KioskPairing {
    /// Version of this form: 1.
    pub v: u32,
    /// Site of the kiosk.
    pub site: String,
    /// SHA-256 of the credential in the cookie of its browser, in hex.
    pub hash: String,
    /// Unix milliseconds from which on the code no longer works.
    pub expires_at: i64,
}

impl KioskPairing {
    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}
