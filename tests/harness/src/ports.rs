//! Free loopback ports, which stay free while a server is down.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

// The ports lie below the range that systems use for outgoing connections, so that a killed server
// finds its port still free when it restarts.
const FIRST_PORT: u32 = 12_000;
const PORT_COUNT: u32 = 20_000;

static NEXT_OFFSET: AtomicU32 = AtomicU32::new(0);

/// Returns a loopback port on which nothing listens. Another process may still take it first.
pub fn free_port() -> u16 {
    // Each process starts at another port, so that concurrent test processes rarely collide.
    static BASE: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        (hasher.finish() % u64::from(PORT_COUNT)) as u32
    });
    for _ in 0..PORT_COUNT {
        let step = NEXT_OFFSET.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST_PORT + BASE.wrapping_add(step) % PORT_COUNT) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST_PORT} and {}", FIRST_PORT + PORT_COUNT);
}
