//! Cluster of nats-servers whose routes can be stalled, pair by pair.

use crate::nats::{NatsServer, NatsSetup};
use crate::wait::wait_blocking;
use crate::{Proxy, free_port};
use std::time::Duration;

/// Longest wait for all servers to hold the same streams.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(60);

/// One server, or several that form a cluster. Each server dials each other one through a proxy of
/// this pair.
pub struct NatsCluster {
    servers: Vec<NatsServer>,
    routes: Vec<Route>,
}

/// Path on which one server dials another.
struct Route {
    from: usize,
    to: usize,
    proxy: Proxy,
}

impl NatsCluster {
    /// Starts so many of the newest servers, in the configuration that is shipped.
    pub fn start(size: usize) -> NatsCluster {
        NatsCluster::start_with(size, &NatsSetup::default())
    }

    /// Starts so many servers with this setup, and waits until they have a leader.
    pub fn start_with(size: usize, setup: &NatsSetup) -> NatsCluster {
        if size == 1 {
            let servers = vec![NatsServer::with_setup(setup.clone())];
            return NatsCluster { servers, routes: Vec::new() };
        }
        let ports: Vec<u16> = (0..size).map(|_| free_port()).collect();
        let mut routes = Vec::new();
        for from in 0..size {
            for to in (0..size).filter(|to| *to != from) {
                routes.push(Route { from, to, proxy: Proxy::start(ports[to]) });
            }
        }
        let servers = (0..size).map(|i| {
            let dialled = routes.iter().filter(|route| route.from == i);
            let dialled =
                dialled.map(|route| format!("\"nats://127.0.0.1:{}\"", route.proxy.port()));
            let dialled: Vec<_> = dialled.collect();
            // Servers tell each other where further ones listen. The address leads nowhere, so that
            // the proxies are the only way.
            let cluster = format!(
                "cluster {{ name: tests, listen: \"127.0.0.1:{}\", advertise: \"127.0.0.1:1\", \
                 no_advertise: true, routes: [{}] }}\n",
                ports[i],
                dialled.join(", ")
            );
            let extra_config = setup.extra_config.clone() + &cluster;
            NatsServer::with_setup(NatsSetup { extra_config, ..setup.clone() })
        });
        let cluster = NatsCluster { servers: servers.collect(), routes };
        cluster.wait_until_healthy();
        cluster
    }

    /// The servers.
    pub fn servers(&self) -> &[NatsServer] {
        &self.servers
    }

    /// Addresses of all servers, separated by commas.
    pub fn url(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    /// A further way to each server, for one client.
    pub fn client_paths(&self) -> Vec<Proxy> {
        self.servers.iter().map(|server| Proxy::start(server.port())).collect()
    }

    /// Kills all servers with SIGKILL.
    pub fn kill(&self) {
        self.servers.iter().for_each(NatsServer::kill);
    }

    /// Restarts all servers with their data.
    pub fn restart(&self) {
        self.servers.iter().for_each(NatsServer::restart);
    }

    /// Lets nothing pass between this server and the others, in both directions.
    pub fn isolate(&self, server: usize) {
        let of_server = |route: &&Route| route.from == server || route.to == server;
        self.routes.iter().filter(of_server).for_each(|route| route.proxy.stall());
    }

    /// Lets nothing pass between these two servers.
    pub fn sever(&self, one: usize, other: usize) {
        let of_pair = |route: &&Route| {
            (route.from, route.to) == (one, other) || (route.from, route.to) == (other, one)
        };
        self.routes.iter().filter(of_pair).for_each(|route| route.proxy.stall());
    }

    /// Forwards everything between all servers again.
    pub fn heal(&self) {
        self.routes.iter().for_each(|route| route.proxy.restore());
    }

    /// Index of the server that most of the reachable ones take for the leader of a stream.
    pub fn leader_of(&self, stream: &str) -> Option<usize> {
        let mut votes = vec![0; self.servers.len()];
        for server in &self.servers {
            let leader =
                server.monitor("/jsz?streams=true").and_then(|page| leader_in(&page, stream));
            let index = leader.and_then(|name| self.servers.iter().position(|s| s.name() == name));
            index.into_iter().for_each(|index| votes[index] += 1);
        }
        let most = (0..votes.len()).max_by_key(|server| votes[*server])?;
        (votes[most] > 0).then_some(most)
    }

    /// Waits until every server says that it has all that it should hold.
    pub fn wait_until_healthy(&self) {
        let all = || self.servers.iter().all(|server| server.monitor("/healthz").is_some());
        assert!(wait_blocking(HEALTH_TIMEOUT, all), "the cluster is not healthy");
    }
}

/// Name of the leader of a stream, by the `/jsz` page of one server.
fn leader_in(page: &str, stream: &str) -> Option<String> {
    let page: serde_json::Value = serde_json::from_str(page).ok()?;
    let accounts = page["account_details"].as_array()?;
    let streams = accounts.iter().filter_map(|account| account["stream_detail"].as_array());
    let found = streams.flatten().find(|detail| detail["name"] == stream)?;
    found["cluster"]["leader"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_outlives_a_server_and_a_partition() {
        let cluster = NatsCluster::start(3);
        let routes = |server: usize| cluster.servers()[server].monitor("/routez").unwrap();
        let peers = |server: usize| {
            let page: serde_json::Value = serde_json::from_str(&routes(server)).unwrap();
            let routes = page["routes"].as_array().unwrap();
            let names =
                routes.iter().map(|route| route["remote_name"].as_str().unwrap().to_owned());
            names.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!([peers(0), peers(1), peers(2)], [2, 2, 2]);
        let saved = cluster.servers()[1].save_data();
        cluster.servers()[1].kill();
        cluster.servers()[1].put_back(&saved);
        cluster.servers()[1].restart();
        cluster.wait_until_healthy();
        cluster.isolate(2);
        let unhealthy = || cluster.servers()[2].monitor("/healthz").is_none();
        assert!(wait_blocking(HEALTH_TIMEOUT, unhealthy), "there is another way than the proxies");
        cluster.heal();
        cluster.wait_until_healthy();
        cluster.servers()[0].restart_softly();
        cluster.wait_until_healthy();
    }
}
