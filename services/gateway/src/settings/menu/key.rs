//! Keys of the menu's entries, which WeChat names when one is pressed.
//!
//! A key says the whole action, since a phone may show a menu for a while that has been replaced.

use paihao_contracts::menu::{MenuAction, TakeTarget};
use sha2::{Digest, Sha256};
use std::fmt;

/// Beginning of every key of ours.
const PREFIX: &str = "paihao.";
/// Bytes of the digest that stands for a text.
const TEXT_DIGEST_BYTES: usize = 8;

/// Key of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MenuKey {
    /// Takes a number.
    Take(TakeTarget),
    /// Shows the person's tickets.
    MyTicket,
    /// Lets others pass.
    LetPass,
    /// Gives the tickets up.
    Leave,
    /// Says the opening hours.
    Hours,
    /// Answers with the text of this digest.
    Text(String),
    /// Key of ours that this program does not know.
    Unknown,
}

impl MenuKey {
    /// Returns the key of an action; `None` if WeChat carries it out by itself.
    pub fn of(action: &MenuAction) -> Option<MenuKey> {
        Some(match action {
            MenuAction::MyTicket => MenuKey::MyTicket,
            MenuAction::LetPass => MenuKey::LetPass,
            MenuAction::Leave => MenuKey::Leave,
            MenuAction::Hours => MenuKey::Hours,
            MenuAction::Take(target) => MenuKey::Take(target.clone()),
            MenuAction::Text(text) => MenuKey::Text(text_digest(text)),
            MenuAction::Page(_) | MenuAction::MiniProgram(_) => return None,
        })
    }

    /// Parses a key; `None` if another system made it.
    pub fn parse(key: &str) -> Option<MenuKey> {
        let parts: Vec<&str> = key.strip_prefix(PREFIX)?.split('.').collect();
        let id = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        Some(match &parts[..] {
            ["my_ticket"] => MenuKey::MyTicket,
            ["let_pass"] => MenuKey::LetPass,
            ["leave"] => MenuKey::Leave,
            ["hours"] => MenuKey::Hours,
            ["text", digest] => MenuKey::Text((*digest).to_owned()),
            ["take"] => MenuKey::Take(TakeTarget::default()),
            ["take", site] => MenuKey::Take(TakeTarget { site: id(site), queue: None }),
            ["take", site, queue] => MenuKey::Take(TakeTarget { site: id(site), queue: id(queue) }),
            _ => MenuKey::Unknown,
        })
    }

    /// Returns the key that takes a number of this queue.
    pub fn for_queue(site: &str, queue: &str) -> MenuKey {
        MenuKey::Take(TakeTarget { site: Some(site.to_owned()), queue: Some(queue.to_owned()) })
    }
}

impl fmt::Display for MenuKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        match self {
            MenuKey::MyTicket => f.write_str("my_ticket"),
            MenuKey::LetPass => f.write_str("let_pass"),
            MenuKey::Leave => f.write_str("leave"),
            MenuKey::Hours => f.write_str("hours"),
            MenuKey::Text(digest) => write!(f, "text.{digest}"),
            MenuKey::Unknown => f.write_str("unknown"),
            MenuKey::Take(TakeTarget { site, queue }) => {
                f.write_str("take")?;
                for id in [site, queue].into_iter().flatten() {
                    write!(f, ".{id}")?;
                }
                Ok(())
            }
        }
    }
}

/// Returns the digest by which a key names a text, which is longer than a key may be.
pub(super) fn text_digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..TEXT_DIGEST_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::menu::MAX_KEY_BYTES;

    #[test]
    fn a_key_is_read_as_it_was_written_and_fits() {
        let longest = "a".repeat(24);
        let in_site = TakeTarget { site: Some("hall".into()), queue: None };
        for key in [
            MenuKey::MyTicket,
            MenuKey::LetPass,
            MenuKey::Leave,
            MenuKey::Hours,
            MenuKey::Take(TakeTarget::default()),
            MenuKey::Take(in_site),
            MenuKey::for_queue(&longest, &longest),
            MenuKey::Text(text_digest("您好")),
        ] {
            let written = key.to_string();
            assert!(written.len() <= MAX_KEY_BYTES, "{written}");
            assert_eq!(MenuKey::parse(&written), Some(key), "{written}");
        }
    }

    #[test]
    fn what_others_made_is_not_ours_and_what_a_newer_program_made_is_unknown() {
        for key in ["V1001_TODAY_MUSIC", "MY_TICKET", "paihao", "PAIHAO.take", ""] {
            assert_eq!(MenuKey::parse(key), None, "{key}");
        }
        for key in ["paihao.", "paihao.book", "paihao.take.a.b.c", "paihao.text", "paihao.leave.x"]
        {
            assert_eq!(MenuKey::parse(key), Some(MenuKey::Unknown), "{key}");
        }
    }
}
