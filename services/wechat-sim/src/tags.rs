//! Tags of an account, by which it groups its followers.

use std::collections::BTreeMap;

/// Most tags of an account.
const MAX_TAGS: usize = 100;
/// Longest name in bytes.
const MAX_NAME_BYTES: usize = 30;
/// First id of a tag of the account's own; those below belong to WeChat.
const FIRST_ID: u32 = 100;
/// The tag that every account has, 星标组.
const STARRED: u32 = 2;

/// Names by id.
#[derive(Debug)]
pub(crate) struct Tags {
    names: BTreeMap<u32, String>,
    next_id: u32,
}

impl Default for Tags {
    fn default() -> Self {
        Self { names: BTreeMap::from([(STARRED, "星标组".to_owned())]), next_id: FIRST_ID }
    }
}

impl Tags {
    /// Adds a tag and returns its id, or the error code that refuses it.
    pub(crate) fn create(&mut self, name: &str) -> Result<u32, i64> {
        self.check_name(name)?;
        if self.names.len() > MAX_TAGS {
            return Err(45056);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.names.insert(id, name.to_owned());
        Ok(id)
    }

    pub(crate) fn rename(&mut self, id: u32, name: &str) -> Result<(), i64> {
        self.check_own(id)?;
        self.check_name(name)?;
        self.names.insert(id, name.to_owned());
        Ok(())
    }

    pub(crate) fn delete(&mut self, id: u32) -> Result<(), i64> {
        self.check_own(id)?;
        self.names.remove(&id);
        Ok(())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &str)> {
        self.names.iter().map(|(id, name)| (*id, &**name))
    }

    /// Refuses the id of no tag.
    pub(crate) fn check(&self, id: u32) -> Result<(), i64> {
        self.names.contains_key(&id).then_some(()).ok_or(45159)
    }

    fn check_own(&self, id: u32) -> Result<(), i64> {
        if id <= STARRED { Err(45058) } else { self.check(id) }
    }

    fn check_name(&self, name: &str) -> Result<(), i64> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(45158);
        }
        if self.names.values().any(|other| other == name) { Err(45157) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn tags_are_named_once_and_the_first_are_not_the_accounts_own() {
        let mut tags = Tags::default();
        assert_eq!(tags.create("熟客"), Ok(100));
        assert_eq!(tags.create("熟客"), Err(45157));
        assert_eq!(tags.create(""), Err(45158));
        assert_eq!(tags.create(&"长".repeat(10)), Ok(101));
        assert_eq!(tags.create(&"长".repeat(11)), Err(45158));
        assert_eq!(tags.rename(100, "老顾客"), Ok(()));
        assert_eq!(tags.rename(2, "x"), Err(45058));
        assert_eq!(tags.delete(999), Err(45159));
        assert_eq!(tags.delete(101), Ok(()));
        assert_eq!(tags.all().collect::<Vec<_>>(), [(2, "星标组"), (100, "老顾客")]);
        while tags.create(&format!("t{}", tags.next_id)).is_ok() {}
        assert_eq!(tags.create("one too many"), Err(45056));
        assert_eq!(tags.all().count(), 101, "a hundred of its own");
    }
}
