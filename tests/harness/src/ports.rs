//! Free loopback ports, which stay free while a server is down.

use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

// The ports lie below the range that systems use for outgoing connections, so that a killed server
// finds its port still free when it restarts.
const FIRST_PORT: u16 = 12_000;
const BLOCK_COUNT: u16 = 400;
const PORTS_PER_BLOCK: u16 = 50;

static CLAIMED: Mutex<Option<Block>> = Mutex::new(None);

/// Ports that no other test process takes while this one runs.
struct Block {
    unused: Range<u16>,
    /// Locked file of the block; the lock ends with the process.
    _lock: File,
}

impl Block {
    /// Claims a block that no process has, from one chosen at random on.
    fn claim() -> Block {
        let folder = std::env::temp_dir().join("paihao-test-ports");
        std::fs::create_dir_all(&folder).expect("a folder for locks");
        let start = RandomState::new().hash_one(std::process::id()) % u64::from(BLOCK_COUNT);
        let blocks = (0..BLOCK_COUNT).map(|step| (start as u16 + step) % BLOCK_COUNT);
        for block in blocks {
            let path = folder.join(block.to_string());
            let Ok(lock) = OpenOptions::new().create(true).append(true).open(path) else {
                continue;
            };
            if lock.try_lock().is_ok() {
                let first = FIRST_PORT + block * PORTS_PER_BLOCK;
                return Block { unused: first..first + PORTS_PER_BLOCK, _lock: lock };
            }
        }
        panic!("every block of ports is taken, by the locks in {}", folder.display());
    }
}

/// Returns a loopback port on which nothing listens and that no other test takes.
pub fn free_port() -> u16 {
    let mut claimed = CLAIMED.lock();
    loop {
        let block = claimed.get_or_insert_with(Block::claim);
        if let Some(port) = block.unused.find(|port| is_free(*port)) {
            return port;
        }
        let used_up = claimed.replace(Block::claim());
        // Its servers may run on: the lock is held until the process ends.
        std::mem::forget(used_up);
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
