//! Processes whose clock is wrong by what a test sets.

use harness::Program;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Clock of one process; a library that is preloaded reads its error from a file.
pub struct WrongClock {
    folder: TempDir,
}

impl WrongClock {
    /// Makes a clock that is right.
    pub fn new() -> WrongClock {
        let clock = WrongClock { folder: tempfile::tempdir().unwrap() };
        let source = clock.folder.path().join("wrong_clock.c");
        std::fs::write(&source, include_str!("wrong_clock.c")).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([clock.library(), source])
            .status();
        assert!(compiled.expect("a C compiler, which Rust's linker is").success());
        clock.set_error_ms(0);
        clock
    }

    /// Sets by how many milliseconds the process is ahead.
    pub fn set_error_ms(&self, error_ms: i64) {
        // Replaced as a whole: the process reads it at any moment.
        let next = self.folder.path().join("next");
        std::fs::write(&next, error_ms.to_string()).unwrap();
        std::fs::rename(next, self.error()).unwrap();
    }

    /// Starts a role with the text of its configuration on this clock.
    pub fn start(&self, role: &str, configuration: &str) -> Program {
        let preload = format!("LD_PRELOAD={}", self.library().display());
        let error = format!("WRONG_CLOCK={}", self.error().display());
        let program = env!("CARGO_BIN_EXE_paihao");
        let arguments = [&*preload, &*error, program, "--config", "{dir}/paihao.toml", role];
        Program::start("/usr/bin/env", &arguments, &[("paihao.toml", configuration)])
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("wrong_clock.so")
    }

    fn error(&self) -> PathBuf {
        self.folder.path().join("error")
    }
}
