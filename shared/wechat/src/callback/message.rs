//! A callback once it has been read, and what identifies it across WeChat's repeats.

use super::event::{Event, GeoLocation};
use crate::secret::OpenId;
use sha2::{Digest, Sha256};
use std::fmt;

/// What WeChat pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The account's original id (`gh_…`); the sender of a reply.
    pub to_user: String,
    /// Whose doing it was; the receiver of a reply.
    pub from_user: OpenId,
    /// When, in Unix seconds by WeChat's clock.
    pub create_time: i64,
    /// What it was.
    pub kind: MessageKind,
    pub(super) identity: [u8; 16],
}

/// What kind of push it is. Of everything but an event WeChat's number is in `id`.
#[derive(Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields have the names of WeChat's elements")]
pub enum MessageKind {
    /// Something happened.
    Event(Event),
    /// The person wrote something, or chose an entry of a menu inside a message.
    Text { content: String, chosen: Option<String>, id: Option<u64> },
    /// The person sent a picture.
    Image { picture_url: String, media: String, id: Option<u64> },
    /// The person said something; `send_probe` is what WeChat made of it.
    Voice { media: String, format: String, heard: String, id: Option<u64> },
    /// The person sent a film, or a short one.
    Video { media: String, thumbnail: String, short: bool, id: Option<u64> },
    /// The person sent a place (not to be confused with [`Event::Location`]).
    Location { place: GeoLocation, id: Option<u64> },
    /// The person sent a link.
    Link { title: String, description: String, url: String, id: Option<u64> },
    /// The person sent a file.
    File { title: String, key: String, length: Option<u64>, id: Option<u64> },
    /// Anything else, by WeChat's name of it.
    Other(String),
}

impl Message {
    /// What identifies the push: the same on every repeat of it, different for every other one.
    /// (WeChat's own rule, sender and time, confuses two events of one person in one second.)
    pub fn identity(&self) -> [u8; 16] {
        self.identity
    }
}

impl MessageKind {
    /// Which kind it is, fit for a metric.
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

impl fmt::Debug for MessageKind {
    /// Says what it is, not what a person wrote or scanned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageKind::Event(event) => write!(f, "Event({event:?})"),
            MessageKind::Text { content, .. } => write!(f, "Text({} bytes)", content.len()),
            known => f.write_str(known.name()),
        }
    }
}
