//! Clocks that this machine's is compared with: those of the stores, and WeChat's where the ledger
//! is a file.

use crate::config::{Config, LedgerKind, Role};
use futures::FutureExt;
use jiff::fmt::rfc2822;
use paihao_cache::Cache;
use paihao_chassis::checked_clock::{AskTime, ClockReference, ReferenceTime};
use paihao_ledger::Ledger;
use paihao_wechat::Client;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Time between two comparisons with a store.
const STORE_INTERVAL: Duration = Duration::from_secs(10);

/// Time between two comparisons with WeChat, which is asked over the internet. It is asked ten
/// times as often until it has answered, and while the clock is in doubt.
const WECHAT_INTERVAL: Duration = Duration::from_secs(600);

/// Half of the second to which WeChat's answers are dated, in milliseconds.
const DATE_MIDDLE_MS: i64 = 500;

/// Ledger, once it is open: it takes its times from the clock that is compared with it.
pub(crate) type OpenedLedger = Arc<OnceLock<Arc<dyn Ledger>>>;

/// References of the configuration, the most credible first. The server of the ledger dates all
/// entries and lets them age out, for all processes alike. A file has no clock of its own.
pub(crate) fn of(
    config: &Config,
    ledger: &OpenedLedger,
    cache: &Arc<dyn Cache>,
) -> anyhow::Result<Vec<ClockReference>> {
    let ledger_time = ClockReference {
        name: "ledger",
        ask: ask_ledger(ledger.clone()),
        interval: STORE_INTERVAL,
    };
    let cache_time =
        ClockReference { name: "cache", ask: ask_cache(cache.clone()), interval: STORE_INTERVAL };
    let mut references = vec![ledger_time, cache_time];
    if config.ledger.kind == LedgerKind::Sqlite && !config.accounts.is_empty() {
        let client = Client::new(config.resolve(Role::All)?.wechat_client)?;
        let ask = ask_wechat(client);
        references.push(ClockReference { name: "wechat", ask, interval: WECHAT_INTERVAL });
    }
    Ok(references)
}

fn ask_ledger(ledger: OpenedLedger) -> AskTime {
    Arc::new(move || {
        let ledger = ledger.get().cloned();
        async move {
            let ledger = ledger.ok_or("it is not open yet")?;
            let time = ledger.time().await.map_err(|error| error.to_string())?;
            Ok(Some(time.into()))
        }
        .boxed()
    })
}

fn ask_cache(cache: Arc<dyn Cache>) -> AskTime {
    Arc::new(move || {
        let cache = cache.clone();
        async move {
            let now_ms = cache.time().await.map_err(|error| error.to_string())?;
            Ok(now_ms.map(ReferenceTime::Now))
        }
        .boxed()
    })
}

fn ask_wechat(client: Client) -> AskTime {
    Arc::new(move || {
        let client = client.clone();
        async move {
            let date = client.server_date().await.map_err(|error| error.to_string())?;
            let date = date.and_then(|date| rfc2822::parse(&date).ok());
            let now_ms = date.map(|date| date.timestamp().as_millisecond() + DATE_MIDDLE_MS);
            Ok(now_ms.map(ReferenceTime::Now))
        }
        .boxed()
    })
}
