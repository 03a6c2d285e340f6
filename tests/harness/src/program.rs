//! A program of ours as a process of its own: started, told to stop, killed and started again.

use crate::process::Process;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// One process, with a folder of its own and its output in a file there.
pub struct Program {
    binary: PathBuf,
    arguments: Vec<OsString>,
    folder: TempDir,
    process: Option<Process>,
}

impl Program {
    /// Starts `binary` with these arguments, each of which may hold `{dir}` for its folder, and
    /// with `files` (name and text) laid into the folder first. It inherits no environment but
    /// PATH.
    pub fn start(binary: impl AsRef<Path>, arguments: &[&str], files: &[(&str, &str)]) -> Program {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let dir = folder.path().to_str().expect("temporary folders have plain names").to_owned();
        for (name, text) in files {
            let text = text.replace("{dir}", &dir);
            std::fs::write(folder.path().join(name), text).expect("a file can be written");
        }
        let arguments = arguments.iter().map(|argument| argument.replace("{dir}", &dir).into());
        let arguments = arguments.collect();
        let binary = binary.as_ref().to_owned();
        let mut program = Program { binary, arguments, folder, process: None };
        program.restart();
        program
    }

    /// SIGKILL, if it runs.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, with the same arguments and folder.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(&self.binary);
        command.args(&self.arguments).current_dir(self.folder.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // The guardian removes a folder that is not the program's: that one outlives a kill.
        let scratch = self.folder.path().join("nothing");
        self.process = Some(Process::start(command, &self.log(), &scratch));
    }

    /// SIGTERM, and the exit code it ends with; `None` if it did not run or a signal ended it.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        process.terminate();
        process.wait()
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.take()?.wait()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| !process.has_ended())
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Everything it has written to its output and its errors, over all its lives.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The folder it works in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("output.log")
    }
}
