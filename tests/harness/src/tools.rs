//! Paths of the server programs.

use std::path::{Path, PathBuf};

/// Path of the newest nats-server: `PAIHAO_NATS_SERVER`, or the one that `tests/run` installed, or
/// the one in PATH.
pub fn nats_server() -> PathBuf {
    find("PAIHAO_NATS_SERVER", "nats-server", true)
}

/// Path of the oldest supported nats-server: `PAIHAO_NATS_SERVER_OLDEST`, or the one that
/// `tests/run` installed.
pub fn nats_server_oldest() -> PathBuf {
    find("PAIHAO_NATS_SERVER_OLDEST", "nats-server-oldest", false)
}

/// Path of redis-server: `PAIHAO_REDIS_SERVER`, or the one that `tests/run` installed, or the one
/// in PATH.
pub fn redis_server() -> PathBuf {
    find("PAIHAO_REDIS_SERVER", "redis-server", true)
}

/// Path of chromedriver: `PAIHAO_CHROMEDRIVER`, or the one in PATH, which `tests/run` installs.
pub fn chromedriver() -> PathBuf {
    find("PAIHAO_CHROMEDRIVER", "chromedriver", true)
}

/// Path of the browser that chromedriver drives: `PAIHAO_CHROMIUM`, or the one in PATH.
pub fn chromium() -> PathBuf {
    find("PAIHAO_CHROMIUM", "chromium", true)
}

fn find(variable: &str, name: &str, in_path: bool) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "{variable} names {}, which is no file", named.display());
        return named;
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(name);
    if installed.is_file() {
        return installed;
    }
    std::env::var_os("PATH")
        .filter(|_| in_path)
        .and_then(|path| {
            std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
        })
        .unwrap_or_else(|| {
            panic!("{name} is missing: run ./tests/run, which installs it, or set {variable}")
        })
}
