//! Budget of event streams that need no key, in all and for each address.
//!
//! Each replica counts for itself. Phones in one mobile network share an address.

use crate::http::client_ip::{ClientIp, TrustedProxies};
use crate::http::refusals::{self, Problem};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use futures::{Stream, StreamExt};
use paihao_chassis::http::{CLIENT_NETWORK_BITS, network};
use paihao_chassis::permits::{Permit, Permits};
use paihao_http_api::ApiState;
use paihao_http_api::openapi::{ApiArgument, Operation};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Advice to a client that found no place.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Limits of streams at the same time; 0 is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamLimits {
    /// Streams of everybody.
    pub total: usize,
    /// Streams of one address.
    pub per_address: usize,
}

/// Budget of one replica.
pub(crate) struct StreamBudget {
    limits: StreamLimits,
    /// By address; everybody's without one.
    open: Permits<Option<IpAddr>>,
}

/// Place of one stream, which is given back when it is dropped. As an argument of a handler it
/// refuses when there is none.
pub(crate) struct StreamPlace {
    _permit: Permit<Option<IpAddr>, 2>,
}

impl StreamBudget {
    pub(crate) fn new(limits: StreamLimits) -> Arc<StreamBudget> {
        Arc::new(StreamBudget { limits, open: Permits::default() })
    }

    fn acquire(&self, ClientIp(address): ClientIp) -> Option<StreamPlace> {
        let address = network(address, CLIENT_NETWORK_BITS);
        let most = |limit| if limit == 0 { usize::MAX } else { limit };
        let StreamLimits { total, per_address } = self.limits;
        let limited = [(None, most(total)), (Some(address), most(per_address))];
        self.open.try_acquire(limited).map(|permit| StreamPlace { _permit: permit })
    }
}

impl StreamPlace {
    /// Keeps the place until the stream is dropped.
    pub(crate) fn hold<S: Stream>(self, events: S) -> impl Stream<Item = S::Item> + use<S> {
        events.map(move |event| {
            let _held = &self;
            event
        })
    }
}

impl<S> FromRequestParts<S> for StreamPlace
where
    Arc<StreamBudget>: FromRef<S>,
    TrustedProxies: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(client_ip) = ClientIp::from_request_parts(parts, state).await;
        Arc::<StreamBudget>::from_ref(state).acquire(client_ip).ok_or_else(|| {
            metrics::counter!("paihao_gateway_limited_total", "what" => "streams").increment(1);
            Problem::new(&refusals::TOO_MANY_STREAMS).with_retry_after(RETRY_AFTER)
        })
    }
}

impl<S: ApiState> ApiArgument<S> for StreamPlace {
    fn describe(operation: Operation<S>) -> Operation<S> {
        operation.refuses(&[&refusals::TOO_MANY_STREAMS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_ip(text: &str) -> ClientIp {
        ClientIp(text.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_share_and_all_have_the_whole_until_a_stream_ends() {
        let budget = StreamBudget::new(StreamLimits { total: 3, per_address: 2 });
        let acquire = |text| budget.acquire(client_ip(text));
        let first = [acquire("10.0.0.1"), acquire("10.0.0.1")];
        assert!(first.iter().all(Option::is_some) && acquire("10.0.0.1").is_none());
        let other = acquire("10.0.0.2").unwrap();
        assert!(acquire("10.0.0.3").is_none(), "the whole is used up");
        drop(first);
        assert!(acquire("10.0.0.1").is_some());
        drop(other);
        assert!(budget.open.are_free());
    }

    #[test]
    fn a_place_is_held_by_its_stream_and_zero_is_no_limit() {
        let budget = StreamBudget::new(StreamLimits { total: 1, per_address: 0 });
        let place = budget.acquire(client_ip("1::1")).unwrap();
        let events = place.hold(futures::stream::iter([1, 2]));
        assert!(budget.acquire(client_ip("2::1")).is_none());
        drop(events);
        assert!(budget.acquire(client_ip("2::1")).is_some());
        let unlimited = StreamBudget::new(StreamLimits::default());
        let places: Vec<_> = (0..100).map(|_| unlimited.acquire(client_ip("1::1"))).collect();
        assert!(places.iter().all(Option::is_some));
    }
}
