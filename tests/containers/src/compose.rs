//! Containers of one Compose project: starting, scaling, breaking and mending them.

use anyhow::{Context, bail};
use reqwest::Client;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// Key of the staff, as compose.yaml sets it.
pub const STAFF_KEY: &str = "front-desk-of-the-demo";

/// Tag of our image, which `deploy/try` has built.
pub const TAG: &str = "try";
/// Tag of the image that is rolled out: the same program.
pub const NEXT_TAG: &str = "try-next";

/// Longest wait for containers to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(300);

/// Attempts to start everything, on a busy machine.
const START_ATTEMPTS: u32 = 5;
/// Time in which a container can become healthy again.
const START_RETRY_DELAY: Duration = Duration::from_secs(10);

/// Roles of the product with an admin port.
const ROLES: [&str; 3] = ["gateway", "token", "notifier"];

/// Running Compose project.
#[derive(Clone)]
pub struct Deployment {
    project: String,
    environment: Vec<(String, String)>,
    /// Base URL of the balancer.
    pub url: String,
    /// Base URL of the simulator.
    pub phones: String,
    pub http: Client,
}

/// Container of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub service: String,
    pub running: bool,
}

impl Deployment {
    /// Starts everything that compose.yaml names, and waits until it is ready.
    pub async fn start(project: &str, port: u16, phones_port: u16) -> anyhow::Result<Deployment> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let deployment = Deployment {
            project: project.to_owned(),
            environment: vec![
                ("PORT".to_owned(), port.to_string()),
                ("PHONES_PORT".to_owned(), phones_port.to_string()),
            ],
            url: format!("http://127.0.0.1:{port}"),
            phones: format!("http://127.0.0.1:{phones_port}"),
            http,
        };
        // Compose gives up when a container is unhealthy for a moment, and goes on where it was.
        let mut started = Ok(String::new());
        for _ in 0..START_ATTEMPTS {
            started = deployment.compose(&["up", "--detach", "--no-build"], TAG).await;
            if started.is_ok() {
                break;
            }
            tokio::time::sleep(START_RETRY_DELAY).await;
        }
        started?;
        deployment.wait_until_ready().await?;
        Ok(deployment)
    }

    /// Runs Compose for this project with our images of a tag.
    async fn compose(&self, arguments: &[&str], tag: &str) -> anyhow::Result<String> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/compose.yaml");
        let plugin = Command::new("docker").args(["compose", "version"]).output();
        let has_plugin = plugin.is_ok_and(|output| output.status.success());
        let mut command: Vec<&str> =
            if has_plugin { vec!["docker", "compose"] } else { vec!["docker-compose"] };
        command.extend(["--project-name", &self.project, "--file", file]);
        command.extend(arguments);
        let tag = ("TAG".to_owned(), tag.to_owned());
        run(&command, self.environment.iter().cloned().chain([tag]).collect()).await
    }

    /// Sets the number of containers of a service; those that are there stay.
    pub async fn scale(&self, service: &str, count: usize) -> anyhow::Result<()> {
        let scale = format!("{service}={count}");
        let arguments =
            ["up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--scale", &scale];
        self.compose(&[&arguments[..], &[service]].concat(), TAG).await?;
        Ok(())
    }

    /// Replaces the containers of all roles by those of another tag, with `deploy/roll`.
    pub async fn roll(&self, tag: &str) -> anyhow::Result<()> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/roll");
        let mut environment = self.environment.clone();
        environment.push(("PROJECT".to_owned(), self.project.clone()));
        run(&[script, tag], environment).await?;
        Ok(())
    }

    /// All containers of the project, the oldest first.
    pub async fn containers(&self) -> anyhow::Result<Vec<Container>> {
        let project = format!("label=com.docker.compose.project={}", self.project);
        let format = "{{.ID}} {{.Label \"com.docker.compose.service\"}} {{.State}}";
        let listed = docker(&["ps", "--all", "--filter", &project, "--format", format]).await?;
        let mut containers = Vec::new();
        for line in listed.lines().rev() {
            let [id, service, state] = line.split(' ').collect::<Vec<_>>()[..] else {
                bail!("docker ps says {line}");
            };
            let (id, service) = (id.to_owned(), service.to_owned());
            containers.push(Container { id, service, running: state == "running" });
        }
        Ok(containers)
    }

    /// Containers of a service that run.
    pub async fn running(&self, service: &str) -> anyhow::Result<Vec<Container>> {
        let containers = self.containers().await?;
        Ok(containers.into_iter().filter(|c| c.running && c.service == service).collect())
    }

    /// The oldest container of a service that runs.
    pub async fn first(&self, service: &str) -> anyhow::Result<Container> {
        let first = self.running(service).await?.into_iter().next();
        first.with_context(|| format!("no container of {service} runs"))
    }

    /// Name of one of the project's networks.
    pub fn network(&self, name: &str) -> String {
        format!("{}_{name}", self.project)
    }

    /// Address of a container in a network, reached from this machine.
    pub async fn address(&self, container: &Container, network: &str) -> anyhow::Result<String> {
        let network = self.network(network);
        let format = format!(
            "{{{{with index .NetworkSettings.Networks {network:?}}}}}{{{{.IPAddress}}}}{{{{end}}}}"
        );
        Ok(docker(&["inspect", "--format", &format, &container.id]).await?.trim().to_owned())
    }

    /// Waits until every container runs, and those of our roles are ready.
    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let unready = self.unready().await?;
            let Some(first) = unready.first() else { return Ok(()) };
            if started.elapsed() > READY_TIMEOUT {
                bail!("not ready after {READY_TIMEOUT:?}: {first}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn unready(&self) -> anyhow::Result<Vec<String>> {
        let mut unready = Vec::new();
        for container in self.containers().await? {
            let Container { id, service, running } = &container;
            if !running {
                unready.push(format!("{service} {id} does not run"));
            } else if ROLES.contains(&service.as_str()) {
                let address = self.address(&container, "stores").await?;
                let url = format!("http://{address}:9090/ready");
                let ready = self.get_json(&url, Duration::from_secs(4)).await;
                if !ready.as_ref().is_ok_and(|ready| ready["ready"] == true) {
                    unready.push(format!("{service} {id}: {ready:?}"));
                }
            }
        }
        Ok(unready)
    }

    /// Reads JSON, whatever the status.
    pub async fn get_json(&self, url: &str, timeout: Duration) -> anyhow::Result<Value> {
        Ok(self.http.get(url).timeout(timeout).send().await?.json().await?)
    }

    /// Calls the control API of the simulator.
    pub async fn control(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/sim/api/{path}", self.phones);
        let answer = self.http.post(url).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Reads from the control API of the simulator.
    pub async fn control_get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/sim/api/{path}", self.phones);
        self.get_json(&url, Duration::from_secs(20)).await
    }

    /// The service that leads the ledger's stream, asked of every server.
    pub async fn nats_leader(&self) -> anyhow::Result<String> {
        for _ in 0..100 {
            for server in ["nats-0", "nats-1", "nats-2"] {
                if let Some(leader) = self.leader_by(server).await {
                    return Ok(leader);
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("no NATS server knows a leader of the ledger")
    }

    async fn leader_by(&self, server: &str) -> Option<String> {
        let stream = self.nats_stream(server, "PAIHAO_LEDGER").await?;
        Some(stream["cluster"]["leader"].as_str()?.to_owned()).filter(|leader| !leader.is_empty())
    }

    /// State of a stream and its consumers in a server's monitoring, on the page that KEDA reads.
    pub async fn nats_stream(&self, server: &str, stream: &str) -> Option<Value> {
        let address = self.address(&self.first(server).await.ok()?, "stores").await.ok()?;
        let url = format!("http://{address}:8222/jsz?acc=$G&consumers=true&config=true");
        let found = self.get_json(&url, Duration::from_secs(1)).await.ok()?;
        let streams = found["account_details"][0]["stream_detail"].as_array()?;
        streams.iter().find(|found| found["name"] == stream).cloned()
    }
}

/// Runs the Docker client.
pub async fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    run(&[&["docker"], arguments].concat(), Vec::new()).await
}

async fn run(command: &[&str], environment: Vec<(String, String)>) -> anyhow::Result<String> {
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    let finished = tokio::task::spawn_blocking(move || {
        let output = Command::new(&command[0]).args(&command[1..]).envs(environment).output();
        let output = output.with_context(|| format!("cannot run {}", command[0]))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed: {}", command.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    finished.await?
}
