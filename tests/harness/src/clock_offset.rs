//! Wrong clock of one program: an offset to its time of day, changed while it runs.

use crate::preload::compile;
use std::ffi::OsString;
use tempfile::TempDir;

/// Offset of the time of day that a program sees. Its monotonic clock is right.
pub struct ClockOffset {
    folder: TempDir,
}

impl ClockOffset {
    /// Prepares an offset of zero.
    pub fn new() -> ClockOffset {
        let folder = tempfile::Builder::new().prefix("clock-").tempdir().expect("a directory");
        compile(folder.path(), "clock_offset", include_str!("preloaded/clock_offset.c"));
        let offset = ClockOffset { folder };
        offset.set_ms(0);
        offset
    }

    /// Environment of the program.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = |name: &str| self.folder.path().join(name).into_os_string();
        vec![
            ("LD_PRELOAD".into(), path("clock_offset.so")),
            ("HARNESS_CLOCK_OFFSET".into(), path("offset")),
        ]
    }

    /// Sets the program's clock ahead of the machine's by so many milliseconds.
    pub fn set_ms(&self, offset_ms: i64) {
        use std::os::unix::fs::FileExt;
        let path = self.folder.path().join("offset");
        let mut options = std::fs::File::options();
        let file = options.create(true).truncate(false).write(true).open(path).expect("a file");
        file.write_all_at(&offset_ms.to_ne_bytes(), 0).expect("a file can be written");
    }
}

impl Default for ClockOffset {
    fn default() -> Self {
        ClockOffset::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_program_sees_the_offset() {
        let offset = ClockOffset::new();
        let year = || {
            let mut date = Command::new("python3");
            date.args(["-c", "import time; print(time.gmtime().tm_year)"]);
            let output = date.envs(offset.environment()).output().expect("python3");
            String::from_utf8(output.stdout).unwrap().trim().parse::<i32>().unwrap()
        };
        let now = year();
        offset.set_ms(10 * 366 * 86_400_000);
        assert_eq!(year() - now, 10);
    }
}
