//! Customers: the accounts they follow, the messages they refuse, and their chats.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use sha1::{Digest as _, Sha1};

use crate::config::SimAccount;
use crate::send_limits::SendLimits;

/// Refusal of an account's messages by a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Messages are accepted.
    #[default]
    No,
    /// The API call is refused with 43101.
    AtOnce,
    /// The API call is accepted, and the receipt says `failed:user block`.
    InReceipt,
}

/// Page of a mini program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiniProgramPage {
    /// AppID of the mini program.
    pub appid: String,
    /// Path of the page, with its query.
    #[serde(default)]
    pub pagepath: String,
}

/// Accepted template message, stored once for each `client_msg_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedMessage {
    /// Id of the message, above 2^53, so that JSON carries it as a string.
    #[serde(serialize_with = "serialize_as_string")]
    pub msgid: u64,
    /// AppID of the sender.
    pub appid: String,
    /// Openid of the customer.
    pub openid: String,
    /// Id of the template.
    pub template_id: String,
    /// Key of the sender for de-duplication.
    pub client_msg_id: Option<String>,
    /// Address that a tap on the card opens.
    pub url: Option<String>,
    /// Page of a mini program that a tap opens instead, where the phone can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<MiniProgramPage>,
    /// Values of the fields by key.
    pub data: BTreeMap<String, String>,
    /// Time of acceptance in Unix milliseconds.
    pub arrived_at: u64,
}

fn serialize_as_string<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// Content of one line of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChatContent {
    /// A grey system line of WeChat.
    Note {
        /// The text.
        text: String,
    },
    /// A text of the customer.
    Sent {
        /// The text.
        text: String,
    },
    /// A passive reply of the account.
    Reply {
        /// The text.
        text: String,
    },
    /// A customer-service text of the account.
    Service {
        /// The text.
        text: String,
    },
    /// A subscription notice.
    Notice {
        /// Title of the card.
        title: String,
        /// Key and value of each field.
        fields: Vec<(String, String)>,
    },
    /// A template message.
    Card {
        /// Title of the card.
        title: String,
        /// Label and value of each field, in the order of the template.
        fields: Vec<(String, String)>,
        /// The accepted message.
        message: Arc<AcceptedMessage>,
    },
    /// The account answered wrongly or not at all.
    Failure {
        /// Sentence that the customer reads.
        text: String,
        /// Description of the fault, for developers.
        reason: String,
    },
}

/// One line of a customer's chat with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatLine {
    /// Id, which grows over all chats.
    pub id: u64,
    /// Time in Unix milliseconds.
    pub at: u64,
    /// Content of the line.
    #[serde(flatten)]
    pub content: ChatContent,
}

/// State of a customer with one account.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) follows: bool,
    pub(crate) refuses: Refusal,
    /// Time of the follow in Unix milliseconds, and the scene of the code that led to it.
    pub(crate) since: Option<(u64, Option<String>)>,
    /// Note of the account about the customer.
    pub(crate) remark: String,
    /// Ids of the account's tags that the customer has.
    pub(crate) tags: Vec<u32>,
    pub(crate) send_limits: SendLimits,
    pub(crate) lines: VecDeque<Arc<ChatLine>>,
}

/// Customers of all accounts, with the most recent lines of their chats.
#[derive(Debug)]
pub(crate) struct People {
    of_account: Vec<HashMap<Arc<str>, Person>>,
    arrivals: VecDeque<(usize, Arc<str>)>,
    lines: VecDeque<(usize, Arc<str>, u64)>,
    next_line: u64,
    max_people: usize,
    max_lines: usize,
}

impl People {
    pub(crate) fn new(accounts: usize, max_people: usize, max_lines: usize) -> Self {
        Self {
            of_account: (0..accounts).map(|_| HashMap::new()).collect(),
            arrivals: VecDeque::new(),
            lines: VecDeque::new(),
            next_line: 1,
            max_people,
            max_lines,
        }
    }

    pub(crate) fn get(&self, account: usize, openid: &str) -> Option<&Person> {
        self.of_account[account].get(openid)
    }

    /// Returns the customer, adding them if they are new.
    pub(crate) fn get_or_insert(&mut self, account: usize, openid: &str) -> &mut Person {
        if !self.of_account[account].contains_key(openid) {
            let openid: Arc<str> = openid.into();
            if self.arrivals.len() >= self.max_people
                && let Some((account, oldest)) = self.arrivals.pop_front()
            {
                self.of_account[account].remove(&oldest);
            }
            self.arrivals.push_back((account, openid.clone()));
            self.of_account[account].insert(openid, Person::default());
        }
        self.of_account[account].get_mut(openid).expect("met above")
    }

    /// Adds a line to a chat, and drops the oldest line of all chats if there are too many.
    pub(crate) fn append_line(
        &mut self,
        account: usize,
        openid: &str,
        at: u64,
        content: ChatContent,
    ) -> Arc<ChatLine> {
        let line = Arc::new(ChatLine { id: self.next_line, at, content });
        self.next_line += 1;
        self.get_or_insert(account, openid).lines.push_back(line.clone());
        if self.lines.len() >= self.max_lines
            && let Some((account, openid, id)) = self.lines.pop_front()
            && let Some(person) = self.of_account[account].get_mut(&openid)
            && person.lines.front().is_some_and(|line| line.id == id)
        {
            person.lines.pop_front();
        }
        self.lines.push_back((account, openid.into(), line.id));
        line
    }

    /// Returns the lines after `after`, of one customer or of all, oldest first.
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

    /// Openids of an account's followers, in the order in which they came.
    pub(crate) fn followers(&self, account: usize) -> Vec<Arc<str>> {
        self.selected(account, |person| person.follows)
    }

    /// Openids of the customers with a tag.
    pub(crate) fn tagged(&self, account: usize, tag: u32) -> Vec<Arc<str>> {
        self.selected(account, |person| person.tags.contains(&tag))
    }

    fn selected(&self, account: usize, is_wanted: impl Fn(&Person) -> bool) -> Vec<Arc<str>> {
        let of_account = self.arrivals.iter().filter(|(index, _)| *index == account);
        let wanted = of_account
            .filter(|(_, openid)| self.of_account[account].get(openid).is_some_and(&is_wanted));
        wanted.map(|(_, openid)| openid.clone()).collect()
    }

    /// Takes a tag from everybody.
    pub(crate) fn untag_all(&mut self, account: usize, tag: u32) {
        for person in self.of_account[account].values_mut() {
            person.tags.retain(|other| *other != tag);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &str, &Person)> {
        self.of_account.iter().enumerate().flat_map(|(account, people)| {
            people.iter().map(move |(openid, person)| (account, openid.as_ref(), person))
        })
    }
}

/// Id of a customer at all accounts of the open platform that the account belongs to; `None` if it
/// belongs to none.
pub(crate) fn unionid(account: &SimAccount, openid: &str) -> Option<String> {
    let platform = account.open_platform.as_ref()?;
    let digest = Sha1::new().chain_update(platform).chain_update(openid).finalize();
    Some(format!("oU{}", &hex::encode(digest)[..26]))
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
