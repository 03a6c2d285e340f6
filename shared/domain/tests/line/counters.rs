//! Tests of opening and closing counters.

use crate::fixture::{call, close, given, open, take};
use paihao_domain::{CounterId, Refusal};

#[test]
fn a_counter_calls_nobody_until_it_is_open() {
    let mut fixture = given([take("ann", "a")]);
    assert_eq!(fixture.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
    fixture.when(open("1")).then();
    assert_eq!(fixture.when(call("1")).then_called(), "A001");
}

#[test]
fn a_busy_counter_does_not_close() {
    let mut fixture = given([open("1"), take("ann", "a"), call("1")]);
    assert!(matches!(fixture.when(close("1")).then_refused(), Refusal::CounterBusy { .. }));
    assert!(fixture.site.counter(&CounterId::new("1")).is_open());
}

#[test]
fn a_closed_counter_calls_nobody() {
    let mut fixture = given([open("1"), take("ann", "a"), close("1")]);
    assert_eq!(fixture.when(call("1")).then_refused(), Refusal::CounterClosed(CounterId::new("1")));
}

#[test]
fn an_unknown_counter_does_nothing() {
    let mut fixture = given([]);
    for act in
        [open("9"), close("9"), call("9"), crate::fixture::finish("9"), crate::fixture::miss("9")]
    {
        let refused = fixture.when(act).then_refused();
        assert_eq!(refused, Refusal::UnknownCounter(CounterId::new("9")));
    }
}
