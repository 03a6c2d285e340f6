//! Certificates of an authority, a server and a client, by the script that is shipped, for tests of
//! TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Script that makes certificates for the stores.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/certificates");

/// Certificates in a folder of their own.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// Makes an authority `ca` and, signed by it, `server` for 127.0.0.1 and `client`; and in the
    /// folder `other` the same of another authority.
    pub fn make() -> Certificates {
        let dir = tempfile::Builder::new().prefix("tls-").tempdir().expect("a directory");
        for folder in [dir.path().to_owned(), dir.path().join("other")] {
            make_in(&folder);
        }
        Certificates { dir }
    }

    /// Path of a certificate, or of its key: `server.pem`, `server.key`, `other/ca.pem`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

fn make_in(folder: &Path) {
    let names = ["server=IP:127.0.0.1", "client=DNS:client"];
    let output = Command::new(SCRIPT).arg(folder).args(names).output();
    let output = output.unwrap_or_else(|error| panic!("{SCRIPT}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{SCRIPT}, which needs openssl: {said}");
}
