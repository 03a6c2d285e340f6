//! Time zones of the tests, in which the business day turns at a chosen instant.

use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Hour at which a business day begins by default, in seconds.
const DAY_START: i64 = 4 * 3600;
const SECONDS_PER_DAY: i64 = 86_400;

/// Folder of time zones, which a program reads by `TZDIR`.
pub struct TimeZones {
    folder: TempDir,
    /// Instants of the turns, in Unix seconds.
    turns: Vec<i64>,
}

impl TimeZones {
    /// Writes Asia/Shanghai, and a zone for each turn: `count` of them, every `step` from now on.
    pub fn create(count: usize, step: Duration) -> TimeZones {
        let folder = tempfile::tempdir().expect("a folder can be made");
        write_zone(folder.path(), "Asia/Shanghai", 8 * 3600);
        let step = step.as_secs() as i64;
        let turns: Vec<_> = (1..=count as i64).map(|i| now() + i * step).collect();
        for (i, turn) in turns.iter().enumerate() {
            let offset = (DAY_START - turn).rem_euclid(SECONDS_PER_DAY);
            let offset =
                if offset > SECONDS_PER_DAY / 2 { offset - SECONDS_PER_DAY } else { offset };
            write_zone(folder.path(), &zone_name(i), offset as i32);
        }
        TimeZones { folder, turns }
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Number of zones whose day turns.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// First zone whose day turns no sooner than `lead` from now.
    pub fn next_turn(&self, lead: Duration) -> usize {
        let earliest = now() + lead.as_secs() as i64;
        let found = self.turns.iter().position(|turn| *turn >= earliest);
        found.expect("the run is shorter than its turns")
    }

    /// Time until the day of the i-th zone turns.
    pub fn until_turn(&self, i: usize) -> Duration {
        Duration::from_secs((self.turns[i] - now()).max(0) as u64)
    }
}

/// Name of the i-th zone whose day turns.
pub fn zone_name(i: usize) -> String {
    format!("Turns/Zone{i}")
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock of this century").as_secs() as i64
}

/// Writes a zone with one offset in the form of RFC 8536, version 2.
fn write_zone(folder: &Path, name: &str, offset: i32) {
    let mut block = Vec::new();
    block.extend(b"TZif2");
    block.extend([0; 15]);
    // Counts of: UT indicators, standard indicators, leap seconds, transitions, types, characters.
    for count in [0_u32, 0, 0, 0, 1, 4] {
        block.extend(count.to_be_bytes());
    }
    block.extend(offset.to_be_bytes());
    block.extend([0, 0]);
    block.extend(b"TST\0");
    let file = [&block[..], &block[..], b"\n\n"].concat();
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
    std::fs::write(path, file).expect("a file can be written");
}
