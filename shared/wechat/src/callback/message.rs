//! A callback once it has been read, and what identifies it across WeChat's repeats.

use crate::secret::OpenId;
use sha2::{Digest, Sha256};
use std::fmt;

/// What WeChat pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The account's original id (`gh_…`); the sender of a reply.
    pub to_user: String,
    /// Whose doing it was; the receiver of a reply.
    pub from_user: OpenId,
    /// When, in Unix seconds by WeChat's clock.
    pub create_time: i64,
    /// What it was.
    pub kind: Kind,
    pub(super) identity: [u8; 16],
}

/// What kind of push it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// Something happened.
    Event {
        /// What happened.
        name: EventName,
        /// The ticket of the code that was scanned, if one was.
        ticket: Option<String>,
    },
    /// The person wrote something.
    Text {
        /// What they wrote.
        content: String,
        /// WeChat's number of the message.
        msg_id: Option<u64>,
    },
    /// A picture, a voice, a place, anything else.
    Other,
}

/// Which event it is, matched without regard to case.
#[derive(Clone, PartialEq, Eq)]
pub enum EventName {
    /// The person now follows the account, perhaps by scanning a code with this scene.
    Subscribe {
        /// The scene of the code; `None` if they followed in another way.
        scene: Option<String>,
    },
    /// A follower scanned a code with this scene.
    Scan {
        /// The scene of the code.
        scene: Option<String>,
    },
    /// The person follows no longer.
    Unsubscribe,
    /// Any other event, by WeChat's name of it.
    Other(String),
}

impl Message {
    /// What identifies the push: the same on every repeat of it, different for every other one.
    /// (WeChat's own rule, sender and time, confuses two events of one person in one second.)
    pub fn identity(&self) -> [u8; 16] {
        self.identity
    }
}

/// Whether a field was there is part of the identity, and no two lists of fields look the same.
pub(super) fn identity(fields: [Option<&str>; 9]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for field in fields {
        match field {
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
            None => hash.update([0]),
        }
    }
    let mut identity = [0; 16];
    identity.copy_from_slice(&hash.finalize()[..16]);
    identity
}

impl fmt::Debug for Kind {
    /// Says what it is, not what a person wrote or scanned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Event { name, .. } => write!(f, "Event({name:?})"),
            Kind::Text { content, .. } => write!(f, "Text({} bytes)", content.len()),
            Kind::Other => f.write_str("Other"),
        }
    }
}

impl fmt::Debug for EventName {
    /// A scene may lead to a session, so it is not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventName::Subscribe { scene } => write!(f, "Subscribe(scene: {})", scene.is_some()),
            EventName::Scan { scene } => write!(f, "Scan(scene: {})", scene.is_some()),
            EventName::Unsubscribe => f.write_str("Unsubscribe"),
            EventName::Other(name) => write!(f, "Other({name:?})"),
        }
    }
}
