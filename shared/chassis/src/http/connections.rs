//! Budget of a listener's connections, in all and for each address.
//!
//! A client that opens more than it uses does not keep others out: when the budget is used up, the
//! connections that have been idle for longest make room.

use super::network::{CLIENT_NETWORK_BITS, network};
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Share of the budget that makes room at once, so that a flood does not have the idle ones looked
/// for at each connection.
const EVICTED_SHARE: usize = 32;

/// Limits of the connections of a listener.
#[derive(Clone)]
pub struct ConnectionLimits {
    /// Connections at the same time.
    pub total: usize,
    /// Connections at the same time from one address, or one network of IPv6.
    pub per_address: usize,
    /// Addresses that speak for many clients, and are limited by `total` only.
    pub is_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Time after which a connection is closed whose peer takes nothing of what was sent to it, in
    /// whole milliseconds; on Linux.
    pub unread_timeout: Duration,
}

/// Time that a phone may be in a tunnel, and a wall's browser asleep.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

impl ConnectionLimits {
    /// Limits of a port that is not for the public.
    pub fn internal() -> ConnectionLimits {
        ConnectionLimits { total: 4096, per_address: 4096, ..ConnectionLimits::default() }
    }
}

impl Default for ConnectionLimits {
    /// No limit.
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            total: usize::MAX,
            per_address: usize::MAX,
            is_proxy: Arc::new(|_| false),
            unread_timeout: UNREAD_TIMEOUT,
        }
    }
}

impl fmt::Debug for ConnectionLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConnectionLimits { total, per_address, .. } = self;
        write!(f, "{total} connections, {per_address} from one address")
    }
}

/// Open connections of a listener.
pub(super) struct Connections {
    limits: ConnectionLimits,
    open: Mutex<OpenConnections>,
}

#[derive(Default)]
struct OpenConnections {
    next_id: u64,
    count: usize,
    by_address: HashMap<IpAddr, HashMap<u64, Arc<ConnectionState>>>,
}

struct ConnectionState {
    /// `None` while a request is answered.
    idle_since: Mutex<Option<Instant>>,
    evicted: CancellationToken,
}

/// Place of a connection in the budget, which is given back when it is dropped.
pub(super) struct ConnectionPlace {
    connections: Arc<Connections>,
    address: IpAddr,
    id: u64,
    state: Arc<ConnectionState>,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Connections> {
        Arc::new(Connections { limits, open: Mutex::default() })
    }

    pub(super) fn unread_timeout(&self) -> Duration {
        self.limits.unread_timeout
    }

    /// Admits a connection, if need be in the place of idle ones. `None` if all are in use.
    pub(super) fn admit(self: &Arc<Connections>, address: IpAddr) -> Option<ConnectionPlace> {
        let is_proxy = (self.limits.is_proxy)(address);
        let address = if is_proxy { address } else { network(address, CLIENT_NETWORK_BITS) };
        let mut open = self.open.lock();
        let of_address = open.by_address.get(&address).map_or(0, HashMap::len);
        if of_address >= self.limits.per_address && !is_proxy {
            let idle = open.idle(|other| other == address);
            evict(idle, 1)?;
        } else if open.count >= self.limits.total {
            let idle = open.idle(|_| true);
            evict(idle, self.limits.total.div_ceil(EVICTED_SHARE))?;
        }
        let state = Arc::new(ConnectionState {
            idle_since: Mutex::new(Some(Instant::now())),
            evicted: CancellationToken::new(),
        });
        open.next_id += 1;
        open.count += 1;
        let id = open.next_id;
        open.by_address.entry(address).or_default().insert(id, state.clone());
        Some(ConnectionPlace { connections: self.clone(), address, id, state })
    }
}

impl OpenConnections {
    /// Idle connections of these addresses: those of the address that has most come first, and of
    /// one address those that have been idle for longest.
    fn idle(&self, is_wanted: impl Fn(IpAddr) -> bool) -> Vec<Arc<ConnectionState>> {
        let mut idle = Vec::new();
        for (address, connections) in &self.by_address {
            if !is_wanted(*address) {
                continue;
            }
            for state in connections.values() {
                let since = *state.idle_since.lock();
                if let Some(since) = since.filter(|_| !state.evicted.is_cancelled()) {
                    idle.push((usize::MAX - connections.len(), since, state.clone()));
                }
            }
        }
        idle.sort_unstable_by_key(|(fewer, since, _)| (*fewer, *since));
        idle.into_iter().map(|(_, _, state)| state).collect()
    }
}

/// Closes the first few. `None` if there is none.
fn evict(idle: Vec<Arc<ConnectionState>>, count: usize) -> Option<()> {
    idle.first()?;
    for state in idle.into_iter().take(count) {
        state.evicted.cancel();
        metrics::counter!("paihao_http_connections_closed_total", "reason" => "evicted")
            .increment(1);
    }
    Some(())
}

impl ConnectionPlace {
    /// Signal that this connection has to make room.
    pub(super) fn evicted(&self) -> CancellationToken {
        self.state.evicted.clone()
    }

    /// Marks the connection as in use until the guard is dropped.
    pub(super) fn begin_request(&self) -> RequestGuard {
        *self.state.idle_since.lock() = None;
        RequestGuard(self.state.clone())
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.count -= 1;
        if let Some(of_address) = open.by_address.get_mut(&self.address) {
            of_address.remove(&self.id);
            if of_address.is_empty() {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// Mark of a connection whose request is being answered.
pub(super) struct RequestGuard(Arc<ConnectionState>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        *self.0.idle_since.lock() = Some(Instant::now());
    }
}

/// Response body during which its connection is in use.
pub(super) struct GuardedBody<B> {
    pub(super) body: B,
    pub(super) _guard: RequestGuard,
}

impl<B: Body + Unpin> Body for GuardedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(total: usize, per_address: usize) -> ConnectionLimits {
        let proxy: IpAddr = "10.9.9.9".parse().unwrap();
        let is_proxy = Arc::new(move |other| other == proxy);
        ConnectionLimits { total, per_address, is_proxy, ..ConnectionLimits::default() }
    }

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_of_the_same_address_makes_room() {
        let connections = Connections::new(limits(100, 2));
        let first = connections.admit(address(1)).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = connections.admit(address(1)).unwrap();
        let other = connections.admit(address(2)).unwrap();
        let third = connections.admit(address(1)).unwrap();
        let evicted = [&first, &second, &other, &third].map(|place| place.evicted().is_cancelled());
        assert_eq!(evicted, [true, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_in_use_is_never_closed_and_nobody_is_admitted_beside_it() {
        let connections = Connections::new(limits(2, 2));
        let [first, second] = [(); 2].map(|()| connections.admit(address(1)).unwrap());
        let guards = [first.begin_request(), second.begin_request()];
        assert!(connections.admit(address(1)).is_none(), "its own address");
        assert!(connections.admit(address(2)).is_none(), "all places are in use");
        assert!(!first.evicted().is_cancelled() && !second.evicted().is_cancelled());
        drop(guards);
        assert!(connections.admit(address(2)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_that_has_most_makes_room_for_others_and_a_proxy_has_all() {
        let connections = Connections::new(limits(8, 6));
        let few: Vec<_> = (0..2).map(|_| connections.admit(address(1)).unwrap()).collect();
        tokio::time::advance(Duration::from_secs(5)).await;
        let many: Vec<_> = (0..6).map(|_| connections.admit(address(2)).unwrap()).collect();
        let late = connections.admit(address(3)).unwrap();
        let count = |places: &[ConnectionPlace]| {
            places.iter().filter(|place| place.evicted().is_cancelled()).count()
        };
        assert_eq!((count(&few), count(&many)), (0, 1));
        drop((few, many, late));

        let proxy: IpAddr = "10.9.9.9".parse().unwrap();
        let all: Vec<_> = (0..8).map(|_| connections.admit(proxy).unwrap()).collect();
        assert_eq!(count(&all), 0, "only the total limits it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_address() {
        let connections = Connections::new(limits(100, 2));
        let admit = |text: &str| connections.admit(text.parse().unwrap()).unwrap();
        let first = admit("2001:db8:0:aa00::1");
        tokio::time::advance(Duration::from_secs(1)).await;
        let others = [admit("2001:db8:0:aa01::2"), admit("2001:db8:0:aaff::3")];
        let elsewhere = [admit("2001:db8:0:bb00::1"), admit("2001:db8:1:aa00::1")];
        assert!(first.evicted().is_cancelled());
        assert!(!others.iter().chain(&elsewhere).any(|place| place.evicted().is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back_with_its_connection() {
        let connections = Connections::new(limits(1, 1));
        for _ in 0..3 {
            let place = connections.admit(address(1)).unwrap();
            let _guard = place.begin_request();
            assert!(connections.admit(address(1)).is_none());
        }
        assert!(connections.open.lock().by_address.is_empty());
    }
}
