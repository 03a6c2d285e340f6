//! The customers: whom they follow, what they refuse, and what their chats show.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::allowance::SendAllowance;

/// How a customer refuses an account's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not at all.
    #[default]
    No,
    /// The API call is refused with 43101.
    AtOnce,
    /// The API call is accepted and the receipt says `failed:user block`.
    InReceipt,
}

/// A template message that was accepted, once for each `client_msg_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedMessage {
    /// Above 2^53: JSON carries it as a string.
    #[serde(serialize_with = "serialize_as_string")]
    pub msgid: u64,
    /// The sending account.
    pub appid: String,
    /// The customer.
    pub openid: String,
    /// Which template.
    pub template_id: String,
    /// What the sender de-duplicates by.
    pub client_msg_id: Option<String>,
    /// Where a tap leads.
    pub url: Option<String>,
    /// Values by key.
    pub data: BTreeMap<String, String>,
    /// Unix milliseconds.
    pub arrived_at: u64,
}

fn serialize_as_string<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// What one line of a chat shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChatContent {
    /// A grey line of WeChat's own.
    Note {
        /// What it says.
        text: String,
    },
    /// Text the customer sent.
    Sent {
        /// What it says.
        text: String,
    },
    /// A passive reply of the account.
    Reply {
        /// What it says.
        text: String,
    },
    /// A customer-service text of the account.
    Service {
        /// What it says.
        text: String,
    },
    /// A subscription notice.
    Notice {
        /// The head of the card.
        title: String,
        /// Key and value.
        fields: Vec<(String, String)>,
    },
    /// A template message.
    Card {
        /// The head of the card.
        title: String,
        /// Label and value, in the order of the template.
        fields: Vec<(String, String)>,
        /// What was accepted.
        message: Arc<AcceptedMessage>,
    },
    /// The account answered wrongly or not at all.
    Failure {
        /// The sentence the customer reads.
        text: String,
        /// What was wrong, for whoever looks for it.
        reason: String,
    },
}

/// One line of a customer's chat with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatLine {
    /// Grows over all chats.
    pub id: u64,
    /// Unix milliseconds.
    pub at: u64,
    /// What it shows.
    #[serde(flatten)]
    pub shown: ChatContent,
}

/// A customer as one account knows them.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) follows: bool,
    pub(crate) refuses: Refusal,
    /// Since when they follow, and the scene of the code they came by.
    pub(crate) since: Option<(u64, Option<String>)>,
    pub(crate) allowance: SendAllowance,
    pub(crate) lines: VecDeque<Arc<ChatLine>>,
}

/// Every customer of every account, and the most recent lines of their chats.
#[derive(Debug)]
pub(crate) struct People {
    of_account: Vec<HashMap<Arc<str>, Person>>,
    arrivals: VecDeque<(usize, Arc<str>)>,
    lines: VecDeque<(usize, Arc<str>, u64)>,
    next_line: u64,
    most_people: usize,
    most_lines: usize,
}

impl People {
    pub(crate) fn new(accounts: usize, most_people: usize, most_lines: usize) -> Self {
        Self {
            of_account: (0..accounts).map(|_| HashMap::new()).collect(),
            arrivals: VecDeque::new(),
            lines: VecDeque::new(),
            next_line: 1,
            most_people,
            most_lines,
        }
    }

    pub(crate) fn get(&self, account: usize, openid: &str) -> Option<&Person> {
        self.of_account[account].get(openid)
    }

    /// The customer, met now if never before.
    pub(crate) fn get_or_insert(&mut self, account: usize, openid: &str) -> &mut Person {
        if !self.of_account[account].contains_key(openid) {
            let openid: Arc<str> = openid.into();
            if self.arrivals.len() >= self.most_people
                && let Some((account, oldest)) = self.arrivals.pop_front()
            {
                self.of_account[account].remove(&oldest);
            }
            self.arrivals.push_back((account, openid.clone()));
            self.of_account[account].insert(openid, Person::default());
        }
        self.of_account[account].get_mut(openid).expect("met above")
    }

    /// Adds a line to a chat; the oldest line of all is forgotten when there are too many.
    pub(crate) fn append_line(
        &mut self,
        account: usize,
        openid: &str,
        at: u64,
        shown: ChatContent,
    ) -> Arc<ChatLine> {
        let line = Arc::new(ChatLine { id: self.next_line, at, shown });
        self.next_line += 1;
        self.get_or_insert(account, openid).lines.push_back(line.clone());
        if self.lines.len() >= self.most_lines
            && let Some((account, openid, id)) = self.lines.pop_front()
            && let Some(person) = self.of_account[account].get_mut(&openid)
            && person.lines.front().is_some_and(|line| line.id == id)
        {
            person.lines.pop_front();
        }
        self.lines.push_back((account, openid.into(), line.id));
        line
    }

    /// The lines after `after`, of one customer or of all, oldest first.
    pub(crate) fn lines(&self, openid: Option<&str>, after: u64) -> Vec<Arc<ChatLine>> {
        let people = self.of_account.iter().flat_map(|people| match openid {
            Some(openid) => people.get(openid).into_iter().collect::<Vec<_>>(),
            None => people.values().collect(),
        });
        let mut lines: Vec<_> = people
            .flat_map(|person| person.lines.iter().filter(|line| line.id > after).cloned())
            .collect();
        lines.sort_by_key(|line| line.id);
        lines
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &str, &Person)> {
        self.of_account.iter().enumerate().flat_map(|(account, people)| {
            people.iter().map(move |(openid, person)| (account, openid.as_ref(), person))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> ChatContent {
        ChatContent::Note { text: text.into() }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut people = People::new(1, 2, 3);
        for (openid, text) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")] {
            people.append_line(0, openid, 0, note(text));
        }
        let ids = |people: &People, openid| -> Vec<u64> {
            people.lines(openid, 0).iter().map(|line| line.id).collect()
        };
        assert_eq!(ids(&people, None), [2, 3, 4]);
        assert_eq!(ids(&people, Some("a")), [2, 4]);
        people.append_line(0, "c", 0, note("5"));
        assert!(people.get(0, "a").is_none(), "the first to come is the first to be forgotten");
        people.append_line(0, "a", 0, note("6"));
        assert_eq!(ids(&people, Some("a")), [6], "and comes back with an empty chat");
        people.append_line(0, "a", 0, note("7"));
        assert_eq!(ids(&people, Some("a")), [6, 7], "stale lines do not push out new ones");
    }
}
