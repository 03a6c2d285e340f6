//! What the records of a notice add up to, in every order and however often each is read.

use paihao_contracts::notice::{Channel, Fate, NoticeOutcome};
use paihao_contracts::outcome::{NoticeReceipt, Outcome, OutcomeRecord, Standing, Trying};
use paihao_contracts::receipt::Received;
use proptest::prelude::*;

const KEY: &str = "hall/20780/1/called#1";

fn trying(channel: Channel, at: i64) -> OutcomeRecord {
    OutcomeRecord::Trying(Trying { v: 1, key: KEY.into(), trying: channel, at, tried: vec![] })
}

fn ended(fate: Fate, at: i64) -> OutcomeRecord {
    let via = matches!(fate, Fate::Sent { .. }).then_some(Channel::Template);
    let (key, tried) = (KEY.into(), vec![]);
    OutcomeRecord::Ended(NoticeOutcome { v: 1, key, fate, at, attempts: 1, via, tried })
}

fn receipt(receipt: Received, at: i64) -> OutcomeRecord {
    let said = receipt.name().into();
    OutcomeRecord::Receipt(NoticeReceipt { v: 1, key: KEY.into(), receipt, said, at })
}

fn standing(records: &[OutcomeRecord]) -> Standing {
    Outcome::of(records.iter().cloned()).standing()
}

#[test]
fn a_receipt_says_more_than_an_answer() {
    let sent = ended(Fate::Sent { message_id: 7 }, 20);
    let unknown = ended(Fate::Unknown { last: "no answer".into() }, 20);
    assert_eq!(standing(&[]), Standing::UnderWay);
    assert_eq!(standing(&[trying(Channel::Template, 10)]), Standing::UnderWay);
    assert_eq!(standing(&[trying(Channel::Template, 10), sent.clone()]), Standing::Accepted);
    let delivered = receipt(Received::Delivered, 30);
    assert_eq!(standing(&[sent.clone(), delivered.clone()]), Standing::Told);
    assert_eq!(standing(&[unknown.clone(), delivered.clone()]), Standing::Told);
    assert_eq!(standing(std::slice::from_ref(&delivered)), Standing::Told, "before the answer");
    let blocked = receipt(Received::Refused, 30);
    assert_eq!(standing(&[sent, blocked]), Standing::NotDelivered(Received::Refused));
    assert!(matches!(standing(&[unknown]), Standing::NotTold(Fate::Unknown { .. })));
    assert_eq!(standing(&[ended(Fate::Replied, 20)]), Standing::Told);
}

#[test]
fn the_newest_attempt_is_the_one_under_way() {
    let outcome =
        Outcome::of([trying(Channel::Template, 20), trying(Channel::CustomerService, 10)]);
    assert_eq!(outcome.trying.unwrap().trying, Channel::Template);
}

fn any_record() -> impl Strategy<Value = OutcomeRecord> {
    let channel = prop_oneof![Just(Channel::CustomerService), Just(Channel::Template)];
    let fate = prop_oneof![
        Just(Fate::Sent { message_id: 7 }),
        Just(Fate::Stale),
        Just(Fate::Unknown { last: "no answer".into() }),
    ];
    let received = prop_oneof![
        Just(Received::Delivered),
        Just(Received::Refused),
        Just(Received::TooOften),
        Just(Received::Failed),
    ];
    prop_oneof![
        (channel, 0..4i64).prop_map(|(channel, at)| trying(channel, at)),
        (fate, 0..4i64).prop_map(|(fate, at)| ended(fate, at)),
        (received, 0..4i64).prop_map(|(received, at)| receipt(received, at)),
    ]
}

fn shuffled() -> impl Strategy<Value = (Vec<OutcomeRecord>, Vec<OutcomeRecord>)> {
    prop::collection::vec(any_record(), 0..8).prop_flat_map(|records| {
        let twice: Vec<_> = records.iter().chain(&records).cloned().collect();
        (Just(records), Just(twice).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn order_and_repeats_change_nothing((records, shuffled) in shuffled()) {
        prop_assert_eq!(Outcome::of(records), Outcome::of(shuffled));
    }

    #[test]
    fn reading_some_first_and_the_rest_later_is_reading_all(
        (records, shuffled) in shuffled(), at in 0..16usize,
    ) {
        let (first, rest) = shuffled.split_at(at.min(shuffled.len()));
        let Outcome { trying, ended, receipt } = Outcome::of(first.iter().cloned());
        let so_far = trying.map(OutcomeRecord::Trying).into_iter()
            .chain(ended.map(OutcomeRecord::Ended))
            .chain(receipt.map(OutcomeRecord::Receipt));
        prop_assert_eq!(Outcome::of(so_far.chain(rest.iter().cloned())), Outcome::of(records));
    }

    #[test]
    fn a_delivery_is_never_lost_among_other_records(
        records in prop::collection::vec(any_record(), 0..8), at in 0..8usize,
    ) {
        let mut records = records;
        records.insert(at.min(records.len()), receipt(Received::Delivered, 9));
        prop_assert_eq!(Outcome::of(records).standing(), Standing::Told);
    }
}
