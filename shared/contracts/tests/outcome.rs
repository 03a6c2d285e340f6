//! Tests of the state of a notice under every order and repetition of its records.

use paihao_contracts::notice::{Channel, DeliveryOutcome, NoticeOutcome};
use paihao_contracts::outcome::{
    AttemptAnnounced, NoticeReceipt, NoticeState, NoticeStatus, OutcomeRecord,
};
use paihao_contracts::receipt::ReceiptStatus;
use proptest::prelude::*;

const KEY: &str = "hall/20780/1/called#1";

fn attempt_record(channel: Channel, at: i64) -> OutcomeRecord {
    OutcomeRecord::Attempt(AttemptAnnounced {
        v: 1,
        key: KEY.into(),
        channel,
        at,
        earlier_attempts: vec![],
    })
}

fn outcome_record(outcome: DeliveryOutcome, at: i64) -> OutcomeRecord {
    let channel = matches!(outcome, DeliveryOutcome::Sent { .. }).then_some(Channel::Template);
    OutcomeRecord::Ended(NoticeOutcome {
        v: 1,
        key: KEY.into(),
        outcome,
        at,
        attempts: 1,
        channel,
        earlier_attempts: vec![],
    })
}

fn receipt_record(receipt: ReceiptStatus, at: i64) -> OutcomeRecord {
    let status_text = receipt.name().into();
    OutcomeRecord::Receipt(NoticeReceipt { v: 1, key: KEY.into(), receipt, status_text, at })
}

fn status_of(records: &[OutcomeRecord]) -> NoticeStatus {
    NoticeState::from_records(records.iter().cloned()).status()
}

#[test]
fn a_receipt_outweighs_the_response_to_the_request() {
    let sent = outcome_record(DeliveryOutcome::Sent { message_id: 7 }, 20);
    let unknown = outcome_record(DeliveryOutcome::Unknown { last_error: "no answer".into() }, 20);
    assert_eq!(status_of(&[]), NoticeStatus::Pending);
    assert_eq!(status_of(&[attempt_record(Channel::Template, 10)]), NoticeStatus::Pending);
    assert_eq!(
        status_of(&[attempt_record(Channel::Template, 10), sent.clone()]),
        NoticeStatus::Accepted
    );
    let delivered = receipt_record(ReceiptStatus::Delivered, 30);
    assert_eq!(status_of(&[sent.clone(), delivered.clone()]), NoticeStatus::Delivered);
    assert_eq!(status_of(&[unknown.clone(), delivered.clone()]), NoticeStatus::Delivered);
    assert_eq!(
        status_of(std::slice::from_ref(&delivered)),
        NoticeStatus::Delivered,
        "before the answer"
    );
    let blocked = receipt_record(ReceiptStatus::Refused, 30);
    assert_eq!(status_of(&[sent, blocked]), NoticeStatus::NotDelivered(ReceiptStatus::Refused));
    assert!(matches!(
        status_of(&[unknown]),
        NoticeStatus::NotAccepted(DeliveryOutcome::Unknown { .. })
    ));
    assert_eq!(status_of(&[outcome_record(DeliveryOutcome::Replied, 20)]), NoticeStatus::Delivered);
}

#[test]
fn the_newest_attempt_is_the_one_under_way() {
    let state = NoticeState::from_records([
        attempt_record(Channel::Template, 20),
        attempt_record(Channel::CustomerService, 10),
    ]);
    assert_eq!(state.attempt.unwrap().channel, Channel::Template);
}

fn any_record() -> impl Strategy<Value = OutcomeRecord> {
    let channel = prop_oneof![Just(Channel::CustomerService), Just(Channel::Template)];
    let outcome = prop_oneof![
        Just(DeliveryOutcome::Sent { message_id: 7 }),
        Just(DeliveryOutcome::Stale),
        Just(DeliveryOutcome::Unknown { last_error: "no answer".into() }),
    ];
    let receipt = prop_oneof![
        Just(ReceiptStatus::Delivered),
        Just(ReceiptStatus::Refused),
        Just(ReceiptStatus::TooOften),
        Just(ReceiptStatus::Failed),
    ];
    prop_oneof![
        (channel, 0..4i64).prop_map(|(channel, at)| attempt_record(channel, at)),
        (outcome, 0..4i64).prop_map(|(outcome, at)| outcome_record(outcome, at)),
        (receipt, 0..4i64).prop_map(|(receipt, at)| receipt_record(receipt, at)),
    ]
}

fn shuffled() -> impl Strategy<Value = (Vec<OutcomeRecord>, Vec<OutcomeRecord>)> {
    prop::collection::vec(any_record(), 0..8).prop_flat_map(|records| {
        let doubled: Vec<_> = records.iter().chain(&records).cloned().collect();
        (Just(records), Just(doubled).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn order_and_repeats_change_nothing((records, shuffled) in shuffled()) {
        prop_assert_eq!(NoticeState::from_records(records), NoticeState::from_records(shuffled));
    }

    #[test]
    fn reading_some_first_and_the_rest_later_is_reading_all(
        (records, shuffled) in shuffled(), at in 0..16usize,
    ) {
        let (earlier, later) = shuffled.split_at(at.min(shuffled.len()));
        let NoticeState { attempt, outcome, receipt } = NoticeState::from_records(earlier.iter().cloned());
        let so_far = attempt.map(OutcomeRecord::Attempt).into_iter()
            .chain(outcome.map(OutcomeRecord::Ended))
            .chain(receipt.map(OutcomeRecord::Receipt));
        prop_assert_eq!(NoticeState::from_records(so_far.chain(later.iter().cloned())), NoticeState::from_records(records));
    }

    #[test]
    fn a_delivery_is_never_lost_among_other_records(
        records in prop::collection::vec(any_record(), 0..8), at in 0..8usize,
    ) {
        let mut records = records;
        records.insert(at.min(records.len()), receipt_record(ReceiptStatus::Delivered, 9));
        prop_assert_eq!(NoticeState::from_records(records).status(), NoticeStatus::Delivered);
    }
}
