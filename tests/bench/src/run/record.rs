//! Record of a run: its figures with the machine, the program and the command that they are of.

use super::Kind;
use jiff::Timestamp;
use paihao_chassis::clock::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::process::Command;

/// Record of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunRecord {
    pub bench: String,
    /// Arguments of the program, without the file of this record and the paths of its machine.
    pub command: String,
    /// Day of the run, in UTC.
    pub date: String,
    /// Commit of the sources, with a `+` if they were changed.
    pub commit: String,
    /// Build that was measured: `release`, or `debug`, whose figures mean nothing.
    pub build: String,
    pub machine: Machine,
    /// Share of the processors that others took during the run, 0 to 1.
    pub others: f64,
    /// True if that is more than a run of times allows.
    pub noisy: bool,
    /// True if the run only shows that the benchmark works.
    pub short: bool,
    /// True if the figures are times and rates, which others on the machine change.
    pub timed: bool,
    pub figures: Value,
}

/// Machine of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    pub processors: usize,
    pub model: String,
    pub kernel: String,
}

impl RunRecord {
    /// Record of a run that ends now, in this process.
    pub fn new(
        bench: &str,
        kind: Kind,
        short: bool,
        others: f64,
        noisy: bool,
        figures: Value,
    ) -> RunRecord {
        let now = Timestamp::from_millisecond(SystemClock.now_ms());
        RunRecord {
            bench: bench.to_owned(),
            command: command(std::env::args().skip(1)),
            date: now.expect("the time of a clock").strftime("%Y-%m-%d").to_string(),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            machine: Machine::this(),
            others,
            noisy,
            short,
            timed: kind == Kind::Timed,
            figures,
        }
    }

    /// Reason for which the figures may not stand in the document.
    pub fn reason_to_leave_out(&self) -> Option<&'static str> {
        if self.short {
            Some("it is a short run, which shows only that the benchmark works")
        } else if self.build != "release" {
            Some("it is of a debug build")
        } else {
            None
        }
    }
}

impl fmt::Display for RunRecord {
    /// Formats everything but the figures, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunRecord { date, build, machine, commit, command, .. } = self;
        let Machine { processors, model, kernel } = machine;
        let others = self.others * 100.0;
        write!(
            f,
            "{date}, commit {commit}, {build} build, {processors} × {model}, Linux {kernel}"
        )?;
        write!(f, ", others took {others:.0} %: `bench {command}`")?;
        if self.noisy {
            write!(f, " **(noisy: others took too much for these times to count)**")?;
        }
        match self.reason_to_leave_out() {
            Some(reason) => write!(f, "\nTHESE FIGURES SAY NOTHING ABOUT THE PRODUCT: {reason}."),
            None => Ok(()),
        }
    }
}

impl Machine {
    fn this() -> Machine {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Machine {
            processors: crate::process::processors(),
            model: model.map_or("unknown", |(_, model)| model.trim()).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Options with a path of the machine, each with what the record has in its place.
const PATH_OPTIONS: [(&str, Option<&str>); 3] = [
    ("--json", None),
    ("--node-modules", Some("--node-modules FOLDER")),
    ("--wechat-oa-sdk", Some("--wechat-oa-sdk PROGRAM")),
];

/// Joins arguments, without `--json` and its file, and without the path of another option.
fn command(mut arguments: impl Iterator<Item = String>) -> String {
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        let (option, is_whole) = match argument.split_once('=') {
            Some((option, _)) => (option, true),
            None => (&*argument, false),
        };
        match PATH_OPTIONS.iter().find(|(name, _)| *name == option) {
            Some((_, recorded)) => {
                if !is_whole {
                    arguments.next();
                }
                kept.extend(recorded.map(str::to_owned));
            }
            None => kept.push(argument),
        }
    }
    kept.join(" ")
}

/// Commit of the sources from which this program was built.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let git =
            Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
        let output = git.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changes = git(&["status", "--porcelain", "--", ":/", ":!/docs"])?;
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_record_is_no_part_of_the_command() {
        let text = |arguments: &[&str]| command(arguments.iter().map(ToString::to_string));
        assert_eq!(text(&["line", "--json", "a.json", "--rounds", "2"]), "line --rounds 2");
        assert_eq!(text(&["line", "--json=a.json", "--pure"]), "line --pure");
    }

    #[test]
    fn a_path_of_the_machine_has_no_name_in_the_command() {
        let text = |arguments: &[&str]| command(arguments.iter().map(ToString::to_string));
        for (option, value) in [("--node-modules", "FOLDER"), ("--wechat-oa-sdk", "PROGRAM")] {
            let recorded = format!("callback {option} {value} --noisy");
            assert_eq!(text(&["callback", option, "/home/me", "--noisy"]), recorded);
            let whole = format!("{option}=/home/me");
            assert_eq!(text(&["callback", &whole, "--noisy"]), recorded);
        }
    }
}
