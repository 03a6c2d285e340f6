//! Works on several deliveries at once, and on a stop finishes those it has.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use paihao_chassis::trace::{self, Traceparent};
use paihao_ledger::{Deliveries, Delivery};
use tokio_util::sync::CancellationToken;

/// Handles deliveries, at most `in_flight` at once, until the stop or the end of the deliveries.
/// No delivery is taken after the stop; those taken are handled to their end, each as part of the
/// trace that its message carries.
pub(crate) async fn drain<F>(
    mut deliveries: Deliveries,
    in_flight: usize,
    stop: &CancellationToken,
    handle: impl Fn(Delivery) -> F,
) where
    F: Future<Output = ()>,
{
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            delivery = deliveries.next(), if under_way.len() < in_flight => match delivery {
                Some(delivery) => {
                    let trace = delivery.recorded.entry.header(trace::TRACEPARENT_HEADER);
                    let here = Traceparent::continue_from(trace);
                    under_way.push(trace::scope(here, handle(delivery)));
                }
                None => break,
            },
        }
    }
    while under_way.next().await.is_some() {}
}
