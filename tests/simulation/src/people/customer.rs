//! Customer with a phone: scans, asks, lets others pass, comes back, leaves, unfollows.

use super::Society;
use crate::deployment::{LEAVE_WORD, SHOW_WORD};
use crate::edge::Request;
use crate::random::Random;
use crate::wechat::pushes::PersonAction;
use axum::http::Method;
use tokio::time::sleep;

/// Customer.
pub struct Customer {
    person: String,
    random: Random,
    /// Path of the ticket in the API.
    ticket: Option<String>,
    requests: u32,
}

impl Customer {
    /// Creates a customer of this number.
    pub fn new(seed: u64, number: u64) -> Customer {
        let person = format!("oPerson{number}");
        let random = Random::new(seed, &person);
        Customer { person, random, ticket: None, requests: 0 }
    }

    /// Comes at some time, and does several things.
    pub async fn live(mut self, society: Society, sites: Vec<&'static str>) {
        let left = society.until.saturating_duration_since(tokio::time::Instant::now());
        sleep(self.random.millis(0..=left.as_millis() as u64)).await;
        let site = *self.random.pick(&sites);
        self.scan(&society, site).await;
        for _ in 0..self.random.between(0..=4) {
            sleep(self.random.seconds(3..=90)).await;
            if !society.is_open() {
                return;
            }
            match self.random.between(0..=99) {
                0..=24 => self.write(&society, SHOW_WORD).await,
                25..=32 => self.write(&society, LEAVE_WORD).await,
                33..=44 => self.press(&society, "let-pass", r#"{"minutes":1}"#).await,
                45..=62 => self.press(&society, "return", "{}").await,
                63..=67 => self.press(&society, "leave", "{}").await,
                68..=73 => self.act(&society, &PersonAction::Unfollow).await,
                _ => self.scan(&society, site).await,
            }
        }
    }

    async fn scan(&mut self, society: &Society, site: &str) {
        let queue = if self.random.percent(75) { "a" } else { "b" };
        let scan = PersonAction::Scan { site: site.to_owned(), queue: queue.to_owned() };
        self.act(society, &scan).await;
    }

    async fn write(&mut self, society: &Society, word: &str) {
        self.act(society, &PersonAction::Text(word.to_owned())).await;
    }

    async fn act(&mut self, society: &Society, action: &PersonAction) {
        let Some(text) = society.pushes.push(&self.person, action).await else { return };
        if let Some(path) = ticket_path(&text) {
            self.ticket = Some(path);
        }
        if let (PersonAction::Scan { site, .. }, Some(number)) = (action, number_in(&text)) {
            society.answers.check_number(&society.world, site, &self.person, number);
        }
    }

    async fn press(&mut self, society: &Society, action: &str, body: &str) {
        let Some(ticket) = &self.ticket else { return };
        self.requests += 1;
        let request = Request {
            key: Some(format!("{}-{}", self.person, self.requests)),
            body: body.to_owned(),
            ..Request::new(Method::POST, &format!("/api/v1/tickets/{ticket}/{action}"))
        };
        society.insist(&request, &mut self.random).await;
    }
}

/// Number that a reply gives to a customer.
pub(crate) fn number_in(reply: &str) -> Option<&str> {
    let (_, rest) = reply.split_once("取号成功 ").or_else(|| reply.split_once("您已取号 "))?;
    rest.split_whitespace().next()
}

/// Path of the ticket in the API, from the link in a reply.
fn ticket_path(reply: &str) -> Option<String> {
    let (_, link) = reply.split_once("https://queue.example/t/")?;
    Some(link.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_link_are_read_from_a_reply() {
        let link = "<a href=\"https://queue.example/t/hall/1-2-ab\">x</a>";
        let reply = format!("取号成功 A001\n存取款 · hall\n\n{link}");
        assert_eq!(number_in(&reply), Some("A001"));
        assert_eq!(ticket_path(&reply).as_deref(), Some("hall/1-2-ab"));
        assert_eq!((number_in("现在不取号"), ticket_path("x")), (None, None));
    }
}
