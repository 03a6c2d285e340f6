//! Service of systemd for this program, where no package installed it: `paihao service`.
//!
//! It is the unit of the Debian package, with the program in a folder of the administrator's own.

use crate::config::{Config, Role};
use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use paihao_chassis::Exit;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE_UNIT: &str = include_str!("../../../deploy/package/systemd/paihao.service");
const PACKAGE_CONFIG: &str = include_str!("../../../deploy/package/debian/paihao.toml");
const PACKAGE_PROGRAM: &str = "/usr/bin/paihao";

const PROGRAM: &str = "/usr/local/bin/paihao";
const UNIT: &str = "/etc/systemd/system/paihao.service";
const CONFIG: &str = "/etc/paihao/paihao.toml";
const USER: &str = "paihao";

/// First line of a unit that this command wrote.
const MARK: &str = "# Written by `paihao service install`, removed by `paihao service remove`.";

/// Lowest port that needs no capability.
const FIRST_PLAIN_PORT: u16 = 1024;

/// Options of `paihao service`.
#[derive(Debug, Clone, Args)]
pub struct ServiceOptions {
    #[command(subcommand)]
    action: ServiceAction,
}

#[derive(Debug, Clone, Subcommand)]
enum ServiceAction {
    /// Installs this program as a service of systemd and starts it: data in /var/lib/paihao,
    /// configuration in /etc/paihao, logs in the journal. Again, it updates the service.
    Install,
    /// Stops the service and removes it and the program. Data and configuration stay.
    Remove,
}

/// Runs the command.
pub fn run(options: &ServiceOptions) -> Exit {
    let done = match options.action {
        ServiceAction::Install => install(),
        ServiceAction::Remove => remove(),
    };
    match done {
        Ok(()) => Exit::Clean,
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

fn install() -> anyhow::Result<()> {
    check_machine()?;
    make_user()?;
    let is_new = make_config()?;
    let config = Config::read(Some(Path::new(CONFIG)), [])?;
    let resolved = config.resolve(Role::All)?;
    let ports = [
        Some(resolved.gateway_listen),
        resolved.callback_listen,
        resolved.https.and_then(|https| https.redirect_listen),
    ];
    let listens_low = ports.iter().flatten().any(|address| address.port() < FIRST_PLAIN_PORT);
    install_program()?;
    fs::write(UNIT, unit(listens_low)).context("cannot write the unit")?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--quiet", "paihao"])?;
    systemctl(&["restart", "paihao"])?;
    println!("服务已安装并启动 The service is installed and runs");
    if is_new {
        println!("配置 Configuration: {CONFIG} （新 new）");
    }
    println!("状态 Status: systemctl status paihao    日志 Logs: journalctl -u paihao");
    println!(
        "第一位管理员 First manager: runuser -u {USER} -- {PROGRAM} first-manager -c {CONFIG}"
    );
    Ok(())
}

fn remove() -> anyhow::Result<()> {
    check_machine()?;
    let unit = fs::read_to_string(UNIT).unwrap_or_default();
    ensure!(unit.starts_with(MARK), "{UNIT} is not there, or was not written by this command");
    systemctl(&["disable", "--quiet", "--now", "paihao"])?;
    fs::remove_file(UNIT).context("cannot remove the unit")?;
    systemctl(&["daemon-reload"])?;
    fs::remove_file(PROGRAM).context("cannot remove the program")?;
    println!("服务已移除 The service is removed. 保留 Kept: /var/lib/paihao, /etc/paihao");
    Ok(())
}

fn check_machine() -> anyhow::Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "this needs root: sudo paihao service …");
    ensure!(Path::new("/run/systemd/system").is_dir(), "systemd does not run this machine");
    ensure!(
        !Path::new("/usr/lib/systemd/system/paihao.service").exists(),
        "the package has a service already: systemctl enable --now paihao"
    );
    Ok(())
}

fn make_user() -> anyhow::Result<()> {
    if user_ids()?.is_some() {
        return Ok(());
    }
    let arguments = ["--system", "--user-group", "--no-create-home"];
    let home = ["--home-dir", "/var/lib/paihao", "--shell", "/usr/sbin/nologin", USER];
    call(Command::new("useradd").args(arguments).args(home)).context("cannot make the user")
}

/// User and group of the service, as the system lists them.
fn user_ids() -> anyhow::Result<Option<(u32, u32)>> {
    let users = fs::read_to_string("/etc/passwd").context("cannot read the list of users")?;
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own = fields.into_iter().find(|fields| fields.first() == Some(&USER));
    let Some([_, _, user, group, ..]) = own.as_deref() else { return Ok(None) };
    Ok(Some((user.parse()?, group.parse()?)))
}

/// Makes the folder of the configuration, which root writes and the service reads, and the file if
/// there is none. Returns whether it was made.
fn make_config() -> anyhow::Result<bool> {
    let (_, group) = user_ids()?.context("the user was made and is not there")?;
    let folder = Path::new("/etc/paihao");
    fs::create_dir_all(folder).context("cannot make /etc/paihao")?;
    give(folder, group, 0o750)?;
    let file = Path::new(CONFIG);
    if file.exists() {
        return Ok(false);
    }
    fs::write(file, PACKAGE_CONFIG).context("cannot write the configuration")?;
    give(file, group, 0o640)?;
    Ok(true)
}

fn give(path: &Path, group: u32, mode: u32) -> anyhow::Result<()> {
    let given = chown(path, Some(0), Some(group))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    given.with_context(|| format!("cannot set who may read {}", path.display()))
}

/// Puts this program where the unit finds it, in one step: it may be running from there.
fn install_program() -> anyhow::Result<()> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    if own == Path::new(PROGRAM) {
        return Ok(());
    }
    let new = PathBuf::from(format!("{PROGRAM}.new"));
    fs::copy(&own, &new).context("cannot copy the program")?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(&new, PROGRAM).context("cannot put the program in its place")
}

/// Unit of the service. A port below 1024 needs a capability, which a user namespace of the
/// process's own would take away.
fn unit(listens_low: bool) -> String {
    let mut unit = format!("{MARK}\n{}", PACKAGE_UNIT.replace(PACKAGE_PROGRAM, PROGRAM));
    if listens_low {
        for (packaged, here) in [
            ("CapabilityBoundingSet=\n", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"),
            ("AmbientCapabilities=\n", "AmbientCapabilities=CAP_NET_BIND_SERVICE\n"),
            ("PrivateUsers=yes\n", "PrivateUsers=no\n"),
        ] {
            unit = unit.replace(packaged, here);
        }
    }
    unit
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    call(Command::new("systemctl").args(arguments))
}

fn call(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_that_of_the_package_with_the_program_in_its_own_place() {
        let unit = unit(false);
        assert!(unit.starts_with(MARK));
        assert!(
            unit.contains("\nExecStart=/usr/local/bin/paihao --config /etc/paihao/paihao.toml")
        );
        assert!(!unit.contains("/usr/bin/paihao"));
        assert!(
            unit.contains("\nCapabilityBoundingSet=\n") && unit.contains("\nPrivateUsers=yes\n")
        );
    }

    #[test]
    fn a_port_below_1024_has_the_one_capability_that_it_needs() {
        let low = unit(true);
        let changed: Vec<&str> = low.lines().filter(|line| !unit(false).contains(line)).collect();
        assert_eq!(
            changed,
            [
                "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
                "AmbientCapabilities=CAP_NET_BIND_SERVICE",
                "PrivateUsers=no",
            ]
        );
    }
}
