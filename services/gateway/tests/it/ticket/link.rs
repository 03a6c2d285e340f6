//! Tests of the ticket link: the pages and acts that it opens, and for whom.

use crate::support::cluster::Cluster;
use crate::support::engine::{at_counter, command, finish};
use crate::support::gateway::{Gateway, read_json};
use paihao_contracts::ticket_link::{TicketKey, TicketLink};
use paihao_domain::{
    Act, CounterId, CounterTicket, Outcome, Person, QueueId, TicketId, TicketKey as Key,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// Key of a person's ticket.
fn ticket_key(person: &str) -> [u8; 16] {
    let mut key = [0x5a; 16];
    key[..person.len()].copy_from_slice(person.as_bytes());
    key
}

/// Takes a number for a person and returns the path of the ticket in the API.
pub async fn join(gateway: &Gateway, person: &str) -> String {
    let act = Act::Take {
        queue: QueueId::new("a"),
        person: Some(Person::new(person)),
        scan_session: None,
        class: None,
        key: Some(Key(ticket_key(person))),
    };
    let taken = gateway.engine.submit("hall", command(&format!("take {person}"), act)).await;
    let Outcome::Holding { ticket, .. } = taken.unwrap().outcome else { panic!("no ticket") };
    let day = gateway.engine.snapshot("hall").unwrap().site.day().unwrap().0;
    let link = TicketLink { day, ticket: ticket.0, key: TicketKey(ticket_key(person)) };
    format!("/tickets/hall/{}", link.id())
}

async fn submit_as_manager(gateway: &Gateway, id: &str, act: Act) {
    let mut command = command(id, act);
    command.actor = paihao_domain::Actor::Manager("boss".into());
    command.day = gateway.engine.snapshot("hall").unwrap().site.day();
    gateway.engine.submit("hall", command).await.unwrap();
}

pub async fn get(gateway: &Gateway, path: &str) -> (StatusCode, Value) {
    read_json(gateway.get_public(path).send().await.unwrap()).await
}

pub async fn post(gateway: &Gateway, path: &str, body: Value, key: &str) -> (StatusCode, Value) {
    let request = gateway.post_public(path).header("idempotency-key", key).json(&body);
    read_json(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_link_opens_one_ticket_at_every_replica_and_nothing_else_does() {
    let cluster = Cluster::new();
    let one = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    let ann = join(&one, "ann").await;
    let ben = join(&one, "ben").await;
    let (status, view) = get(&one, &ben).await;
    assert_eq!(
        (status, &view["number"], &view["ahead"]),
        (StatusCode::OK, &json!("A002"), &json!(1))
    );
    assert_eq!(view["may"], json!(["coming", "let-pass", "tell-me", "leave"]));
    let mut snapshots = other.engine.watch("hall").unwrap();
    snapshots.wait_for(|snapshot| snapshot.site.ticket(TicketId(2)).is_some()).await.unwrap();
    assert_eq!(get(&other, &ben).await.1["number"], "A002");
    assert!(
        !view.to_string().contains("ann")
            && !view.to_string().contains(&hex::encode(ticket_key("ben")))
    );

    // The answer is the same for everything that is not a ticket's link.
    let (_, no) = get(&one, "/tickets/hall/nothing").await;
    let mine = ann.rsplit('-').next().unwrap();
    let day = ann.rsplit('/').next().unwrap().split('-').next().unwrap();
    for wrong in [
        format!("/tickets/hall/{day}-2-{mine}"),
        format!("/tickets/hall/{day}-9-{mine}"),
        format!("/tickets/hall/{day}-1-{}", "0".repeat(32)),
        format!("/tickets/hall/{day}-1-"),
        ann.replace("/hall/", "/elsewhere/"),
        ann.replace("/hall/", "/nowhere/"),
    ] {
        for (status, view) in [
            get(&one, &wrong).await,
            get(&one, &format!("{wrong}/events")).await,
            post(&one, &format!("{wrong}/leave"), json!({}), "k").await,
        ] {
            assert_eq!(status, StatusCode::NOT_FOUND, "{wrong}");
            assert_eq!(view, no, "{wrong}");
        }
        let page = one.get_page(&wrong.replace("/tickets/", "/t/")).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
    }
    let page = one.get_page(&ann.replace("/tickets/", "/t/")).await;
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    assert_eq!(page.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_holder_lets_others_pass_is_back_chooses_when_to_be_told_and_leaves() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let ann = join(&gateway, "ann").await;
    join(&gateway, "ben").await;
    let post = async |act: &str, body: Value, key: &str| {
        post(&gateway, &format!("{ann}/{act}"), body, key).await
    };
    let (status, view) = post("let-pass", json!({"others": 1}), "one").await;
    assert_eq!(
        (status, &view["state"], &view["others"]),
        (StatusCode::OK, &json!("held"), &json!(1))
    );
    assert_eq!(view["may"], json!(["return", "leave"]));
    let (_, again) = post("let-pass", json!({"others": 1}), "one").await;
    assert_eq!(again["state"], "held", "one wish, told twice");
    let (status, view) = post("let-pass", json!({"others": 2}), "one").await;
    let reused = (StatusCode::UNPROCESSABLE_ENTITY, json!("idempotency_key_reused"));
    assert_eq!((status, view["code"].clone()), reused);

    let (_, view) = post("return", json!({}), "two").await;
    assert_eq!((&view["state"], &view["ahead"]), (&json!("waiting"), &json!(0)));
    let (_, view) = post("tell-me", json!({"ahead": 5}), "three").await;
    assert_eq!((&view["tell_at"], &view["tell_at_chosen"]), (&json!(5), &json!(true)));
    let (_, view) = post("tell-me", json!({}), "four").await;
    assert_eq!((&view["tell_at"], &view["tell_at_chosen"]), (&json!(3), &json!(false)));
    let (status, view) = post("tell-me", json!({"ahead": 99}), "five").await;
    assert_eq!((status, &view["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("out_of_range")));
    let (status, view) = post("leave", json!({"why": "tired"}), "six").await;
    assert_eq!((status, &view["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_request")));

    let (_, view) = post("leave", json!({}), "seven").await;
    assert_eq!((&view["state"], &view["ended"]), (&json!("closed"), &json!("by_customer")));
    assert_eq!(view["may"], json!([]));
    let (status, view) = post("return", json!({}), "eight").await;
    assert_eq!((status, &view["code"]), (StatusCode::CONFLICT, &json!("ticket_ended")));
}

#[tokio::test]
async fn what_the_page_offers_is_what_the_rules_allow() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let ann = join(&gateway, "ann").await;
    join(&gateway, "ben").await;
    let mut command_count = 0;
    // Each act is tried on a copy of the site: an offered one is allowed, any other is refused.
    let mut agrees = async || {
        let (_, view) = get(&gateway, &ann).await;
        let site = gateway.engine.snapshot("hall").unwrap().site;
        let settings = gateway.engine.settings("hall").unwrap();
        let ticket = TicketId(1);
        let held = view["state"] == "held";
        for (act, name) in [
            (Act::LetPass { ticket, until: paihao_domain::LetPassLimit::OnRequest }, "let-pass"),
            (if held { Act::Resume(ticket) } else { Act::Return(ticket) }, "return"),
            (Act::Mark { ticket, mark: paihao_domain::Mark::NotifyAhead(Some(2)) }, "tell-me"),
            (Act::Leave { ticket, reason: None }, "leave"),
        ] {
            command_count += 1;
            let mut attempt = command(&format!("wish {command_count}"), act);
            attempt.actor = paihao_domain::Actor::Holder(ticket);
            attempt.day = site.day();
            let now = settings.calendar.at(crate::support::engine::MORNING_MS);
            let allowed = paihao_domain::decide(&site, &settings.rules, &attempt, &now).is_ok();
            let offered = view["may"].as_array().unwrap().contains(&json!(name));
            assert_eq!(allowed, offered, "{name} while {}", view["state"]);
        }
    };
    agrees().await;
    submit_as_manager(&gateway, "open", Act::OpenCounter(CounterId::new("1"))).await;
    submit_as_manager(&gateway, "call", Act::CallNext(CounterId::new("1"))).await;
    agrees().await;
    let here = || CounterTicket { counter: CounterId::new("1"), number: None };
    submit_as_manager(&gateway, "miss", Act::Miss(here())).await;
    agrees().await;
    let (_, view) = post(&gateway, &format!("{ann}/return"), json!({}), "back").await;
    assert_eq!(view["moves"][0]["cause"], "return");
    agrees().await;
    post(&gateway, &format!("{ann}/let-pass"), json!({}), "pass").await;
    agrees().await;
    post(&gateway, &format!("{ann}/return"), json!({}), "again").await;
    submit_as_manager(&gateway, "call 2", Act::CallNext(CounterId::new("1"))).await;
    submit_as_manager(&gateway, "finish", finish(CounterId::new("1"))).await;
    submit_as_manager(&gateway, "call 3", Act::CallNext(CounterId::new("1"))).await;
    submit_as_manager(&gateway, "start", Act::Start(here())).await;
    agrees().await;
    submit_as_manager(&gateway, "finish 2", finish(CounterId::new("1"))).await;
    agrees().await;
}

/// Returns the next event of this name in a stream.
async fn next_event(stream: &mut EventStream, name: &str) -> Value {
    loop {
        while let Some(end) = stream.buffer.find("\n\n") {
            let event: String = stream.buffer.drain(..end + 2).collect();
            let is = event.lines().any(|line| line == format!("event: {name}"));
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data.filter(|_| is) {
                return serde_json::from_str(data).unwrap();
            }
        }
        let chunk = stream.response.chunk().await.unwrap().expect("the stream goes on");
        stream.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

struct EventStream {
    response: Response,
    buffer: String,
}

fn event_stream(response: Response) -> EventStream {
    EventStream { response, buffer: String::new() }
}

#[tokio::test]
async fn a_phone_hears_what_becomes_of_its_ticket_and_why_its_place_changed() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let other = cluster.start_gateway().await;
    join(&gateway, "ann").await;
    let ben = join(&gateway, "ben").await;
    let counter = || CounterId::new("1");
    let mut snapshots = other.engine.watch("hall").unwrap();
    snapshots.wait_for(|snapshot| snapshot.site.ticket(TicketId(2)).is_some()).await.unwrap();
    let mut phone = event_stream(other.get_public(&format!("{ben}/events")).send().await.unwrap());
    assert_eq!(next_event(&mut phone, "ticket").await["ahead"], 1);

    gateway.engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    submit_as_manager(&gateway, "call ann", Act::CallNext(counter())).await;
    while next_event(&mut phone, "ticket").await["ahead"] != 0 {}
    // The call was a mistake: there is one more ahead, and the page can give the reason.
    submit_as_manager(
        &gateway,
        "back",
        Act::PutBack(CounterTicket { counter: counter(), number: None }),
    )
    .await;
    let view = loop {
        let view = next_event(&mut phone, "ticket").await;
        if view["ahead"] == 1 {
            break view;
        }
    };
    assert_eq!(view["moves"][0]["cause"], "taken_back");
    assert_eq!((&view["moves"][0]["more"], &view["moves"][0]["own"]), (&json!(1), &json!(false)));
    assert!(!view["moves"].to_string().contains("A001"), "nobody else's number: {view}");

    // A new connection begins with the current state.
    drop(phone);
    let ticket = TicketId(2);
    let call = Act::CallTicket { counter: counter(), ticket, reason: Some("急".into()) };
    submit_as_manager(&gateway, "call ben", call).await;
    let mut phone =
        event_stream(gateway.get_public(&format!("{ben}/events")).send().await.unwrap());
    let view = next_event(&mut phone, "ticket").await;
    assert_eq!((&view["state"], &view["counter_name"]), (&json!("called"), &json!("1号")));
    let names = view["notices"].as_array().unwrap().iter().map(|notice| &notice["notice"]);
    assert_eq!(names.collect::<Vec<_>>(), [&json!("joined"), &json!("called")]);
}

#[tokio::test]
async fn one_link_is_used_by_a_family_and_not_by_a_machine() {
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let ann = join(&gateway, "ann").await;
    let ben = join(&gateway, "ben").await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(gateway.get_public(&format!("{ann}/events")).send().await.unwrap());
    }
    let (status, view) = get(&gateway, &format!("{ann}/events")).await;
    let much = (StatusCode::TOO_MANY_REQUESTS, json!("too_many_wishes"));
    assert_eq!((status, view["code"].clone()), much);
    let tell = async |path: &str| {
        let path = format!("{path}/tell-me");
        let (status, view) = read_json(gateway.post_public(&path).send().await.unwrap()).await;
        (status, view["code"].clone())
    };
    let mut refused = None;
    for _ in 0..=20 {
        refused = Some(tell(&ann).await);
    }
    assert_eq!(refused, Some(much));
    assert_eq!(tell(&ben).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_number_of_yesterday_says_what_became_of_it_and_does_nothing_more() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let cluster = Cluster::new();
    let gateway = cluster.start_gateway().await;
    let ann = join(&gateway, "ann").await;
    let ben = join(&gateway, "ben").await;
    gateway.engine.submit("hall", at_counter("1", Act::OpenCounter, "open")).await.unwrap();
    submit_as_manager(&gateway, "call ann", Act::CallNext(CounterId::new("1"))).await;
    submit_as_manager(&gateway, "finish", finish(CounterId::new("1"))).await;

    cluster.clock.set(crate::support::engine::MORNING_MS + DAY_MS);
    let cai = join(&gateway, "cai").await;
    let late = cluster.start_gateway().await;
    for gateway in [&gateway, &late] {
        let (_, view) = get(gateway, &ann).await;
        assert_eq!((&view["state"], &view["over"]), (&json!("done"), &json!(true)));
        let (_, view) = get(gateway, &ben).await;
        assert_eq!((&view["ended"], &view["over"]), (&json!("day_closed"), &json!(true)));
        assert_eq!(get(gateway, &cai).await.1["over"], json!(false));
        let (status, view) = post(gateway, &format!("{ben}/return"), json!({}), "k").await;
        assert_eq!((status, &view["code"]), (StatusCode::CONFLICT, &json!("ticket_ended")));
    }
    cluster.clock.set(crate::support::engine::MORNING_MS + 2 * DAY_MS);
    join(&gateway, "dan").await;
    assert_eq!(get(&gateway, &ann).await.0, StatusCode::NOT_FOUND);
}
