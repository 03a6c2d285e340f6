//! Process of chromedriver, and the browser that it starts with a fresh profile.

use crate::process::Process;
use crate::tools;
use crate::wait::wait_blocking;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The system gives chromedriver a free port of IPv4, and it ends if the same one of IPv6 is taken.
const START_ATTEMPTS: usize = 5;

/// A chromedriver process. Dropping it kills it and its browsers.
pub struct ChromeDriver {
    process: Process,
    chromium: PathBuf,
    url: String,
    folder: TempDir,
}

impl ChromeDriver {
    /// Starts chromedriver on a free port and waits until it listens.
    pub fn start() -> ChromeDriver {
        let mut failed = String::new();
        for _ in 0..START_ATTEMPTS {
            match ChromeDriver::try_start() {
                Ok(driver) => return driver,
                Err(log) => failed = log,
            }
        }
        panic!("chromedriver does not come up:\n{failed}");
    }

    /// Starts chromedriver once. The error is its log.
    fn try_start() -> Result<ChromeDriver, String> {
        let folder = tempfile::Builder::new().prefix("browser-").tempdir().expect("a directory");
        let log = folder.path().join("chromedriver.log");
        let mut command = Command::new(tools::chromedriver());
        command.arg("--port=0").current_dir(folder.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // Files that the browser would leave in a home or in /tmp are removed with the folder.
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        // The browser stays in the process group of its driver, so that both can be killed
        // together.
        command.process_group(0);
        let mut process = Process::start(command, &log, folder.path());

        let log_text = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_blocking(Duration::from_secs(60), || {
            port_in_log(&log_text()).is_some() || process.has_ended()
        });
        let port = port_in_log(&log_text()).ok_or_else(log_text)?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(ChromeDriver { process, chromium: tools::chromium(), url, folder })
    }

    /// Address for WebDriver commands.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Path of the browser.
    pub fn chromium(&self) -> &str {
        self.chromium.to_str().expect("programs have plain names")
    }

    /// Arguments of the browser: no screen, a temporary profile, connections to loopback only, and
    /// an end together with its driver.
    pub fn arguments(&self) -> Vec<String> {
        let profile = self.folder.path().join("profile");
        let mut arguments = vec![format!("--user-data-dir={}", profile.display())];
        arguments.extend(BROWSER_ARGUMENTS.map(str::to_owned));
        arguments
    }
}

const BROWSER_ARGUMENTS: [&str; 15] = [
    "--headless=new",
    // These are internal pages of the browser, loaded for each window although nobody sees them,
    // and they take longer than the rest of its start. chromedriver adds features to this list.
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
        // The child is not reaped yet, so its id still belongs to it.
        if let Some(group) = Pid::from_raw(self.process.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn port_in_log(log: &str) -> Option<u16> {
    let tail = log.split("started successfully on port ").nth(1)?;
    let (number, _) = tail.split_once('.')?;
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
