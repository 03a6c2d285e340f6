//! Steps of a script, counted by layers over the ledger, the cache and the source of tokens. A
//! fault is aimed at one of them.

use async_trait::async_trait;
use bytes::Bytes;
use paihao_cache::conformance::layer::CacheLayer;
use paihao_cache::{Cache, CasOutcome, MemoryCache};
use paihao_contracts::streams::Log;
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, Position, StoredEntry, Subject, Unavailable,
};
use paihao_wechat::{AccessToken, TokenSource, TokenUnavailable};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Number of steps for which a store stays away.
const STEPS_AWAY: usize = 4;

/// Number of steps after which a late append arrives.
const STEPS_LATE: usize = 2;

/// Fault at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The worker dies before the step.
    DiesBefore,
    /// The worker dies after the step, whose answer it never sees.
    DiesAfter,
    /// The step is done and its answer is lost.
    AnswerLost,
    /// The step gets no answer, and is done later.
    AnswerLate,
    /// This step and the next ones fail.
    StoresAway,
    /// The cache is empty from this step on.
    CacheLost,
    /// The worker stands still before the step, until everything else is done. Not before a call to
    /// WeChat: nothing outside a worker holds back a call for which it has checked its claim.
    Stalls,
}

impl Fault {
    pub const ALL: [Fault; 7] = [
        Fault::DiesBefore,
        Fault::DiesAfter,
        Fault::AnswerLost,
        Fault::AnswerLate,
        Fault::StoresAway,
        Fault::CacheLost,
        Fault::Stalls,
    ];

    /// Returns true if the fault at a step of this name is another than those that are tried
    /// anyway: a lost answer to a read is one of a store that is away.
    pub fn is_of_its_own_at(self, step: &str) -> bool {
        match self {
            Fault::AnswerLost => ["append", "set", "call"].contains(&step),
            Fault::AnswerLate => step == "append",
            Fault::Stalls => step != "call",
            _ => true,
        }
    }

    /// Returns true if the worker cannot tell any more what it has done.
    pub fn ends_the_worker(self) -> bool {
        matches!(self, Fault::DiesBefore | Fault::DiesAfter | Fault::Stalls)
    }
}

/// Append that reached the store after its caller had given up waiting.
struct LateAppend {
    due: usize,
    log: Log,
    subject: Subject,
    expect: ExpectedPosition,
    entry: Entry,
}

/// Progress of the steps, and the fault.
pub struct Steps {
    fault: Option<(usize, Fault)>,
    state: Mutex<State>,
    interrupted: Notify,
    resumed: Notify,
}

#[derive(Default)]
struct State {
    names: Vec<&'static str>,
    late: Option<LateAppend>,
    cache: Arc<MemoryCache>,
}

/// Course of one step.
enum Course {
    Done,
    Fails,
    DoneWithoutAnswer,
    Later,
}

impl Steps {
    pub fn new(fault: Option<(usize, Fault)>) -> Arc<Steps> {
        Arc::new(Steps {
            fault,
            state: Mutex::default(),
            interrupted: Notify::new(),
            resumed: Notify::new(),
        })
    }

    /// Returns the names of the steps so far.
    pub fn names(&self) -> Vec<&'static str> {
        self.state.lock().names.clone()
    }

    /// Waits until the worker dies or stands still.
    pub async fn interrupted(&self) {
        self.interrupted.notified().await;
    }

    /// Lets a worker that stands still go on.
    pub fn resume(&self) {
        self.resumed.notify_one();
    }

    pub fn cache(&self) -> Arc<MemoryCache> {
        self.state.lock().cache.clone()
    }

    async fn die(&self) {
        self.interrupted.notify_one();
        std::future::pending().await
    }

    /// Begins a step.
    async fn begin(&self, name: &'static str) -> Course {
        let step = {
            let mut state = self.state.lock();
            state.names.push(name);
            state.names.len() - 1
        };
        match self.fault {
            Some((at, Fault::DiesBefore)) if at == step => self.die().await,
            Some((at, Fault::Stalls)) if at == step => {
                self.interrupted.notify_one();
                self.resumed.notified().await;
            }
            Some((at, Fault::AnswerLost)) if at == step => return Course::DoneWithoutAnswer,
            Some((at, Fault::AnswerLate)) if at == step => return Course::Later,
            Some((at, Fault::StoresAway)) if (at..at + STEPS_AWAY).contains(&step) => {
                return Course::Fails;
            }
            Some((at, Fault::CacheLost)) if at == step => {
                self.state.lock().cache = Arc::default();
            }
            _ => {}
        }
        Course::Done
    }

    /// Ends the step that has been done last.
    async fn end(&self) {
        let step = self.state.lock().names.len() - 1;
        if self.fault == Some((step, Fault::DiesAfter)) {
            self.die().await;
        }
    }
}

/// Ledger whose appends and reads are steps.
pub struct SteppedLedger {
    pub inner: Arc<dyn Ledger>,
    pub steps: Arc<Steps>,
}

impl SteppedLedger {
    /// Does the append that is late, once it is due.
    async fn deliver_late(&self) {
        let late = {
            let mut state = self.steps.state.lock();
            let step = state.names.len();
            state.late.take_if(|late| late.due <= step)
        };
        if let Some(LateAppend { log, subject, expect, entry, .. }) = late {
            // It may meet a newer entry by now.
            let _ = self.inner.append(&log, &subject, expect, entry).await;
        }
    }
}

#[async_trait]
impl LedgerLayer for SteppedLedger {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let course = self.steps.begin("append").await;
        self.deliver_late().await;
        let no_answer = || Err(Unavailable("no answer".to_owned()).into());
        let result = match course {
            Course::Done => self.inner.append(log, subject, expect, entry).await,
            Course::Fails => no_answer(),
            Course::DoneWithoutAnswer => {
                let _ = self.inner.append(log, subject, expect, entry).await;
                no_answer()
            }
            Course::Later => {
                let mut state = self.steps.state.lock();
                let due = state.names.len() + STEPS_LATE;
                let (log, subject) = (*log, subject.clone());
                state.late = Some(LateAppend { due, log, subject, expect, entry });
                no_answer()
            }
        };
        self.steps.end().await;
        result
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        let course = self.steps.begin("last").await;
        self.deliver_late().await;
        let result = match course {
            Course::Done => self.inner.last(log, subject).await,
            _ => Err(Unavailable("no answer".to_owned())),
        };
        self.steps.end().await;
        result
    }
}

/// Cache whose operations are steps.
pub struct SteppedCache(pub Arc<Steps>);

#[async_trait]
impl CacheLayer for SteppedCache {
    fn inner(&self) -> Result<Arc<dyn Cache>, paihao_cache::Unavailable> {
        Ok(self.0.cache())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, paihao_cache::Unavailable> {
        let course = self.0.begin("get").await;
        let result = match course {
            Course::Done => self.0.cache().get(key).await,
            _ => Err(paihao_cache::Unavailable("no answer".to_owned())),
        };
        self.0.end().await;
        result
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, paihao_cache::Unavailable> {
        let course = self.0.begin("set").await;
        let cache = self.0.cache();
        let result = match course {
            Course::Done => cache.compare_and_set(key, expected, new, ttl).await,
            Course::Fails => Err(paihao_cache::Unavailable("no answer".to_owned())),
            // Nothing else writes to the cache meanwhile, so a late write is as good as one now.
            Course::DoneWithoutAnswer | Course::Later => {
                let _ = cache.compare_and_set(key, expected, new, ttl).await;
                Err(paihao_cache::Unavailable("no answer".to_owned()))
            }
        };
        self.0.end().await;
        result
    }
}

/// Source of one token; asking for it is the step before a call to WeChat.
pub struct SteppedTokens {
    pub token: AccessToken,
    pub steps: Arc<Steps>,
}

#[async_trait]
impl TokenSource for SteppedTokens {
    async fn current(&self, _: &str) -> Result<AccessToken, TokenUnavailable> {
        let course = self.steps.begin("call").await;
        let result = match course {
            Course::Done => Ok(self.token.clone()),
            _ => Err(TokenUnavailable("no answer".to_owned())),
        };
        self.steps.end().await;
        result
    }

    async fn replace_refused(
        &self,
        account: &str,
        _: &AccessToken,
    ) -> Result<AccessToken, TokenUnavailable> {
        self.current(account).await
    }
}
