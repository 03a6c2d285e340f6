//! Member of staff at a counter: calls, recalls, starts, finishes, and presses twice.

use super::Society;
use crate::deployment::MANAGER_KEY;
use crate::edge::{Reply, Request};
use crate::random::Random;
use axum::http::Method;
use serde_json::Value;
use tokio::time::sleep;

/// Member of staff, who alone works at the counter.
pub struct Staff {
    site: &'static str,
    counter: &'static str,
    random: Random,
    presses: u32,
}

impl Staff {
    /// Creates a member of staff at a counter.
    pub fn new(seed: u64, site: &'static str, counter: &'static str) -> Staff {
        let random = Random::new(seed, &format!("staff {site} {counter}"));
        Staff { site, counter, random, presses: 0 }
    }

    /// Works until people stop.
    pub async fn work(mut self, society: Society) {
        sleep(self.random.seconds(5..=60)).await;
        self.press(&society, "open", "{}").await;
        while society.is_open() {
            let called = self.press(&society, "call-next", "{}").await;
            match called.as_ref().map(|reply| (reply.status, number(reply))) {
                Some((200, Some(_))) => self.serve(&society).await,
                // Closed by the turn of the day, or on a break.
                Some((409, _)) if self.random.percent(50) => {
                    self.press(&society, "open", "{}").await;
                }
                _ => {}
            }
            sleep(self.random.seconds(3..=25)).await;
        }
    }

    /// Serves the person who was called, or waits for them in vain.
    async fn serve(&mut self, society: &Society) {
        sleep(self.random.seconds(2..=30)).await;
        match self.random.between(0..=99) {
            0..=14 => {
                self.press(society, "recall", "{}").await;
                sleep(self.random.seconds(5..=40)).await;
                self.press(society, "missed", "{}").await;
            }
            15..=34 => {
                self.press(society, "missed", "{}").await;
            }
            35..=41 => {
                self.press(society, "put-back", "{}").await;
            }
            // Nobody does anything: the system may mark it as missed.
            42..=49 => sleep(self.random.seconds(30..=90)).await,
            50..=74 => {
                self.press(society, "start", "{}").await;
                sleep(self.random.seconds(5..=40)).await;
                self.press(society, "finish", "{}").await;
            }
            75..=84 => {
                self.press(society, "finish", "{}").await;
            }
            // The next call finishes it.
            _ => {}
        }
    }

    /// Presses a button until there is an answer, and sometimes once more.
    async fn press(&mut self, society: &Society, action: &str, body: &str) -> Option<Reply> {
        self.presses += 1;
        let path = format!("/api/v1/sites/{}/counters/{}/{action}", self.site, self.counter);
        let request = Request {
            bearer: Some(MANAGER_KEY),
            key: Some(format!("{}-{}-{}", self.site, self.counter, self.presses)),
            body: body.to_owned(),
            ..Request::new(Method::POST, &path)
        };
        let answers = &society.answers;
        let calls_before = answers.calls_at(self.site, self.counter);
        let first = society.insist(&request, &mut self.random).await;
        if first.is_none() {
            // The request may still be on its way.
            sleep(self.random.seconds(10..=20)).await;
        }
        if self.random.percent(25) {
            sleep(self.random.seconds(0..=15)).await;
            if let (Some(first), Some(again)) =
                (&first, society.insist(&request, &mut self.random).await)
            {
                answers.check_repeat(&society.world, &request, first, &again);
            }
        }
        let calls = answers.calls_at(self.site, self.counter) - calls_before;
        answers.check_calls(&society.world, &request, calls);
        first
    }
}

/// Number in an answer to staff.
fn number(reply: &Reply) -> Option<String> {
    let answer: Value = serde_json::from_str(&reply.body).ok()?;
    Some(answer["number"].as_str()?.to_owned())
}
