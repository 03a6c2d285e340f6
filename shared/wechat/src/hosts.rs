//! Selection among WeChat's hosts, with failover and failback.

use std::time::Duration;

/// State of the selection. Pure: the caller passes the time since a fixed start. Host 0 is the
/// preferred one.
#[derive(Debug)]
pub(crate) struct HostSelector {
    count: usize,
    current: usize,
    next_failback_at: Duration,
    failback_interval: Duration,
}

/// Order in which one call tries the hosts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) order: Vec<usize>,
    /// True if the first host is only probed: the second is the one in use.
    is_failback: bool,
}

impl HostSelector {
    pub(crate) fn new(count: usize, failback_interval: Duration) -> Self {
        HostSelector { count, current: 0, next_failback_at: Duration::ZERO, failback_interval }
    }

    /// Returns the route of a call: the host in use first, then the others. Once per interval a
    /// call probes the preferred host.
    pub(crate) fn route(&mut self, now: Duration) -> Route {
        let is_failback = self.current != 0 && now >= self.next_failback_at;
        let mut order = Vec::with_capacity(self.count);
        if is_failback {
            self.next_failback_at = now + self.failback_interval;
            order.push(0);
        }
        order.push(self.current);
        order.extend(
            (0..self.count)
                .filter(|host| *host != self.current && !order.contains(host))
                .collect::<Vec<_>>(),
        );
        Route { order, is_failback }
    }

    /// Records that a call reached the host at this index of its route, after all hosts before it
    /// were unreachable. Returns the host in use from now on, if it changed.
    pub(crate) fn record_success(
        &mut self,
        route: &Route,
        index: usize,
        now: Duration,
    ) -> Option<usize> {
        let stays = if route.is_failback { index == 1 } else { index == 0 };
        let host = route.order[index];
        if stays || host == self.current {
            return None;
        }
        self.next_failback_at = now + self.failback_interval;
        self.current = host;
        Some(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_preferred_host_is_used_while_it_can_be_reached() {
        let mut hosts = HostSelector::new(3, MINUTE);
        let route = hosts.route(at(0));
        assert_eq!(route.order, [0, 1, 2]);
        assert_eq!(hosts.record_success(&route, 0, at(0)), None);
    }

    #[test]
    fn an_alternative_stays_in_use_and_the_preferred_host_is_probed() {
        let mut hosts = HostSelector::new(2, MINUTE);
        let first = hosts.route(at(0));
        let other = hosts.route(at(0));
        assert_eq!(hosts.record_success(&first, 1, at(1)), Some(1));
        assert_eq!(hosts.record_success(&other, 1, at(1)), None, "known by now");
        assert_eq!(hosts.route(at(2)).order, [1, 0], "kept to");
        // A call that began before the outage succeeds: that proves nothing.
        assert_eq!(
            hosts.record_success(&Route { order: vec![0, 1], is_failback: false }, 0, at(3)),
            None
        );
        assert_eq!(hosts.route(at(4)).order, [1, 0]);

        let probe = hosts.route(at(61));
        assert_eq!(probe.order, [0, 1]);
        assert_eq!(hosts.route(at(62)).order, [1, 0], "only one call probes");
        assert_eq!(hosts.record_success(&probe, 1, at(63)), None, "still away");
        let probe = hosts.route(at(121));
        assert_eq!(hosts.record_success(&probe, 0, at(121)), Some(0), "back again");
        assert_eq!(hosts.route(at(122)).order, [0, 1]);
    }
}
