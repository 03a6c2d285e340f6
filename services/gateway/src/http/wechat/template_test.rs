//! Scan of the code of a template's test: the message is sent to whoever scanned, and its receipt
//! is told from those of notices.

use super::dispatch::{PushHandler, Reply};
use crate::http::replies;
use crate::scan::template_tests::TestReceipt;
use paihao_contracts::notice::{Channel, Notice};
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use paihao_contracts::template_test::{TemplateTest, TestProgress};
use paihao_notice_text::NoticePolicy;
use paihao_notice_text::mapping::Names;
use paihao_notice_text::render::{self, Binding};
use paihao_wechat::{AccountClientError, CallError};
use tokio::time::timeout_at;

/// Words for a call whose answer nobody saw.
const NO_ANSWER: &str = "no answer from WeChat within the time of a scan";

impl PushHandler<'_> {
    /// Uuid of the test whose code has this scene; `None` if there is none, or the cache is away.
    pub(super) async fn find_template_test(&self, scene: &str) -> Option<String> {
        let found = timeout_at(self.deadline, self.state.template_tests.by_scene(scene)).await;
        found.ok()?.ok().flatten()
    }

    /// Sends the message of a test to whoever scanned its code first.
    pub(super) async fn handle_template_test(&self, uuid: &str) -> (Reply, &'static str) {
        let person = self.tags.tag(self.account_name, &self.message.from_user);
        let tests = &self.state.template_tests;
        let test = match timeout_at(self.deadline, tests.begin(uuid, &person)).await {
            Ok(Ok(Some(test))) if test.account == self.account_name => test,
            Ok(Ok(_)) => return (self.text_reply(replies::TEST_TAKEN.to_owned()), "shown"),
            _ => return (self.failure_reply(replies::REQUEST_FAILED), "not_now"),
        };
        let sent = timeout_at(self.deadline, self.send_test(uuid, &test)).await;
        let progress = sent.unwrap_or_else(|_| refused(0, NO_ANSWER, ""));
        let text = match &progress {
            TestProgress::Refused { words, .. } => replies::test_refused(words),
            _ => replies::TEST_SENT.to_owned(),
        };
        if let Err(error) = tests.finish(uuid, progress).await {
            tracing::warn!(%error, "cannot note the result of a template's test");
        }
        (self.text_reply(text), "taken")
    }

    async fn send_test(&self, uuid: &str, test: &TemplateTest) -> TestProgress {
        let documents = self.state.live_settings.now();
        let names = Names::of_sites(documents.sites_of(self.account_name));
        let Some(notice) = names.test_notice(&test.notice, self.state.clock.now_ms()) else {
            return refused(0, "there is no such notice", "");
        };
        let notice = Notice {
            key: format!("template-test/{uuid}"),
            account: self.account_name.into(),
            person: self.message.from_user.expose().into(),
            ..notice
        };
        let binding = Binding {
            template_id: test.template_id.clone(),
            fields: test.fields.clone().into_iter().collect(),
            mini_program: None,
        };
        let (template, subscription) = (Some(binding.clone()), Some(binding));
        let policy = NoticePolicy { channels: vec![], template, subscription, text: String::new() };
        let wechat = &self.state.wechat;
        let sent = match test.channel {
            Channel::Subscription => match render::subscription(&notice, &policy) {
                Ok(notice) => {
                    wechat.send_subscription(self.account_name, &notice).await.map(|()| None)
                }
                Err(error) => return refused(0, &error.to_string(), ""),
            },
            _ => match render::template(&notice, &policy) {
                Ok(message) => {
                    let sent = wechat.send_template(self.account_name, &message).await;
                    sent.map(|id| Some(id.0).filter(|id| *id != 0))
                }
                Err(error) => return refused(0, &error.to_string(), ""),
            },
        };
        match sent {
            Ok(message) => TestProgress::Accepted { message },
            Err(AccountClientError::Call(CallError::Refused(refusal))) => {
                refused(refusal.code, &refusal.to_string(), refusal.advice())
            }
            Err(error) => refused(0, &error.to_string(), ""),
        }
    }

    /// Notes a receipt in the test of a template that it is of. Returns whether it is of one.
    pub(super) async fn note_test_receipt(&self, receipt: &Receipt) -> bool {
        let test_receipt = TestReceipt {
            channel: receipt.channel,
            person: &receipt.person,
            template: receipt.template.as_deref(),
            message: receipt.message_id,
            delivered: receipt.receipt == ReceiptStatus::Delivered,
            words: &receipt.status_text,
        };
        let noted = self.state.template_tests.receive(self.account_name, &test_receipt);
        matches!(timeout_at(self.deadline, noted).await, Ok(Ok(true)))
    }
}

fn refused(code: i64, words: &str, advice: &str) -> TestProgress {
    TestProgress::Refused { code, words: words.to_owned(), advice: advice.to_owned() }
}
