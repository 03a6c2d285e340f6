//! Process of one of the workspace's programs: start, soft stop, kill and restart.

use crate::process::Process;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A process with its own folder, which also contains its output.
pub struct Program {
    binary: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: TempDir,
    process: Option<Process>,
}

impl Program {
    /// Starts `binary` with these arguments, in which `{dir}` stands for its folder. `files` (name
    /// and text) are written to the folder first. The process inherits no environment but PATH.
    pub fn start(binary: impl AsRef<Path>, arguments: &[&str], files: &[(&str, &str)]) -> Program {
        Program::start_with(binary, arguments, files, Vec::new())
    }

    /// Starts `binary` as [`Program::start`] does, with these variables in its environment too.
    pub fn start_with(
        binary: impl AsRef<Path>,
        arguments: &[&str],
        files: &[(&str, &str)],
        environment: Vec<(OsString, OsString)>,
    ) -> Program {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let dir = folder.path().to_str().expect("temporary folders have plain names").to_owned();
        for (name, text) in files {
            let text = text.replace("{dir}", &dir);
            std::fs::write(folder.path().join(name), text).expect("a file can be written");
        }
        let arguments = arguments.iter().map(|argument| argument.replace("{dir}", &dir).into());
        let arguments = arguments.collect();
        let binary = binary.as_ref().to_owned();
        let mut program = Program { binary, arguments, environment, folder, process: None };
        program.restart();
        program
    }

    /// Kills the process with SIGKILL, if it runs.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Restarts the process with the same arguments and folder.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(&self.binary);
        command.args(&self.arguments).current_dir(self.folder.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.environment.iter().cloned());
        // The guardian gets a folder that does not exist, because the program's own outlives a
        // kill.
        let scratch = self.folder.path().join("nothing");
        self.process = Some(Process::start(command, &self.log(), &scratch));
    }

    /// Sends SIGTERM and returns the exit code; `None` if the process did not run or a signal ended
    /// it.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        process.terminate();
        process.wait()
    }

    /// Stops the process with SIGSTOP: it keeps its connections and does not answer.
    pub fn freeze(&self) {
        self.process.as_ref().expect("a running program").freeze();
    }

    /// Continues the process with SIGCONT.
    pub fn thaw(&self) {
        self.process.as_ref().expect("a running program").thaw();
    }

    /// Waits for the process to end by itself and returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.take()?.wait()
    }

    /// True while the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| !process.has_ended())
    }

    /// Process id while the process runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Standard output and standard error of all runs of the process.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Folder of the process, its working directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("output.log")
    }
}
