//! Tests of the spans of notices: each message is in the trace of the command that it is about, and
//! its receipt as well.

use crate::support::{TestEnv, open_id, person_tag, policy_for, wait_until};
use paihao_chassis::clock::Clock;
use paihao_chassis::trace::{self, SpanKind, SpanRecord, SpanSink, Traceparent};
use paihao_contracts::notice::Channel;
use paihao_contracts::receipt::{Receipt, ReceiptStatus};
use paihao_contracts::streams::LEDGER;
use paihao_ledger::{Entry, ExpectedPosition, Ledger, PartTraces, Subject};
use parking_lot::Mutex;
use std::sync::Arc;

#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<SpanRecord>>>);

impl SpanSink for Recorded {
    fn record(&self, span: SpanRecord) {
        self.0.lock().push(span);
    }
}

impl Recorded {
    fn of_trace(&self, at: Traceparent) -> Vec<SpanRecord> {
        let all = self.0.lock();
        all.iter().filter(|span| span.at.trace() == at.trace()).cloned().collect()
    }

    /// Waits for a span of a trace, and checks what it belongs to.
    async fn wait_for(&self, at: Traceparent, name: &str, parent: Traceparent) -> SpanRecord {
        let found = || self.of_trace(at).into_iter().find(|span| span.name == name);
        wait_until(name, async || found().is_some()).await;
        let span = found().expect("waited for");
        assert_eq!(span.parent, Some(parent), "{name}");
        span
    }
}

#[tokio::test]
async fn two_commands_in_one_entry_have_their_messages_in_their_own_traces() {
    let recorded = Recorded::default();
    trace::install(recorded.clone(), 1.0).expect("the only recorder of these tests");
    let env = TestEnv::new().await;
    env.add_followers(1..3);
    env.notifier_with_policy(policy_for(&[Channel::Template]), 8);

    let traces = [Traceparent::new_root(), Traceparent::new_root()];
    let mut commit = env.commit("shop", vec![env.call_event(1, 1)]);
    commit.decisions.extend(env.commit("shop", vec![env.call_event(2, 1)]).decisions);
    let entry = Entry::new(serde_json::to_vec(&commit).unwrap()).in_trace(Some(traces[0]));
    let entry = PartTraces::from_iter([(1, traces[1])]).add_to(entry);
    let subject = Subject::new(&["shop", "hall"]).unwrap();
    env.ledger.append(&LEDGER, &subject, ExpectedPosition::Any, entry).await.unwrap();

    let planning = recorded.wait_for(traces[0], "process planner", traces[0]).await;
    let other = recorded.wait_for(traces[1], "plan notices", traces[1]).await;
    assert_eq!(other.links, [planning.at]);
    let mut messages = Vec::new();
    for (trace, planned) in [(traces[0], planning.at), (traces[1], other.at)] {
        let delivery = recorded.wait_for(trace, "process notices", planned).await;
        assert_eq!((delivery.kind, delivery.site.as_deref()), (SpanKind::Consumer, Some("hall")));
        assert!(delivery.labels.contains(&("paihao.disposition", "ack")), "{delivery:?}");
        let call = recorded.wait_for(trace, "/cgi-bin/message/template/send", delivery.at).await;
        assert!(call.labels.contains(&("paihao.outcome", "ok")), "{call:?}");
        messages.push(delivery.at);
    }

    let ended = env.wait_until_ended(2).await;
    let message_id = env.wechat.messages(&open_id(2))[0].msgid;
    let receipt = Receipt {
        v: 1,
        account: "shop".into(),
        person: person_tag(2),
        channel: Channel::Template,
        template: None,
        message_id: Some(message_id),
        receipt: ReceiptStatus::Delivered,
        status_text: "success".into(),
        created_s: env.clock.now_ms() / 1000,
        received_at: env.clock.now_ms(),
        identity: "r".into(),
    };
    env.enqueue_receipt(receipt).await;
    let matched = recorded.wait_for(traces[1], "match receipt", messages[1]).await;
    assert!(matched.labels.contains(&("paihao.receipt", "delivered")), "{matched:?}");
    assert_eq!(matched.links.len(), 1, "the push with the receipt has a trace of its own");
    assert_ne!(matched.links[0].trace(), traces[1].trace());

    let all = format!("{:?}", recorded.0.lock());
    for i in [1, 2] {
        let person = [open_id(i), person_tag(i)];
        assert!(person.iter().all(|person| !all.contains(person)), "no person in {all}");
    }
    assert!(ended.keys().all(|key| !all.contains(key)), "no ticket in {all}");
}
