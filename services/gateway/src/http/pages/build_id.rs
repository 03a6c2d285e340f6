//! Id of this build's files, a part of their address: a file of another build has another address.

use super::assets::ASSETS;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Length in hexadecimal digits.
const LENGTH: usize = 16;

static OWN: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for asset in ASSETS {
        for part in [asset.path, asset.body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    hex::encode(digest.finalize())[..LENGTH].to_owned()
});

/// Id of the files of this build.
pub(super) fn own_build_id() -> &'static str {
    &OWN
}

/// Tells whether a part of an address has the form of an id.
pub(super) fn is_build_id(part: &str) -> bool {
    part.len() == LENGTH && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
