//! Check of a whole run: what people were told, beside the ledger, the feed and their messages.

use crate::clients::{Answers, SITE};
use crate::compose::{Deployment, STAFF_KEY};
use crate::stream::FeedReader;
use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Template of compose.toml that says that a number is called.
const CALLED_TEMPLATE: &str = "SIM43522_the_number_is_called_0000000000002";

/// Longest wait for the last messages, and for the last events of the feed.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Checks that nothing was lost or doubled and that the order was kept.
pub async fn check(
    deployment: &Deployment,
    told: &Answers,
    feed: FeedReader,
) -> anyhow::Result<()> {
    let events = all_events(deployment).await?;
    let mut violations = Vec::new();
    check_numbers(told, &events, &mut violations);
    check_calls(told, &events, &mut violations);
    check_messages(deployment, told, &mut violations).await?;
    let started = Instant::now();
    while feed.len() < events.len() && started.elapsed() < SETTLE_TIMEOUT {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let received = feed.finish();
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    if ids(&received.events) != ids(&events) {
        let (read, all) = (received.events.len(), events.len());
        violations.push(format!("the stream had {read} events of {all}, or another order"));
    }
    eprintln!(
        "== {} numbers and {} calls, each once and in order; {} events over {} streams",
        told.numbers.len(),
        told.called.len(),
        received.events.len(),
        received.reopened + 1,
    );
    if !violations.is_empty() {
        bail!("{} violations:\n{}", violations.len(), violations.join("\n"));
    }
    Ok(())
}

/// Reads everything that happened at the site.
async fn all_events(deployment: &Deployment) -> anyhow::Result<Vec<Value>> {
    let mut events = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let url = format!("{}/api/v1/sites/{SITE}/feed/pages", deployment.url);
        let mut request =
            deployment.http.get(url).bearer_auth(STAFF_KEY).query(&[("limit", "500")]);
        if let Some(after) = &after {
            request = request.query(&[("after", after)]);
        }
        let page: Value = request.send().await?.error_for_status()?.json().await?;
        events.extend(page["events"].as_array().context("a page without events")?.clone());
        after = Some(page["next"].as_str().context("a page without a cursor")?.to_owned());
        if page["more"] != true {
            return Ok(events);
        }
    }
}

fn numbers_of(events: &[Value], kind: &str) -> Vec<String> {
    let of_kind = events.iter().filter(|event| event["type"] == kind);
    of_kind.filter_map(|event| event["number"].as_str()).map(str::to_owned).collect()
}

/// Each person was told a number of their own, and every number that was taken was told.
fn check_numbers(told: &Answers, events: &[Value], violations: &mut Vec<String>) {
    let taken = numbers_of(events, "ticket_taken");
    let distinct: BTreeSet<_> = told.numbers.values().collect();
    if distinct.len() != told.numbers.len() {
        violations.push("two people were told the same number".to_owned());
    }
    let unheard: Vec<_> = taken.iter().filter(|number| !distinct.contains(number)).collect();
    let position = |kind: &str, number: &str| {
        events.iter().position(|event| event["type"] == kind && event["number"] == number)
    };
    // Whoever scanned again was told the second number, after the first was served.
    let is_replaced = |number: &String| {
        let served = position("ticket_finished", number);
        let mut again = told.scanned_again.iter().filter_map(|person| told.numbers.get(person));
        served.is_some() && again.any(|later| served < position("ticket_taken", later))
    };
    let are_replaced = unheard.iter().all(|number| is_replaced(number));
    if !are_replaced || taken.len() != distinct.len() + unheard.len() {
        let (taken, told) = (taken.len(), distinct.len());
        violations.push(format!("{taken} numbers were taken, and {told} were told to people"));
    }
    for (prefix, numbers) in by_prefix(&taken) {
        if !numbers.iter().copied().eq(1..=numbers.len() as u32) {
            violations.push(format!("the numbers {prefix} are not 1, 2, 3, …: {numbers:?}"));
        }
    }
}

/// Everybody was called once, in the order in which the numbers were taken.
fn check_calls(told: &Answers, events: &[Value], violations: &mut Vec<String>) {
    let called = numbers_of(events, "ticket_called");
    let distinct: BTreeSet<_> = called.iter().collect();
    let answered: BTreeSet<_> = told.called.iter().collect();
    if answered.len() != told.called.len() || !answered.is_subset(&distinct) {
        violations.push("the counters were told other calls than the ledger has".to_owned());
    }
    let unheard = distinct.len() - answered.intersection(&distinct).count();
    if unheard > told.unanswered {
        let lost = told.unanswered;
        violations.push(format!("{unheard} calls were told to nobody, {lost} answers were lost"));
    }
    let taken = numbers_of(events, "ticket_taken");
    if called.len() != taken.len() {
        violations.push(format!("{} calls of {} numbers", called.len(), taken.len()));
    }
    for (prefix, numbers) in by_prefix(&called) {
        if !numbers.is_sorted_by(|earlier, later| earlier < later) {
            violations.push(format!("{prefix} was called out of order: {numbers:?}"));
        }
    }
}

/// Serials by the letter of their queue, in the order given.
fn by_prefix(numbers: &[String]) -> BTreeMap<&str, Vec<u32>> {
    let mut serials: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for number in numbers {
        serials.entry(&number[..1]).or_default().extend(number[1..].parse::<u32>());
    }
    serials
}

/// Everybody has one message of their call, and no message of the line after it.
async fn check_messages(
    deployment: &Deployment,
    told: &Answers,
    violations: &mut Vec<String>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut templates = templates_by_person(deployment).await?;
    let called = |templates: &BTreeMap<String, Vec<String>>| {
        let called = |person| templates.get(person).is_some_and(|t| has_call(t));
        told.numbers.keys().filter(|person| called(*person)).count()
    };
    while called(&templates) < told.numbers.len() && started.elapsed() < SETTLE_TIMEOUT {
        tokio::time::sleep(Duration::from_millis(500)).await;
        templates = templates_by_person(deployment).await?;
    }
    for person in told.numbers.keys() {
        let received = templates.get(person).map_or(&[][..], Vec::as_slice);
        let calls = received.iter().filter(|template| *template == CALLED_TEMPLATE).count();
        let most = if told.scanned_again.contains(person) { 2 } else { 1 };
        if !(1..=most).contains(&calls) {
            violations.push(format!("{person} was told {calls} times of the call"));
        }
        if calls > 0 && received.last().is_none_or(|template| template != CALLED_TEMPLATE) {
            violations.push(format!("{person} was told of the line after the call"));
        }
    }
    Ok(())
}

fn has_call(templates: &[String]) -> bool {
    templates.iter().any(|template| template == CALLED_TEMPLATE)
}

/// Templates of the messages that each person has, in order.
async fn templates_by_person(
    deployment: &Deployment,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let messages = deployment.control_get("messages").await?;
    let mut templates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in messages.as_array().context("no list of messages")? {
        let (Some(person), Some(template)) =
            (message["openid"].as_str(), message["template_id"].as_str())
        else {
            bail!("a message without a person or a template: {message}");
        };
        templates.entry(person.to_owned()).or_default().push(template.to_owned());
    }
    Ok(templates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answers(numbers: &[(&str, &str)], called: &[&str]) -> Answers {
        let pair = |(person, number): &(&str, &str)| ((*person).to_owned(), (*number).to_owned());
        Answers {
            numbers: numbers.iter().map(pair).collect(),
            called: called.iter().map(|&number| number.to_owned()).collect(),
            ..Answers::default()
        }
    }

    fn events(taken: &[&str], called: &[&str]) -> Vec<Value> {
        let event = |kind: &str, number: &&str| json!({ "type": kind, "number": number });
        let taken = taken.iter().map(|number| event("ticket_taken", number));
        taken.chain(called.iter().map(|number| event("ticket_called", number))).collect()
    }

    fn violations(told: &Answers, events: &[Value]) -> Vec<String> {
        let mut violations = Vec::new();
        check_numbers(told, events, &mut violations);
        check_calls(told, events, &mut violations);
        violations
    }

    #[test]
    fn what_is_lost_doubled_or_out_of_order_is_found() {
        let people = [("oA", "A001"), ("oB", "A002"), ("oC", "B001")];
        let numbers = ["A001", "A002", "B001"];
        let right = answers(&people, &numbers);
        assert_eq!(violations(&right, &events(&numbers, &numbers)), [""; 0]);
        let wrong = [
            (&right, events(&["A001", "A002"], &numbers)),
            (&right, events(&["A001", "A002", "A003", "B001"], &numbers)),
            (&right, events(&["A001", "B001", "A002", "A002"], &numbers)),
            (&right, events(&["A002", "A001", "B001"], &numbers)),
            (&right, events(&numbers, &["A002", "A001", "B001"])),
            (&right, events(&numbers, &["A001", "A002"])),
            (&right, events(&numbers, &["A001", "A002", "B001", "B001"])),
            (&answers(&people, &["A001", "A002"]), events(&numbers, &numbers)),
            (
                &answers(&[("oA", "A001"), ("oB", "A001"), ("oC", "B001")], &numbers),
                events(&numbers, &numbers),
            ),
        ];
        for (told, events) in wrong {
            assert_ne!(violations(told, &events), [""; 0], "{events:?}");
        }
    }

    #[test]
    fn who_scanned_again_after_being_served_has_a_second_number_and_nobody_else() {
        let event = |kind: &str, number: &str| json!({ "type": kind, "number": number });
        let served = [
            event("ticket_taken", "A001"),
            event("ticket_called", "A001"),
            event("ticket_finished", "A001"),
            event("ticket_taken", "A002"),
            event("ticket_called", "A002"),
        ];
        let unserved = [&served[..2], &served[3..], &served[2..3]].concat();
        let mut told = answers(&[("oA", "A002")], &["A001", "A002"]);
        assert_ne!(violations(&told, &served), [""; 0], "every scan was answered");
        told.scanned_again.insert("oA".to_owned());
        assert_eq!(violations(&told, &served), [""; 0]);
        assert_ne!(violations(&told, &unserved), [""; 0], "two numbers of one person at once");
    }
}
