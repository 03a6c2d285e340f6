//! Command line of the program: the roles and the operator's commands.

use crate::account::{self, AccountOptions};
use crate::backup::{self, BackupOptions, MoveOptions, RestoreArguments};
use crate::config::{Config, DEFAULTS, ResolvedConfig, Role};
use crate::demo::{self, DemoOptions};
use crate::divide::{self, DivideOptions};
use crate::doctor::page::DeploymentDoctor;
use crate::doctor::{self, DoctorOptions};
use crate::menu::{self, MenuOptions};
use crate::operator_key::{self, OperatorKeyOptions};
use crate::rehearsal::{self, DeploymentRehearsals};
use crate::reload::{self, ConfigSource};
use crate::restart::{self, Restart};
use crate::service::{self, ServiceOptions};
use crate::settings::{self, SettingsOptions};
use crate::site::{self, SiteOptions};
use crate::sockets::ListeningSockets;
use crate::{compose, first_manager, health, new_accounts, ports::Ports, simulator};
use clap::{Parser, Subcommand};
use paihao_chassis::config::{ConfigError, ReadFiles, render};
use paihao_chassis::{Exit, Lifecycle, memory, open_files, telemetry};
use paihao_gateway::http::rehearsal::Rehearsals;
use paihao_gateway::identity::login::first_manager::FIRST_MANAGER_CODE_TTL;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// 排号：微信公众号排队叫号。A queue system on a WeChat Official Account.
///
/// Without a command it runs every role in one process, with its data in the folder paihao-data.
#[derive(Parser)]
#[command(name = "paihao", version)]
struct Cli {
    /// The configuration file; see `paihao config print --defaults`.
    #[arg(long, short, global = true, env = "PAIHAO_CONFIG")]
    config: Option<PathBuf>,
    /// Without a command: serves https at this domain, which leads to this machine, on the ports
    /// 443 and 80, with a certificate of Let's Encrypt that it gets and renews itself. With a
    /// configuration file: gateway.tls.acme.
    #[arg(long, value_name = "HOST", conflicts_with = "config", value_parser = parse_host)]
    domain: Option<String>,
    /// Accepts the terms of the certificate's authority: letsencrypt.org/repository.
    #[arg(long, requires = "domain")]
    accept_terms: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a sample hall with a simulated WeChat on this machine.
    Demo(DemoOptions),
    /// Runs every role in one process.
    All,
    /// Runs the gateway: WeChat's callbacks, QR codes, the API and the pages.
    Gateway,
    /// Runs the token service, which renews the access tokens.
    Token,
    /// Runs the notifier, which sends notices and webhooks.
    Notifier,
    /// Runs a simulator of WeChat. For tests and demos, never for real customers.
    Sim,
    /// Checks or prints the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Exports the settings of a running gateway to one file, or imports a file.
    #[command(visible_alias = "book")]
    Settings(SettingsOptions),
    /// Pushes an account's menu to WeChat, shows or deletes the one that is there.
    Menu(MenuOptions),
    /// Hands tickets and staff over to the account to which theirs has migrated.
    Account(AccountOptions),
    /// Repairs a site of a running gateway.
    Site(SiteOptions),
    /// Prints the link that makes the first manager, while nobody manages the deployment.
    FirstManager,
    /// Installs this program as a service of systemd, or removes it.
    Service(ServiceOptions),
    /// Prints a new key that seals secrets, or puts one in the place of the present one.
    OperatorKey(OperatorKeyOptions),
    /// Checks every account and the stores before opening day, with advice for each finding.
    Doctor(DoctorOptions),
    /// Writes a backup of the ledger to a file, also while processes use it.
    Backup(BackupOptions),
    /// Restores a backup into the configured ledger, which is to be empty.
    Restore(RestoreArguments),
    /// Moves the ledger of stopped processes to the store of another configuration.
    Move(MoveOptions),
    /// Divides the ledger on NATS into partitions, while processes use it.
    Divide(DivideOptions),
    /// Checks readiness at the admin port of a process on this machine; for container checks.
    Health {
        /// The admin port's address; the configuration's unless given.
        #[arg(long)]
        admin: Option<SocketAddr>,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Lists every error in it.
    Check {
        /// Role to check it for: all, gateway, token, notifier or sim.
        #[arg(long, default_value = "all", value_parser = parse_role)]
        role: Role,
    },
    /// Prints the configuration in force, with secrets masked.
    Print {
        /// Prints the commented defaults instead: the manual.
        #[arg(long)]
        defaults: bool,
    },
}

fn parse_host(text: &str) -> Result<String, String> {
    let url = url::Url::parse(&format!("https://{text}")).ok();
    let host = url.filter(|url| url.port().is_none() && url.path() == "/" && !text.contains('/'));
    let host = host.and_then(|url| url.domain().map(str::to_owned));
    host.ok_or_else(|| "use a domain name alone, such as queue.example.com".into())
}

fn parse_role(name: &str) -> Result<Role, String> {
    match name {
        "all" => Ok(Role::All),
        "gateway" => Ok(Role::Gateway),
        "token" => Ok(Role::Token),
        "notifier" => Ok(Role::Notifier),
        "sim" => Ok(Role::Sim),
        _ => Err("use all, gateway, token, notifier or sim".into()),
    }
}

/// Parses the arguments and runs the command to its end.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return if usage.use_stderr() { Exit::BadConfiguration } else { Exit::Clean };
        }
    };
    let source = ConfigSource {
        file: cli.config,
        environment: environment.into_iter().collect(),
        rehearsal: None,
    };
    let config = || source.read();
    let command = match (cli.command, &cli.domain) {
        (Some(command), None) => command,
        (None, None) => return serve(source.for_a_first_look(), Role::All),
        (None, Some(host)) if source.file.is_none() => {
            return serve(source.for_a_domain(host, cli.accept_terms), Role::All);
        }
        (_, Some(_)) => {
            eprintln!("--domain goes without a command and a file: set gateway.tls.acme there");
            return Exit::BadConfiguration;
        }
    };
    match command {
        Command::Demo(options) => block_on(demo::run(options)),
        Command::All => serve(source, Role::All),
        Command::Gateway => serve(source, Role::Gateway),
        Command::Token => serve(source, Role::Token),
        Command::Notifier => serve(source, Role::Notifier),
        Command::Sim => serve(source, Role::Sim),
        Command::Config { command: ConfigCommand::Print { defaults: true } } => {
            print!("{DEFAULTS}");
            Exit::Clean
        }
        Command::Config { command: ConfigCommand::Print { defaults: false } } => {
            exit_of(config().map(|config| print!("{}", render(&config))))
        }
        Command::Config { command: ConfigCommand::Check { role } } => exit_of(
            config().and_then(|config| Ok((config.resolve(role)?, config))).map(|(_, config)| {
                config.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
                println!("the configuration is fine");
            }),
        ),
        Command::Settings(options) => block_on(settings::run(options)),
        Command::Menu(options) => block_on(menu::run(options)),
        Command::Account(options) => block_on(account::run(options)),
        Command::Site(options) => block_on(site::run(options)),
        Command::Service(options) => service::run(&options),
        Command::FirstManager => match config() {
            Ok(config) => block_on(first_manager::run(config)),
            Err(error) => exit_of(Err(error)),
        },
        Command::OperatorKey(options) => match config() {
            Ok(config) => operator_key::run(&config, &options),
            Err(error) => exit_of(Err(error)),
        },
        Command::Doctor(options) => match config() {
            Ok(config) => block_on(doctor::run(config, source.file.as_deref(), options)),
            Err(error) => exit_of(Err(error)),
        },
        Command::Backup(options) => match config() {
            Ok(config) => block_on(backup::back_up(config.ledger, options)),
            Err(error) => exit_of(Err(error)),
        },
        Command::Restore(options) => match config() {
            Ok(config) => block_on(backup::restore(config.ledger, options)),
            Err(error) => exit_of(Err(error)),
        },
        Command::Move(options) => {
            let target = ConfigSource { file: Some(options.to.clone()), ..source.clone() };
            match config().and_then(|config| Ok((config, target.read()?))) {
                Ok((from, to)) => block_on(backup::move_to(from.ledger, to.ledger, options)),
                Err(error) => exit_of(Err(error)),
            }
        }
        Command::Divide(options) => match config() {
            Ok(config) => block_on(divide::run(config.ledger, options)),
            Err(error) => exit_of(Err(error)),
        },
        Command::Health { admin: Some(admin) } => block_on(health::check_ready(admin)),
        Command::Health { admin: None } => match config().and_then(|c| c.resolve(Role::All)) {
            Ok(resolved) => block_on(health::check_ready(resolved.admin_listen)),
            Err(error) => exit_of(Err(error)),
        },
    }
}

fn exit_of(result: Result<(), ConfigError>) -> Exit {
    match result {
        Ok(()) => Exit::Clean,
        Err(error) => {
            eprintln!("{error}");
            Exit::BadConfiguration
        }
    }
}

/// Runs one role until a signal stops the process.
fn serve(mut source: ConfigSource, role: Role) -> Exit {
    memory::use_small_pages();
    let sockets = ListeningSockets::inherited();
    let (checked, read_files) = ReadFiles::record(|| CheckedConfig::read(&mut source, role));
    let CheckedConfig { deployment, rehearsed, resolved } = match checked {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    if let Err(problem) = telemetry::init(&resolved.log) {
        eprintln!("{problem}");
        return Exit::BadConfiguration;
    }
    let connections = resolved.gateway.connections.total as u64;
    if let Some(files) = open_files::raise_limit()
        && files < connections
    {
        tracing::warn!(files, connections, "fewer files may be open than connections are allowed");
    }
    block_on(async move {
        let lifecycle = match Lifecycle::with_lame_duck(resolved.lame_duck) {
            Ok(lifecycle) => lifecycle,
            Err(error) => {
                eprintln!("cannot listen for signals: {error}");
                return Exit::FailedToStart;
            }
        };
        let restart = Restart::of(lifecycle.tasks());
        let simulated = source.rehearsal.clone();
        let rehearsals = DeploymentRehearsals::start(
            &deployment,
            role,
            simulated.as_deref(),
            restart.clone(),
            lifecycle.tasks(),
        );
        let started = async {
            let rehearsals = rehearsals.await?;
            let (config, resolved) = (rehearsed.as_ref().unwrap_or(&deployment), &resolved);
            let (sockets, restart) = (&sockets, restart.clone());
            let services =
                Services { role, source, read_files, config, resolved, sockets, restart };
            services.start(rehearsals, &lifecycle).await
        };
        match lifecycle.start(started).await {
            Ok(ports) => {
                let shutdown_timeout = resolved.shutdown_timeout;
                sockets.close_unused();
                // Each holds every site once more.
                drop((deployment, rehearsed, resolved));
                let returning = memory::return_regularly(lifecycle.tasks().stop().clone());
                lifecycle.tasks().spawn("memory", returning);
                let exit = lifecycle.run(shutdown_timeout).await;
                if let Some(ports) = ports {
                    ports.close().await;
                }
                if restart.is_requested() { restart::replace_process(&sockets) } else { exit }
            }
            Err(exit) => exit,
        }
    })
}

/// Configuration that a role starts with. It is read once: with thousands of sites that takes a
/// tenth of a second, and memory that is not all given back.
struct CheckedConfig {
    deployment: Config,
    /// The same in the rehearsal that is under way.
    rehearsed: Option<Config>,
    resolved: ResolvedConfig,
}

impl CheckedConfig {
    /// Reads and checks it, and notes the rehearsal in its source. Tells what is wrong.
    fn read(source: &mut ConfigSource, role: Role) -> Result<CheckedConfig, Exit> {
        let refused = |error| exit_of(Err(error));
        let deployment = source.read().map_err(refused)?;
        source.rehearsal = rehearsal::resume(&deployment, role).map_err(|error| {
            eprintln!("{error:#}");
            Exit::FailedToStart
        })?;
        let rehearsed = source.rehearsal.as_ref().map(|rehearsal| {
            let mut config = deployment.clone();
            rehearsal.apply(&mut config);
            config
        });
        let resolved = rehearsed.as_ref().unwrap_or(&deployment).resolve(role).map_err(refused)?;
        Ok(CheckedConfig { deployment, rehearsed, resolved })
    }
}

/// Role to be started, with its configuration.
struct Services<'a> {
    role: Role,
    source: ConfigSource,
    read_files: ReadFiles,
    config: &'a Config,
    resolved: &'a ResolvedConfig,
    sockets: &'a ListeningSockets,
    restart: Restart,
}

impl Services<'_> {
    /// Starts the role. Returns its stores, which the simulator does not have.
    async fn start(
        self,
        rehearsals: Option<Arc<DeploymentRehearsals>>,
        lifecycle: &Lifecycle,
    ) -> anyhow::Result<Option<Ports>> {
        let Services { role, source, read_files, config, resolved, sockets, restart } = self;
        let tasks = lifecycle.tasks();
        if role == Role::Sim {
            simulator::start(config, resolved, tasks).await?;
            return Ok(None);
        }
        let ports = Ports::open(config).await?;
        let leaving = restart::before_a_division(restart, ports.ledger.clone());
        tasks.spawn("division", leaving);
        if matches!(role, Role::All | Role::Gateway) {
            new_accounts::check(config, &ports).await?;
        }
        let examined = source.clone();
        let doctor = DeploymentDoctor::new(source.file.clone(), move || examined.read());
        let (doctor, callbacks) = match &source.rehearsal {
            Some(simulated) => {
                (doctor.without_internet(), Some(simulated.callback_listener().await?))
            }
            None => (doctor, None),
        };
        let pages = compose::PagePorts {
            doctor: Arc::new(doctor),
            rehearsals: rehearsals.map(|rehearsals| rehearsals as Arc<dyn Rehearsals>),
        };
        let started =
            compose::start(role, resolved, &ports, pages, callbacks, sockets, lifecycle).await?;
        if let Some(gateway) = &started.gateway {
            let code = gateway.first_manager_code(FIRST_MANAGER_CODE_TTL);
            let pages = first_manager::pages_url(config, resolved.gateway_listen);
            tasks.spawn("first manager", async move {
                if let Some(code) = code.await {
                    first_manager::announce(&pages, &code);
                }
            });
        }
        let interval = resolved.token.reload_interval;
        reload::watch(source, role, started, read_files, interval, tasks);
        Ok(Some(ports))
    }
}

fn block_on(work: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("cannot start a runtime: {error}");
            Exit::FailedToStart
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_phones_of_the_network_reach_the_pages_unless_something_else_is_set() {
        let source = |file: Option<&str>, environment: &[(&str, &str)]| {
            let environment =
                environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let file = file.map(PathBuf::from);
            ConfigSource { file, environment: environment.collect(), rehearsal: None }
                .for_a_first_look()
        };
        let listen = |source: ConfigSource| source.read().unwrap().gateway.listen;
        assert_eq!(listen(source(None, &[])), "0.0.0.0:8080");
        let own = [("PAIHAO__GATEWAY__LISTEN", "127.0.0.1:9")];
        assert_eq!(listen(source(None, &own)), "127.0.0.1:9");
        assert!(source(Some("paihao.toml"), &[]).environment.is_empty());
    }

    #[test]
    fn a_domain_sets_https_and_the_terms_are_accepted_by_word_alone() {
        let source = |accept_terms| {
            let own = ("PAIHAO__GATEWAY__TLS__REDIRECT_LISTEN".to_owned(), String::new());
            let source = ConfigSource { file: None, environment: vec![own], rehearsal: None };
            source.for_a_domain("queue.example.com", accept_terms).read().unwrap()
        };
        let config = source(true);
        assert_eq!(config.gateway.listen, "0.0.0.0:443");
        assert_eq!(config.gateway.public, "https://queue.example.com");
        assert_eq!(config.gateway.tls.redirect_listen, "", "the environment's own");
        let error = source(false).resolve(Role::All).err().expect("not accepted").to_string();
        assert!(error.contains("gateway.tls.acme.accept_terms"), "{error}");
        for arguments in [
            &["paihao", "--domain", "queue.example.com"][..],
            &["paihao", "--domain", "queue.example.com", "--accept-terms", "all"],
            &["paihao", "--accept-terms"],
            &["paihao", "--domain", "https://queue.example.com", "--accept-terms"],
            &["paihao", "--domain", "queue.example.com:8443", "--accept-terms"],
            &["paihao", "--domain", "192.0.2.7", "--accept-terms"],
            &["paihao", "--domain", "a.example.com", "--config", "x.toml"],
        ] {
            let exit = main(arguments.iter().map(OsString::from), []);
            assert_eq!(exit, Exit::BadConfiguration, "{arguments:?}");
        }
    }

    #[test]
    fn an_unknown_command_is_a_usage_error() {
        let arguments = ["paihao", "gatewya"].map(OsString::from);
        assert_eq!(main(arguments, []), Exit::BadConfiguration);
    }

    #[test]
    fn a_wrong_configuration_is_reported_before_anything_starts() {
        let arguments = ["paihao", "gateway"].map(OsString::from);
        assert_eq!(main(arguments, []), Exit::BadConfiguration);
    }
}
