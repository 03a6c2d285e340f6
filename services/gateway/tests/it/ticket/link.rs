//! What a ticket's link opens, and for whom.

use crate::support::door::{Gateway, Hall, read};
use crate::support::replica::{at, command, finish};
use paihao_contracts::link::{TicketKey, TicketLink};
use paihao_domain::{
    Act, CounterId, CounterTicket, Outcome, Person, QueueId, TicketId, TicketKey as Key,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// The key of somebody's ticket in these tests.
fn key(person: &str) -> [u8; 16] {
    let mut key = [0x5a; 16];
    key[..person.len()].copy_from_slice(person.as_bytes());
    key
}

/// Somebody takes a number; the path of its ticket in the API.
async fn joins(gateway: &Gateway, person: &str) -> String {
    let act = Act::Take {
        queue: QueueId::new("a"),
        person: Some(Person::new(person)),
        via: None,
        class: None,
        key: Some(Key(key(person))),
    };
    let taken = gateway.lines.submit("hall", command(&format!("take {person}"), act)).await;
    let Outcome::Holding { ticket, .. } = taken.unwrap().outcome else { panic!("no ticket") };
    let day = gateway.lines.snapshot("hall").unwrap().site.day().unwrap().0;
    let link = TicketLink { day, ticket: ticket.0, key: TicketKey(key(person)) };
    format!("/tickets/hall/{}", link.id())
}

async fn does(gateway: &Gateway, id: &str, act: Act) {
    let mut command = command(id, act);
    command.actor = paihao_domain::Actor::Manager("boss".into());
    gateway.lines.submit("hall", command).await.unwrap();
}

async fn get(gateway: &Gateway, path: &str) -> (StatusCode, Value) {
    read(gateway.anybody(path).send().await.unwrap()).await
}

async fn post(gateway: &Gateway, path: &str, body: Value, key: &str) -> (StatusCode, Value) {
    let asked = gateway.wish(path).header("idempotency-key", key).json(&body);
    read(asked.send().await.unwrap()).await
}

#[tokio::test]
async fn the_link_opens_one_ticket_at_every_replica_and_nothing_else_does() {
    let hall = Hall::new();
    let (one, other) = (hall.gateway().await, hall.gateway().await);
    let (ann, ben) = (joins(&one, "ann").await, joins(&one, "ben").await);
    let (status, told) = get(&one, &ben).await;
    assert_eq!(
        (status, &told["number"], &told["ahead"]),
        (StatusCode::OK, &json!("A002"), &json!(1))
    );
    assert_eq!(told["may"], json!(["let-pass", "tell-me", "leave"]));
    let mut views = other.lines.watch("hall").unwrap();
    views.wait_for(|view| view.site.ticket(TicketId(2)).is_some()).await.unwrap();
    assert_eq!(get(&other, &ben).await.1["number"], "A002");
    assert!(
        !told.to_string().contains("ann") && !told.to_string().contains(&hex::encode(key("ben")))
    );

    // The same words for everything that is not a ticket's link.
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
        for (status, told) in [
            get(&one, &wrong).await,
            get(&one, &format!("{wrong}/events")).await,
            post(&one, &format!("{wrong}/leave"), json!({}), "k").await,
        ] {
            assert_eq!(status, StatusCode::NOT_FOUND, "{wrong}");
            assert_eq!(told, no, "{wrong}");
        }
        let page = one.page(&wrong.replace("/tickets/", "/t/")).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
    }
    let page = one.page(&ann.replace("/tickets/", "/t/")).await;
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    assert_eq!(page.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_holder_lets_others_pass_is_back_chooses_when_to_be_told_and_leaves() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    let ann = joins(&gateway, "ann").await;
    joins(&gateway, "ben").await;
    let post = async |act: &str, body: Value, key: &str| {
        post(&gateway, &format!("{ann}/{act}"), body, key).await
    };
    let (status, told) = post("let-pass", json!({"others": 1}), "one").await;
    assert_eq!(
        (status, &told["state"], &told["others"]),
        (StatusCode::OK, &json!("held"), &json!(1))
    );
    assert_eq!(told["may"], json!(["return", "leave"]));
    let (_, again) = post("let-pass", json!({"others": 1}), "one").await;
    assert_eq!(again["state"], "held", "one wish, told twice");
    let (status, told) = post("let-pass", json!({"others": 2}), "one").await;
    let reused = (StatusCode::UNPROCESSABLE_ENTITY, json!("idempotency_key_reused"));
    assert_eq!((status, told["code"].clone()), reused);

    let (_, told) = post("return", json!({}), "two").await;
    assert_eq!((&told["state"], &told["ahead"]), (&json!("waiting"), &json!(0)));
    let (_, told) = post("tell-me", json!({"ahead": 5}), "three").await;
    assert_eq!((&told["tell_at"], &told["tell_at_chosen"]), (&json!(5), &json!(true)));
    let (_, told) = post("tell-me", json!({}), "four").await;
    assert_eq!((&told["tell_at"], &told["tell_at_chosen"]), (&json!(3), &json!(false)));
    let (status, told) = post("tell-me", json!({"ahead": 99}), "five").await;
    assert_eq!((status, &told["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("out_of_range")));
    let (status, told) = post("leave", json!({"why": "tired"}), "six").await;
    assert_eq!((status, &told["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_request")));

    let (_, told) = post("leave", json!({}), "seven").await;
    assert_eq!((&told["state"], &told["ended"]), (&json!("closed"), &json!("by_customer")));
    assert_eq!(told["may"], json!([]));
    let (status, told) = post("return", json!({}), "eight").await;
    assert_eq!((status, &told["code"]), (StatusCode::CONFLICT, &json!("ticket_ended")));
}

#[tokio::test]
async fn what_the_page_offers_is_what_the_rules_allow() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    let ann = joins(&gateway, "ann").await;
    joins(&gateway, "ben").await;
    let mut wishes = 0;
    // Every act that is offered is done at a copy of the site, every other one is refused.
    let mut agrees = async || {
        let (_, told) = get(&gateway, &ann).await;
        let site = gateway.lines.snapshot("hall").unwrap().site;
        let (book, ticket) = (gateway.lines.settings("hall").unwrap(), TicketId(1));
        let held = told["state"] == "held";
        for (act, name) in [
            (Act::LetPass { ticket, until: paihao_domain::LetPassLimit::OnRequest }, "let-pass"),
            (if held { Act::Resume(ticket) } else { Act::Return(ticket) }, "return"),
            (Act::Mark { ticket, mark: paihao_domain::Mark::TellAt(Some(2)) }, "tell-me"),
            (Act::Leave { ticket, reason: None }, "leave"),
        ] {
            wishes += 1;
            let mut wish = command(&format!("wish {wishes}"), act);
            wish.actor = paihao_domain::Actor::Holder(ticket);
            let now = book.calendar.at(crate::support::replica::MORNING);
            let allowed = paihao_domain::decide(&site, &book.rules, &wish, &now).is_ok();
            let offered = told["may"].as_array().unwrap().contains(&json!(name));
            // A mark on a live ticket does no harm, and is not offered where it has no meaning.
            let fits = allowed == offered || name == "tell-me" && allowed;
            assert!(fits, "{name} while {}: {allowed}, {offered}", told["state"]);
        }
    };
    agrees().await;
    does(&gateway, "open", Act::OpenCounter(CounterId::new("1"))).await;
    does(&gateway, "call", Act::CallNext(CounterId::new("1"))).await;
    agrees().await;
    let here = || CounterTicket { counter: CounterId::new("1"), number: None };
    does(&gateway, "miss", Act::Miss(here())).await;
    agrees().await;
    let (_, told) = post(&gateway, &format!("{ann}/return"), json!({}), "back").await;
    assert_eq!(told["moves"][0]["cause"], "return");
    agrees().await;
    post(&gateway, &format!("{ann}/let-pass"), json!({}), "pass").await;
    agrees().await;
    post(&gateway, &format!("{ann}/return"), json!({}), "again").await;
    does(&gateway, "call 2", Act::CallNext(CounterId::new("1"))).await;
    does(&gateway, "finish", finish(CounterId::new("1"))).await;
    does(&gateway, "call 3", Act::CallNext(CounterId::new("1"))).await;
    does(&gateway, "start", Act::Start(here())).await;
    agrees().await;
    does(&gateway, "finish 2", finish(CounterId::new("1"))).await;
    agrees().await;
}

/// The next event of this name in a stream.
async fn next(stream: &mut Events, name: &str) -> Value {
    loop {
        while let Some(end) = stream.read.find("\n\n") {
            let event: String = stream.read.drain(..end + 2).collect();
            let is = event.lines().any(|line| line == format!("event: {name}"));
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data.filter(|_| is) {
                return serde_json::from_str(data).unwrap();
            }
        }
        let chunk = stream.answer.chunk().await.unwrap().expect("the stream goes on");
        stream.read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

struct Events {
    answer: Response,
    read: String,
}

fn events(answer: Response) -> Events {
    Events { answer, read: String::new() }
}

#[tokio::test]
async fn a_phone_hears_what_becomes_of_its_ticket_and_why_its_place_changed() {
    let hall = Hall::new();
    let (gateway, other) = (hall.gateway().await, hall.gateway().await);
    joins(&gateway, "ann").await;
    let ben = joins(&gateway, "ben").await;
    let counter = || CounterId::new("1");
    let mut views = other.lines.watch("hall").unwrap();
    views.wait_for(|view| view.site.ticket(TicketId(2)).is_some()).await.unwrap();
    let mut phone = events(other.anybody(&format!("{ben}/events")).send().await.unwrap());
    assert_eq!(next(&mut phone, "ticket").await["ahead"], 1);

    gateway.lines.submit("hall", at("1", Act::OpenCounter, "open")).await.unwrap();
    does(&gateway, "call ann", Act::CallNext(counter())).await;
    while next(&mut phone, "ticket").await["ahead"] != 0 {}
    // The call was a mistake: one more ahead, and the page can say why.
    does(&gateway, "back", Act::PutBack(CounterTicket { counter: counter(), number: None })).await;
    let told = loop {
        let told = next(&mut phone, "ticket").await;
        if told["ahead"] == 1 {
            break told;
        }
    };
    assert_eq!(told["moves"][0]["cause"], "taken_back");
    assert_eq!((&told["moves"][0]["more"], &told["moves"][0]["own"]), (&json!(1), &json!(false)));
    assert!(!told["moves"].to_string().contains("A001"), "nobody else's number: {told}");

    // A connection that was lost begins again with how it stands now.
    drop(phone);
    let ticket = TicketId(2);
    let call = Act::CallTicket { counter: counter(), ticket, reason: Some("急".into()) };
    does(&gateway, "call ben", call).await;
    let mut phone = events(gateway.anybody(&format!("{ben}/events")).send().await.unwrap());
    let told = next(&mut phone, "ticket").await;
    assert_eq!((&told["state"], &told["counter_name"]), (&json!("called"), &json!("1号")));
    let names = told["notices"].as_array().unwrap().iter().map(|notice| &notice["notice"]);
    assert_eq!(names.collect::<Vec<_>>(), [&json!("joined"), &json!("called")]);
}

#[tokio::test]
async fn one_link_is_used_by_a_family_and_not_by_a_machine() {
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    let (ann, ben) = (joins(&gateway, "ann").await, joins(&gateway, "ben").await);
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(gateway.anybody(&format!("{ann}/events")).send().await.unwrap());
    }
    let (status, told) = get(&gateway, &format!("{ann}/events")).await;
    let much = (StatusCode::TOO_MANY_REQUESTS, json!("too_many_wishes"));
    assert_eq!((status, told["code"].clone()), much);
    let tell = async |path: &str| {
        let path = format!("{path}/tell-me");
        let (status, told) = read(gateway.wish(&path).send().await.unwrap()).await;
        (status, told["code"].clone())
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
    let hall = Hall::new();
    let gateway = hall.gateway().await;
    let (ann, ben) = (joins(&gateway, "ann").await, joins(&gateway, "ben").await);
    gateway.lines.submit("hall", at("1", Act::OpenCounter, "open")).await.unwrap();
    does(&gateway, "call ann", Act::CallNext(CounterId::new("1"))).await;
    does(&gateway, "finish", finish(CounterId::new("1"))).await;

    hall.clock.set(crate::support::replica::MORNING + DAY_MS);
    let cai = joins(&gateway, "cai").await;
    let late = hall.gateway().await;
    for gateway in [&gateway, &late] {
        let (_, told) = get(gateway, &ann).await;
        assert_eq!((&told["state"], &told["over"]), (&json!("done"), &json!(true)));
        let (_, told) = get(gateway, &ben).await;
        assert_eq!((&told["ended"], &told["over"]), (&json!("day_closed"), &json!(true)));
        assert_eq!(get(gateway, &cai).await.1["over"], json!(false));
        let (status, told) = post(gateway, &format!("{ben}/return"), json!({}), "k").await;
        assert_eq!((status, &told["code"]), (StatusCode::CONFLICT, &json!("ticket_ended")));
    }
    hall.clock.set(crate::support::replica::MORNING + 2 * DAY_MS);
    joins(&gateway, "dan").await;
    assert_eq!(get(&gateway, &ann).await.0, StatusCode::NOT_FOUND);
}
