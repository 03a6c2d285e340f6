//! Tests of templates: whoever scans the code on the page is sent a message of the template.
//!
//! They are in the cache, so that the page, the scan and the receipt may reach any replica.

use paihao_cache::{Cache, Unavailable, update};
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::read_stored;
use paihao_contracts::notice::Channel;
use paihao_contracts::streams;
use paihao_contracts::template_test::{TemplateTest, TemplateTests, TestProgress};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Time for which a code works.
pub(crate) const CODE_TTL: Duration = Duration::from_secs(600);

/// Time for which a test is kept after its code, for its receipt.
const RECEIPT_TTL: Duration = Duration::from_secs(600);

/// Most tests of an account under way; the oldest one leaves first, and has no receipt.
const MAX_TESTS: usize = 20;

/// Time for which a replica remembers an account's tests: receipts come in thousands.
const INDEX_TTL: Duration = Duration::from_millis(100);

/// Words of a receipt that reports a delivery.
const DELIVERED: &str = "success";

/// Receipt of a message.
pub(crate) struct TestReceipt<'a> {
    pub(crate) channel: Channel,
    /// Pseudonym of the recipient.
    pub(crate) person: &'a str,
    pub(crate) template: Option<&'a str>,
    pub(crate) message: Option<u64>,
    pub(crate) delivered: bool,
    /// WeChat's words.
    pub(crate) words: &'a str,
}

/// Uuids of the tests of an account that are under way, and the time at which they were read.
type KnownTests = (Instant, Arc<[String]>);

/// Tests of a deployment.
pub(crate) struct TemplateTestStore {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, KnownTests>>,
}

impl TemplateTestStore {
    pub(crate) fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> TemplateTestStore {
        TemplateTestStore { cache, clock, known: Mutex::default() }
    }

    /// Keeps a test whose code has this scene.
    pub(crate) async fn open(
        &self,
        uuid: &str,
        scene: &str,
        test: &TemplateTest,
    ) -> Result<(), Unavailable> {
        let ttl = CODE_TTL + RECEIPT_TTL;
        let now = self.clock.now_ms();
        let until = test.expires_at + RECEIPT_TTL.as_millis() as i64;
        self.cache.put(&streams::template_test_key(uuid), encode(test), ttl).await?;
        let key = streams::template_tests_key(&test.account);
        update(&*self.cache, &key, ttl, |stored| {
            let mut index = read_index(stored)?;
            index.tests.retain(|(_, until)| *until > now);
            index.tests.push((uuid.to_owned(), until));
            let excess = index.tests.len().saturating_sub(MAX_TESTS);
            index.tests.drain(..excess);
            Ok::<_, Unavailable>(serde_json::to_vec(&index).expect("string keys only").into())
        })
        .await?;
        let scene = streams::template_test_scene_key(scene);
        self.cache.put(&scene, uuid.to_owned().into(), CODE_TTL).await
    }

    /// Finds a test; `None` if there is none, or it ended long ago.
    pub(crate) async fn find(&self, uuid: &str) -> Result<Option<TemplateTest>, Unavailable> {
        let stored = self.cache.get(&streams::template_test_key(uuid)).await?;
        read_stored(stored.as_deref()).map_err(|newer| Unavailable(newer.to_string()))
    }

    /// Uuid of the test whose code has this scene.
    pub(crate) async fn by_scene(&self, scene: &str) -> Result<Option<String>, Unavailable> {
        let stored = self.cache.get(&streams::template_test_scene_key(scene)).await?;
        Ok(stored.and_then(|bytes| String::from_utf8(bytes.into()).ok()))
    }

    /// Begins to send the message to whoever has scanned. `None` if somebody has before.
    pub(crate) async fn begin(
        &self,
        uuid: &str,
        person: &str,
    ) -> Result<Option<TemplateTest>, Unavailable> {
        let mut begun = None;
        let now = self.clock.now_ms();
        self.change(uuid, |test| {
            begun = None;
            if test.progress == TestProgress::Waiting && test.expires_at > now {
                test.progress = TestProgress::Sending;
                test.person = Some(person.to_owned());
                begun = Some(test.clone());
            }
        })
        .await?;
        Ok(begun)
    }

    /// Notes how WeChat answered the call.
    pub(crate) async fn finish(&self, uuid: &str, answer: TestProgress) -> Result<(), Unavailable> {
        self.change(uuid, |test| {
            if test.progress != TestProgress::Sending {
                return;
            }
            test.progress = match &answer {
                TestProgress::Accepted { message: Some(id) } => {
                    let early = test.early.iter().find(|(early, _)| early == id);
                    early.map_or_else(
                        || answer.clone(),
                        |(_, words)| received(words == DELIVERED, words),
                    )
                }
                answer => answer.clone(),
            };
            test.early.clear();
        })
        .await
    }

    /// Notes a receipt. Returns whether it is of a test.
    pub(crate) async fn receive(
        &self,
        account: &str,
        receipt: &TestReceipt<'_>,
    ) -> Result<bool, Unavailable> {
        for uuid in self.under_way(account).await?.iter() {
            let Some(test) = self.find(uuid).await? else { continue };
            if !is_of(&test, receipt) {
                continue;
            }
            let mut matched = false;
            self.change(uuid, |test| matched = note(test, receipt)).await?;
            if matched {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tests of an account that are under way, as they were a moment ago.
    async fn under_way(&self, account: &str) -> Result<Arc<[String]>, Unavailable> {
        let known = self.known.lock().get(account).cloned();
        if let Some((at, tests)) = known
            && at.elapsed() < INDEX_TTL
        {
            return Ok(tests);
        }
        let stored = self.cache.get(&streams::template_tests_key(account)).await?;
        let now = self.clock.now_ms();
        let index = read_index(stored.as_deref())?.tests.into_iter();
        let tests: Arc<[String]> =
            index.filter(|(_, until)| *until > now).map(|(uuid, _)| uuid).collect();
        self.known.lock().insert(account.to_owned(), (Instant::now(), tests.clone()));
        Ok(tests)
    }

    async fn change(
        &self,
        uuid: &str,
        mut edit: impl FnMut(&mut TemplateTest),
    ) -> Result<(), Unavailable> {
        let key = streams::template_test_key(uuid);
        update(&*self.cache, &key, CODE_TTL + RECEIPT_TTL, |stored| {
            let test = read_stored::<TemplateTest>(stored);
            let test = test.map_err(|newer| Unavailable(newer.to_string()))?;
            let mut test = test.ok_or_else(|| Unavailable("the test is gone".to_owned()))?;
            edit(&mut test);
            Ok::<_, Unavailable>(encode(&test))
        })
        .await
    }
}

/// True if a receipt may be of the message of this test.
fn is_of(test: &TemplateTest, receipt: &TestReceipt<'_>) -> bool {
    test.channel == receipt.channel
        && test.person.as_deref() == Some(receipt.person)
        && receipt.template.is_none_or(|template| template == test.template_id)
        && matches!(test.progress, TestProgress::Sending | TestProgress::Accepted { .. })
}

/// Notes a receipt in its test. Returns whether it is certainly of it.
fn note(test: &mut TemplateTest, receipt: &TestReceipt<'_>) -> bool {
    if !is_of(test, receipt) {
        return false;
    }
    match (&test.progress, receipt.message) {
        // The answer to the call has not come yet, and will tell.
        (TestProgress::Sending, Some(id)) if receipt.channel == Channel::Template => {
            test.early.push((id, receipt.words.to_owned()));
            false
        }
        (TestProgress::Accepted { message: Some(own) }, Some(id)) if *own != id => false,
        _ => {
            test.progress = received(receipt.delivered, receipt.words);
            true
        }
    }
}

fn received(delivered: bool, words: &str) -> TestProgress {
    if delivered {
        TestProgress::Delivered
    } else {
        TestProgress::Undelivered { words: words.to_owned() }
    }
}

fn encode(test: &TemplateTest) -> bytes::Bytes {
    serde_json::to_vec(test).expect("string keys only").into()
}

fn read_index(stored: Option<&[u8]>) -> Result<TemplateTests, Unavailable> {
    let index = read_stored::<TemplateTests>(stored);
    let index = index.map_err(|newer| Unavailable(newer.to_string()))?;
    Ok(index.unwrap_or(TemplateTests { v: 1, tests: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::{MemoryCache, MemoryOptions};
    use paihao_chassis::clock::SystemClock;
    use std::collections::BTreeMap;

    const TEST: &str = "6f9619ff-8b86-d011-b42d-00c04fc964ff";

    fn receipt<'a>(person: &'a str, message: u64, words: &'a str) -> TestReceipt<'a> {
        TestReceipt {
            channel: Channel::Template,
            person,
            template: None,
            message: Some(message),
            delivered: words == DELIVERED,
            words,
        }
    }

    async fn scanned() -> TemplateTestStore {
        let clock = Arc::new(SystemClock);
        let store = TemplateTestStore::new(
            Arc::new(MemoryCache::new(MemoryOptions::default())),
            clock.clone(),
        );
        let test = TemplateTest {
            v: 1,
            account: "shop".into(),
            channel: Channel::Template,
            notice: "called".into(),
            template_id: "T".into(),
            fields: BTreeMap::new(),
            expires_at: clock.now_ms() + 60_000,
            progress: TestProgress::Waiting,
            person: None,
            early: Vec::new(),
        };
        store.open(TEST, "s_scene", &test).await.unwrap();
        let uuid = store.by_scene("s_scene").await.unwrap().unwrap();
        assert!(store.begin(&uuid, "somebody").await.unwrap().is_some());
        assert!(store.begin(&uuid, "another").await.unwrap().is_none(), "the first scan counts");
        store
    }

    async fn progress(store: &TemplateTestStore) -> TestProgress {
        store.find(TEST).await.unwrap().unwrap().progress
    }

    #[tokio::test]
    async fn a_receipt_is_told_by_its_message_and_person() {
        let store = scanned().await;
        store.finish(TEST, TestProgress::Accepted { message: Some(7) }).await.unwrap();
        for other in [receipt("another", 7, DELIVERED), receipt("somebody", 8, DELIVERED)] {
            assert!(!store.receive("shop", &other).await.unwrap());
        }
        let blocked = receipt("somebody", 7, "failed:user block");
        assert!(!store.receive("clinic", &blocked).await.unwrap());
        assert!(store.receive("shop", &blocked).await.unwrap());
        let words = "failed:user block".to_owned();
        assert_eq!(progress(&store).await, TestProgress::Undelivered { words });
    }

    #[tokio::test]
    async fn a_receipt_that_comes_before_the_answer_counts() {
        let store = scanned().await;
        assert!(!store.receive("shop", &receipt("somebody", 7, DELIVERED)).await.unwrap());
        assert_eq!(progress(&store).await, TestProgress::Sending);
        store.finish(TEST, TestProgress::Accepted { message: Some(7) }).await.unwrap();
        assert_eq!(progress(&store).await, TestProgress::Delivered);
    }
}
