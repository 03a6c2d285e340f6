//! Tests of a replica that lags behind: what it says about a ticket is true in the newest state, or
//! it says that it cannot tell.

use super::link::{get, join, post};
use crate::support::cluster::Cluster;
use crate::support::gateway::Gateway;
use crate::support::lagging::LaggingLedger;
use crate::support::wait_until;
use crate::support::wechat::{LEAVE, MY_TICKET};
use paihao_domain::TicketId;
use reqwest::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// Request of a customer.
#[derive(Debug, Clone, Copy)]
enum Question {
    KeywordTicket,
    KeywordLeave,
    ApiTicket,
    ApiLeave,
    ApiEvents,
    Page,
}

const QUESTIONS: [Question; 6] = [
    Question::KeywordTicket,
    Question::KeywordLeave,
    Question::ApiTicket,
    Question::ApiLeave,
    Question::ApiEvents,
    Question::Page,
];

/// Reply to a customer.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    /// The ticket, or that it was given up.
    Ticket,
    /// That there is no such ticket.
    NoTicket,
    /// That it cannot be told now.
    NotNow,
}

impl Question {
    async fn ask(self, gateway: &Gateway, person: &str, link: &str) -> Reply {
        let by_status = |status| match status {
            StatusCode::OK => Reply::Ticket,
            StatusCode::NOT_FOUND => Reply::NoTicket,
            StatusCode::SERVICE_UNAVAILABLE => Reply::NotNow,
            other => panic!("{self:?}: {other}"),
        };
        let by_text = |text: &str| {
            if text.contains("hold no number") {
                Reply::NoTicket
            } else if text.contains("try again") {
                Reply::NotNow
            } else {
                assert!(text.contains("A001"), "{text}");
                Reply::Ticket
            }
        };
        match self {
            Question::KeywordTicket => by_text(&gateway.push_text(person, MY_TICKET, 1).await),
            Question::KeywordLeave => by_text(&gateway.push_text(person, LEAVE, 2).await),
            Question::ApiTicket => by_status(get(gateway, link).await.0),
            Question::ApiLeave => {
                by_status(post(gateway, &format!("{link}/leave"), json!({}), "k").await.0)
            }
            Question::ApiEvents => {
                let events = gateway.get_public(&format!("{link}/events"));
                by_status(events.send().await.unwrap().status())
            }
            Question::Page => {
                by_status(gateway.get_page(&link.replace("/tickets/", "/t/")).await.status())
            }
        }
    }
}

/// Two gateways, of which the second reads through a gate.
async fn start_two(cluster: &Cluster) -> (Gateway, Gateway, Arc<LaggingLedger>) {
    let ahead = cluster.start(cluster.account_setup()).await;
    let ledger = LaggingLedger::new(cluster.ledger.clone());
    let behind = cluster.start_over(ledger.clone(), cluster.account_setup()).await;
    behind.engine.until_caught_up().await;
    let settings = &behind.service.live_settings;
    wait_until("the settings are read", async || settings.caught_up()).await;
    (ahead, behind, ledger)
}

#[tokio::test]
async fn a_ticket_that_another_replica_gave_a_moment_ago_is_found_at_this_one() {
    for question in QUESTIONS {
        let cluster = Cluster::new();
        let (ahead, behind, ledger) = start_two(&cluster).await;
        ledger.shut();
        let link = join(&ahead, "ann").await;
        assert!(behind.engine.snapshot("hall").unwrap().site.ticket(TicketId(1)).is_none());
        let open = async {
            tokio::task::yield_now().await;
            ledger.open();
        };
        let (reply, ()) = futures::join!(question.ask(&behind, "ann", &link), open);
        assert_eq!(reply, Reply::Ticket, "{question:?}");
        cluster.tasks.abort();
    }
}

#[tokio::test]
async fn a_replica_that_stays_behind_does_not_deny_a_ticket() {
    for question in QUESTIONS {
        let cluster = Cluster::new();
        let (ahead, behind, ledger) = start_two(&cluster).await;
        ledger.shut();
        let link = join(&ahead, "ann").await;
        let reply = question.ask(&behind, "ann", &link).await;
        assert_eq!(reply, Reply::NotNow, "{question:?}");
        cluster.tasks.abort();
    }
}

#[tokio::test]
async fn somebody_without_a_ticket_is_told_so_by_a_replica_that_is_current() {
    let cluster = Cluster::new();
    let (ahead, behind, _) = start_two(&cluster).await;
    let link = join(&ahead, "ann").await;
    let wrong = link.replace("-1-", "-2-");
    for question in QUESTIONS {
        assert_eq!(question.ask(&behind, "ben", &wrong).await, Reply::NoTicket, "{question:?}");
    }
    cluster.tasks.abort();
}

#[tokio::test]
async fn a_ticket_that_ended_elsewhere_is_shown_as_ended() {
    let cluster = Cluster::new();
    let (ahead, behind, ledger) = start_two(&cluster).await;
    let link = join(&ahead, "ann").await;
    let mut known = behind.engine.watch("hall").unwrap();
    known.wait_for(|snapshot| snapshot.site.ticket(TicketId(1)).is_some()).await.unwrap();
    ledger.shut();
    let (status, _) = post(&ahead, &format!("{link}/leave"), json!({}), "k").await;
    assert_eq!(status, StatusCode::OK);
    let open = async {
        tokio::task::yield_now().await;
        ledger.open();
    };
    let (shown, ()) = futures::join!(get(&behind, &link), open);
    assert_eq!((shown.0, &shown.1["state"]), (StatusCode::OK, &json!("closed")));
    cluster.tasks.abort();
}
