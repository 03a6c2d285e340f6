//! Which of WeChat's hosts to call: the preferred one, another while it cannot be reached, and back.

use std::time::Duration;

/// Pure: told the time, as the time since some beginning. Host 0 is the preferred one.
#[derive(Debug)]
pub(crate) struct Hosts {
    count: usize,
    current: usize,
    look_back: Duration,
    looks_back_every: Duration,
}

/// In which order one call tries the hosts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) order: Vec<usize>,
    /// The first is only looked at: the second is the one in use.
    looks_back: bool,
}

impl Hosts {
    pub(crate) fn new(count: usize, looks_back_every: Duration) -> Self {
        Hosts { count, current: 0, look_back: Duration::ZERO, looks_back_every }
    }

    /// The route of a call: the host in use first, then the others. One call in every while looks
    /// whether the preferred host is back.
    pub(crate) fn route(&mut self, now: Duration) -> Route {
        let looks_back = self.current != 0 && now >= self.look_back;
        let mut order = Vec::with_capacity(self.count);
        if looks_back {
            self.look_back = now + self.looks_back_every;
            order.push(0);
        }
        order.push(self.current);
        order.extend(
            (0..self.count)
                .filter(|host| *host != self.current && !order.contains(host))
                .collect::<Vec<_>>(),
        );
        Route { order, looks_back }
    }

    /// A call reached the host at this place of its route, after all before it could not be
    /// reached. Says which host is in use from now on, if that is news.
    pub(crate) fn reached(&mut self, route: &Route, place: usize, now: Duration) -> Option<usize> {
        let stays = if route.looks_back { place == 1 } else { place == 0 };
        let host = route.order[place];
        if stays || host == self.current {
            return None;
        }
        self.look_back = now + self.looks_back_every;
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
        let mut hosts = Hosts::new(3, MINUTE);
        let route = hosts.route(at(0));
        assert_eq!(route.order, [0, 1, 2]);
        assert_eq!(hosts.reached(&route, 0, at(0)), None);
    }

    #[test]
    fn another_is_kept_to_and_the_preferred_looked_at_now_and_then() {
        let mut hosts = Hosts::new(2, MINUTE);
        let (first, other) = (hosts.route(at(0)), hosts.route(at(0)));
        assert_eq!(hosts.reached(&first, 1, at(1)), Some(1));
        assert_eq!(hosts.reached(&other, 1, at(1)), None, "known by now");
        assert_eq!(hosts.route(at(2)).order, [1, 0], "kept to");
        // A call that was under way before the trouble ends well: that proves nothing.
        assert_eq!(hosts.reached(&Route { order: vec![0, 1], looks_back: false }, 0, at(3)), None);
        assert_eq!(hosts.route(at(4)).order, [1, 0]);

        let look = hosts.route(at(61));
        assert_eq!(look.order, [0, 1]);
        assert_eq!(hosts.route(at(62)).order, [1, 0], "only one call looks");
        assert_eq!(hosts.reached(&look, 1, at(63)), None, "still away");
        let look = hosts.route(at(121));
        assert_eq!(hosts.reached(&look, 0, at(121)), Some(0), "back again");
        assert_eq!(hosts.route(at(122)).order, [0, 1]);
    }
}
