//! Temporary media: pictures that an account uploaded, each for three days.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::random;

const LIFETIME_MS: u64 = 3 * 24 * 3600 * 1000;
/// Largest picture.
pub(crate) const MAX_PICTURE_BYTES: usize = 10 * 1024 * 1024;

/// An uploaded picture.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) id: String,
    pub(crate) account: usize,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    created_at: u64,
}

/// The newest pictures of all accounts.
#[derive(Debug)]
pub(crate) struct Media {
    pictures: VecDeque<Arc<Picture>>,
    limit: usize,
}

impl Media {
    pub(crate) fn new(limit: usize) -> Self {
        Self { pictures: VecDeque::new(), limit }
    }

    /// Adds a picture, or returns the error code that refuses it.
    pub(crate) fn add(
        &mut self,
        account: usize,
        bytes: Vec<u8>,
        now: u64,
    ) -> Result<Arc<Picture>, i64> {
        if bytes.is_empty() {
            return Err(44001);
        }
        if bytes.len() > MAX_PICTURE_BYTES {
            return Err(40009);
        }
        let content_type = content_type(&bytes).ok_or(40005)?;
        let id = random::text::<64>();
        let picture = Arc::new(Picture { id, account, content_type, bytes, created_at: now });
        if self.pictures.len() >= self.limit {
            self.pictures.pop_front();
        }
        self.pictures.push_back(picture.clone());
        Ok(picture)
    }

    /// Finds a picture of the account that has not expired, or returns the error code.
    pub(crate) fn find(&self, account: usize, id: &str, now: u64) -> Result<Arc<Picture>, i64> {
        let lives = |picture: &&Arc<Picture>| {
            picture.id == id && picture.account == account && now < picture.created_at + LIFETIME_MS
        };
        self.pictures.iter().find(lives).cloned().ok_or(40007)
    }
}

/// Kind of a picture, by its first bytes.
fn content_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'B', b'M', ..] => Some("image/bmp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_lives_three_days_and_belongs_to_one_account() {
        let mut media = Media::new(1);
        assert_eq!(media.add(0, Vec::new(), 0).unwrap_err(), 44001);
        assert_eq!(media.add(0, b"text".to_vec(), 0).unwrap_err(), 40005);
        let large = [b"BM".to_vec(), vec![0; MAX_PICTURE_BYTES]].concat();
        assert_eq!(media.add(0, large, 0).unwrap_err(), 40009);
        let first = media.add(0, b"\x89PNG".to_vec(), 0).unwrap();
        assert_eq!(media.find(0, &first.id, LIFETIME_MS - 1).unwrap().content_type, "image/png");
        assert_eq!(media.find(0, &first.id, LIFETIME_MS).unwrap_err(), 40007);
        assert_eq!(media.find(1, &first.id, 0).unwrap_err(), 40007);
        media.add(0, b"GIF89a".to_vec(), 0).unwrap();
        assert_eq!(media.find(0, &first.id, 0).unwrap_err(), 40007, "the oldest is dropped");
    }
}
