//! Opening and closing counters.

use crate::fixture::{call, close, given, open, take};
use paihao_domain::{CounterId, Refusal};

#[test]
fn a_counter_calls_nobody_until_it_is_open() {
    let mut hall = given([take("ann", "a")]);
    assert_eq!(hall.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
    hall.when(open("1")).then();
    assert_eq!(hall.when(call("1")).then_called(), "A001");
}

#[test]
fn a_counter_with_somebody_does_not_close() {
    let mut hall = given([open("1"), take("ann", "a"), call("1")]);
    assert!(matches!(hall.when(close("1")).then_refused(), Refusal::CounterBusy { .. }));
    assert!(hall.site.counter(&CounterId::new("1")).is_open());
}

#[test]
fn a_closed_counter_calls_nobody() {
    let mut hall = given([open("1"), take("ann", "a"), close("1")]);
    assert_eq!(hall.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
}

#[test]
fn an_unknown_counter_does_nothing() {
    let mut hall = given([]);
    for act in
        [open("9"), close("9"), call("9"), crate::fixture::finish("9"), crate::fixture::miss("9")]
    {
        let refused = hall.when(act).then_refused();
        assert_eq!(refused, Refusal::UnknownCounter(CounterId::new("9")));
    }
}
