//! Child process that ends with the test, even if the test is aborted.

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A child process with a guardian. When this process ends, be it by panic, abort or SIGKILL, the
/// guardian's standard input closes, and it kills the child and removes the child's directory.
pub(crate) struct Process {
    child: Child,
    guardian: Child,
}

impl Process {
    /// Starts `command` with its output appended to `log`; the guardian removes `dir`.
    pub(crate) fn start(mut command: Command, log: &Path, dir: &Path) -> Process {
        let output = File::options().create(true).append(true).open(log).expect("a log file");
        let errors = output.try_clone().expect("a second handle on the log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|e| panic!("{:?} does not start: {e}", command.get_program()));
        let guardian = Command::new("/bin/sh")
            .args(["-c", "trap '' INT TERM HUP; cat >/dev/null; kill -9 \"$0\"; rm -rf \"$1\""])
            .arg(child.id().to_string())
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("/bin/sh starts");
        Process { child, guardian }
    }

    /// True if the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGSTOP and waits until the process has stopped.
    pub(crate) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).expect("our own child can be stopped");
        let stopped = waitpid(Some(self.pid()), WaitOptions::UNTRACED);
        stopped.expect("our own child can be waited for");
    }

    /// Sends SIGCONT.
    pub(crate) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).expect("our own child can be continued");
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("our own child can be told to stop");
    }

    /// Waits for the end and returns the exit code; `None` if a signal ended it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("our own child can be waited for").code()
    }

    /// Process id, by which its processor time and memory are measured.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guardian ends first, because the id of a reaped process may be given to another one.
        // Its `cat` ends when the pipe closes, and by then nothing acts on that.
        let _ = self.guardian.kill();
        let _ = self.guardian.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
