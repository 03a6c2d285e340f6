//! A chromedriver, and with it a real browser that has a profile of its own.

use crate::process::Process;
use crate::tools;
use crate::wait::wait_blocking;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A chromedriver of our own. When dropped it is killed, and the browsers it has started with it.
pub struct ChromeDriver {
    process: Process,
    chromium: PathBuf,
    url: String,
    folder: TempDir,
}

impl ChromeDriver {
    /// Starts it on a free port and waits until it listens.
    pub fn start() -> ChromeDriver {
        let folder = tempfile::Builder::new().prefix("browser-").tempdir().expect("a directory");
        let log = folder.path().join("chromedriver.log");
        let mut command = Command::new(tools::chromedriver());
        command.arg("--port=0").current_dir(folder.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // What a browser would leave in a home or in /tmp goes with the folder.
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        // The browser stays in its driver's process group, so that both can be ended together.
        command.process_group(0);
        let mut process = Process::start(command, &log, folder.path());

        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_blocking(Duration::from_secs(60), || {
            port_in_log(&said()).is_some() || process.has_ended()
        });
        let port = port_in_log(&said());
        let port = port.unwrap_or_else(|| panic!("chromedriver does not come up:\n{}", said()));
        let url = format!("http://127.0.0.1:{port}");
        ChromeDriver { process, chromium: tools::chromium(), url, folder }
    }

    /// Where it takes WebDriver commands.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The browser's program.
    pub fn chromium(&self) -> &str {
        self.chromium.to_str().expect("programs have plain names")
    }

    /// What the browser is to be started with: no screen, nothing kept, nobody asked but loopback,
    /// and an end as soon as its driver is gone.
    pub fn arguments(&self) -> Vec<String> {
        let profile = self.folder.path().join("profile");
        let mut arguments = vec![format!("--user-data-dir={}", profile.display())];
        arguments.extend(BROWSER_ARGUMENTS.map(str::to_owned));
        arguments
    }
}

const BROWSER_ARGUMENTS: [&str; 15] = [
    "--headless=new",
    // Pages of the browser's own, which it would load for each window and nobody sees: they cost
    // more than the start of all the rest. chromedriver adds features to this list.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,\
     PreloadTopChromeWebUI",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    "--remote-debugging-pipe",
    "--force-device-scale-factor=1",
    "--window-size=1440,900",
];

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        // Its child is not reaped yet, so the number is still its own.
        if let Some(group) = Pid::from_raw(self.process.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn port_in_log(log: &str) -> Option<u16> {
    let said = log.split("started successfully on port ").nth(1)?;
    let (number, _) = said.split_once('.')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_whole_sentence_only() {
        assert_eq!(
            port_in_log("ChromeDriver was started successfully on port 41237.\n"),
            Some(41237)
        );
        assert_eq!(port_in_log("ChromeDriver was started successfully on port 412"), None);
        assert_eq!(port_in_log("Starting ChromeDriver on port 0"), None);
    }
}
