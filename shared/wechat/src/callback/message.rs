//! A parsed callback, and its identity across WeChat's repeats.

use super::event::{Event, GeoLocation};
use crate::secret::OpenId;
use sha2::{Digest, Sha256};
use std::fmt;

/// A push of WeChat's.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Original id of the account (`gh_…`); the sender of a reply.
    pub to_user: String,
    /// The person who caused the push; the recipient of a reply.
    pub from_user: OpenId,
    /// Time by WeChat's clock, in Unix seconds.
    pub create_time: i64,
    /// Kind of push, with its content.
    pub kind: MessageKind,
    pub(super) identity: [u8; 16],
}

/// Kinds of push. `id` is WeChat's id of every push but an event.
#[derive(Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields have the names of WeChat's elements")]
pub enum MessageKind {
    /// An event.
    Event(Event),
    /// A text, or a chosen entry of a menu inside a message.
    Text { content: String, chosen: Option<String>, id: Option<u64> },
    /// A picture.
    Image { picture_url: String, media: String, id: Option<u64> },
    /// A voice message; `heard` is WeChat's transcription.
    Voice { media: String, format: String, recognition: String, id: Option<u64> },
    /// A video, or a short one.
    Video { media: String, thumbnail: String, short: bool, id: Option<u64> },
    /// A location that the person sent (in contrast to [`Event::Location`]).
    Location { location: GeoLocation, id: Option<u64> },
    /// A link.
    Link { title: String, description: String, url: String, id: Option<u64> },
    /// A file.
    File { title: String, key: String, length: Option<u64>, id: Option<u64> },
    /// Any other push, by WeChat's name.
    Other(String),
}

impl Message {
    /// Identity of the push: equal on every repeat of it, and different for every other push.
    /// (WeChat's own rule, sender and time, confuses two events of one person in one second.)
    pub fn identity(&self) -> [u8; 16] {
        self.identity
    }
}

impl MessageKind {
    /// Name of the kind, as a metric label.
    pub fn name(&self) -> &'static str {
        match self {
            MessageKind::Event(event) => event.name(),
            MessageKind::Text { .. } => "text",
            MessageKind::Image { .. } => "image",
            MessageKind::Voice { .. } => "voice",
            MessageKind::Video { .. } => "video",
            MessageKind::Location { .. } => "location_message",
            MessageKind::Link { .. } => "link",
            MessageKind::File { .. } => "file",
            MessageKind::Other(_) => "other_message",
        }
    }
}

/// Hashes the fields. The presence of a field is part of the identity, and no two lists of fields
/// have the same encoding.
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

impl fmt::Debug for MessageKind {
    /// Prints the kind without texts and scenes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageKind::Event(event) => write!(f, "Event({event:?})"),
            MessageKind::Text { content, .. } => write!(f, "Text({} bytes)", content.len()),
            known => f.write_str(known.name()),
        }
    }
}
