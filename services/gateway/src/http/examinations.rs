//! Examinations of the deployment by its doctor: the newest, and whether another is under way.

use async_trait::async_trait;
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Age from which a look at the newest examination begins another, in milliseconds. Each makes some
/// ten calls to WeChat for every account, one of which makes a code.
const MAX_AGE_MS: i64 = 60 * 60 * 1000;

/// Checks of the whole deployment, as `paihao doctor` makes them.
#[async_trait]
pub trait Doctor: Send + Sync {
    /// Makes every check, which takes up to a minute. The error says why there was none.
    async fn examine(&self) -> Result<Vec<Finding>, String>;
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// Works now, but may fail later.
    Warning,
    /// Fails for customers.
    Bad,
}

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Subject: the account's name, or `wechat`, `gateway`, `ledger`, `cache`.
    pub about: String,
    /// Stable code; docs/guide/doctor.md lists them.
    pub code: &'static str,
    /// Severity.
    pub level: Level,
    /// The finding, in Chinese.
    pub title: &'static str,
    /// The finding, in English.
    pub title_en: &'static str,
    /// Details such as an address or an error; empty if there are none.
    pub detail: String,
    /// Advice in Chinese; empty if there is nothing to do.
    pub advice: &'static str,
    /// Advice in English; empty if there is nothing to do.
    pub advice_en: &'static str,
}

/// Newest examination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ExaminationView {
    /// True while an examination is under way.
    running: bool,
    /// End of the newest, in Unix milliseconds; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    examined_at: Option<i64>,
    /// Why the newest could not be made; absent if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// Its findings, the most severe ones of each subject first.
    findings: Vec<Finding>,
}

/// Examinations of one process, one at a time.
pub(crate) struct Examinations {
    doctor: Arc<dyn Doctor>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    newest: Mutex<ExaminationView>,
}

impl Examinations {
    pub(crate) fn new(doctor: Arc<dyn Doctor>, clock: Arc<dyn Clock>, tasks: &Tasks) -> Arc<Self> {
        Arc::new(Examinations { doctor, clock, tasks: tasks.clone(), newest: Mutex::default() })
    }

    /// Newest examination. Begins one if there is none, or only an old one.
    pub(crate) fn look(self: &Arc<Self>) -> ExaminationView {
        let now = self.clock.now_ms();
        let examined_at = self.newest.lock().examined_at;
        if examined_at.is_none_or(|at| now.saturating_sub(at) > MAX_AGE_MS) {
            return self.begin();
        }
        self.newest.lock().clone()
    }

    /// Begins an examination, unless one is under way.
    pub(crate) fn begin(self: &Arc<Self>) -> ExaminationView {
        let mut newest = self.newest.lock();
        if !newest.running {
            newest.running = true;
            let this = self.clone();
            self.tasks.spawn("examination", async move { this.examine().await });
        }
        newest.clone()
    }

    async fn examine(&self) {
        let stop = self.tasks.stop();
        let Some(examined) = stop.run_until_cancelled(self.doctor.examine()).await else { return };
        let examined_at = Some(self.clock.now_ms());
        let examination = match examined {
            Ok(findings) => ExaminationView { examined_at, findings, ..Default::default() },
            Err(failure) => {
                ExaminationView { examined_at, failure: Some(failure), ..Default::default() }
            }
        };
        *self.newest.lock() = examination;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_chassis::clock::ManualClock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::sync::Semaphore;

    /// Doctor that takes as long as the test wants.
    struct SlowDoctor {
        examined: AtomicUsize,
        permits: Semaphore,
    }

    #[async_trait]
    impl Doctor for SlowDoctor {
        async fn examine(&self) -> Result<Vec<Finding>, String> {
            self.permits.acquire().await.unwrap().forget();
            match self.examined.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(Vec::new()),
                _ => Err("broken".into()),
            }
        }
    }

    async fn until_ended(examinations: &Arc<Examinations>) -> ExaminationView {
        while examinations.newest.lock().running {
            tokio::task::yield_now().await;
        }
        examinations.newest.lock().clone()
    }

    #[tokio::test]
    async fn one_examination_is_under_way_at_a_time_and_an_old_one_is_made_anew() {
        let doctor =
            Arc::new(SlowDoctor { examined: AtomicUsize::new(0), permits: Semaphore::new(0) });
        let clock = Arc::new(ManualClock::at(1_764_000_000_000));
        let tasks = Tasks::new();
        let examinations = Examinations::new(doctor.clone(), clock.clone(), &tasks);
        let first = examinations.look();
        assert!(first.running && first.examined_at.is_none());
        assert!(examinations.begin().running && examinations.look().running);
        doctor.permits.add_permits(1);
        let examined = until_ended(&examinations).await;
        assert_eq!((examined.examined_at, examined.failure), (Some(1_764_000_000_000), None));
        assert_eq!(doctor.examined.load(Ordering::Relaxed), 1);

        clock.advance(Duration::from_millis(MAX_AGE_MS as u64));
        assert!(!examinations.look().running);
        clock.advance(Duration::from_millis(1));
        let old = examinations.look();
        assert!(old.running && old.examined_at == Some(1_764_000_000_000), "shown meanwhile");
        doctor.permits.add_permits(1);
        let failed = until_ended(&examinations).await;
        assert_eq!(failed.failure.as_deref(), Some("broken"));
        assert!(failed.findings.is_empty() && !examinations.look().running);
        tasks.abort();
    }
}
