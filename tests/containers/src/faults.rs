//! Faults and changes of a running deployment, each brought about and undone.

use crate::compose::{Container, Deployment, NEXT_TAG, TAG, docker};
use anyhow::Context;
use std::time::Duration;
use tokio::time::Instant;

/// Time for which something is away before it comes back.
const AWAY: Duration = Duration::from_secs(10);
/// Longest time until another token service has taken up the lease of one that is lost.
const KEEPER_TIMEOUT: Duration = Duration::from_secs(120);
/// Time for which a changed deployment runs before the next fault.
const SETTLED: Duration = Duration::from_secs(5);

/// Fault or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens, for comparison.
    Nothing,
    /// A service runs in so many containers, one number after the other.
    Scaled(&'static str, &'static [usize]),
    /// One container is away for a while.
    Away(Target, Means),
    /// Every role is replaced by the image of another tag, one container after the other.
    Rolled(&'static str),
}

/// Container that a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One of a service.
    Of(&'static str),
    /// The token service that keeps the account's token.
    TokenKeeper,
    /// The NATS server that leads the ledger's stream.
    NatsLeader,
    /// A NATS server that does not.
    NatsFollower,
}

/// Means by which a container is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// SIGKILL, and a start.
    Killed,
    /// Its processes stand still; connections stay.
    Paused,
    /// It runs and reaches nobody.
    CutOff,
}

const TARGETS: [Target; 7] = [
    Target::Of("gateway"),
    Target::TokenKeeper,
    Target::Of("notifier"),
    Target::NatsLeader,
    Target::NatsFollower,
    Target::Of("redis"),
    Target::Of("balancer"),
];

impl Fault {
    /// The few that every run of the tests has.
    pub fn few() -> Vec<Fault> {
        vec![
            Fault::Nothing,
            Fault::Scaled("gateway", &[4, 1, 2]),
            Fault::Away(Target::Of("gateway"), Means::Killed),
            Fault::Away(Target::NatsLeader, Means::CutOff),
            Fault::Away(Target::Of("redis"), Means::Paused),
        ]
    }

    /// All: every target by every means, and every change.
    pub fn all() -> Vec<Fault> {
        let mut faults = vec![
            Fault::Nothing,
            Fault::Scaled("gateway", &[4]),
            Fault::Scaled("gateway", &[1]),
            Fault::Scaled("gateway", &[2]),
            Fault::Scaled("notifier", &[1]),
            Fault::Scaled("notifier", &[4]),
            Fault::Scaled("notifier", &[2]),
        ];
        for target in TARGETS {
            let means = [Means::Killed, Means::Paused, Means::CutOff];
            faults.extend(means.map(|means| Fault::Away(target, means)));
        }
        faults.extend([Fault::Rolled(NEXT_TAG), Fault::Rolled(TAG)]);
        faults
    }

    /// Words for the table.
    pub fn describe(self) -> String {
        match self {
            Fault::Nothing => "nothing".to_owned(),
            Fault::Scaled(service, counts) => {
                let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
                format!("{service}: {} containers", counts.join(", then "))
            }
            Fault::Away(target, means) => {
                let target = match target {
                    Target::Of(service) => service,
                    Target::TokenKeeper => "token service that keeps the token",
                    Target::NatsLeader => "NATS server that leads",
                    Target::NatsFollower => "NATS server that follows",
                };
                let means = match means {
                    Means::Killed => "killed",
                    Means::Paused => "paused",
                    Means::CutOff => "cut off the network",
                };
                format!("{target}: {means}")
            }
            Fault::Rolled(tag) => format!("every role rolled to the image `{tag}`"),
        }
    }

    /// Brings it about, and undoes it if it is a fault.
    pub async fn run(self, deployment: &Deployment) -> anyhow::Result<()> {
        match self {
            Fault::Nothing => tokio::time::sleep(AWAY).await,
            Fault::Scaled(service, counts) => {
                for &count in counts {
                    deployment.scale(service, count).await?;
                    deployment.wait_until_ready().await?;
                    tokio::time::sleep(SETTLED).await;
                }
            }
            Fault::Away(target, means) => {
                let container = target.find(deployment).await?;
                means.run(deployment, &container).await?;
            }
            Fault::Rolled(tag) => {
                deployment.roll(tag).await?;
                tokio::time::sleep(SETTLED).await;
            }
        }
        Ok(())
    }
}

impl Target {
    async fn find(self, deployment: &Deployment) -> anyhow::Result<Container> {
        match self {
            Target::Of(service) => deployment.first(service).await,
            Target::TokenKeeper => token_keeper(deployment).await,
            Target::NatsLeader => deployment.first(&deployment.nats_leader().await?).await,
            Target::NatsFollower => {
                let leader = deployment.nats_leader().await?;
                let mut servers = ["nats-0", "nats-1", "nats-2"].into_iter();
                let follower = servers.find(|server| *server != leader);
                deployment.first(follower.context("three servers")?).await
            }
        }
    }
}

/// Waits until a token service keeps the token: after the loss of one, its lease has to end.
async fn token_keeper(deployment: &Deployment) -> anyhow::Result<Container> {
    let until = Instant::now() + KEEPER_TIMEOUT;
    while Instant::now() < until {
        for container in deployment.running("token").await? {
            let address = deployment.address(&container, "stores").await?;
            let url = format!("http://{address}:9090/metrics");
            let metrics = deployment.http.get(url).send().await?;
            if metrics.text().await?.contains("paihao_token_kept_here{account=\"shop\"} 1") {
                return Ok(container);
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    anyhow::bail!("no token service keeps the token after {KEEPER_TIMEOUT:?}")
}

impl Means {
    /// Takes a container away for a while.
    async fn run(self, deployment: &Deployment, container: &Container) -> anyhow::Result<()> {
        let id = container.id.as_str();
        match self {
            Means::Killed => {
                docker(&["kill", id]).await?;
                tokio::time::sleep(AWAY).await;
                docker(&["start", id]).await?;
            }
            Means::Paused => {
                docker(&["pause", id]).await?;
                tokio::time::sleep(AWAY).await;
                docker(&["unpause", id]).await?;
            }
            Means::CutOff => {
                let networks = networks(deployment, id).await?;
                for network in &networks {
                    docker(&["network", "disconnect", network, id]).await?;
                }
                tokio::time::sleep(AWAY).await;
                for network in &networks {
                    let alias = ["--alias", &container.service];
                    docker(&[&["network", "connect"], &alias[..], &[network, id]].concat()).await?;
                }
            }
        }
        Ok(())
    }
}

/// Networks of the project that a container is in.
async fn networks(deployment: &Deployment, id: &str) -> anyhow::Result<Vec<String>> {
    let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let named = docker(&["inspect", "--format", format, id]).await?;
    let known = ["outside", "stores"].map(|name| deployment.network(name));
    Ok(known
        .into_iter()
        .filter(|name| named.split_whitespace().any(|found| found == name))
        .collect())
}
