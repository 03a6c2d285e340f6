//! Tags of people in the keys of the cache, by the deployment's secret, which the log of staff has.

use crate::settings::Settings;
use paihao_chassis::Tasks;
use paihao_chassis::sealing::Keyring;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::notice::Notice;
use paihao_contracts::staff::DeploymentSecret;
use paihao_contracts::stored_secret::deployment_secret_place;
use paihao_contracts::streams::STAFF;
use paihao_ledger::projection::Follow;
use paihao_ledger::{Follower, Ledger, Projection, StoredEntry};
use paihao_wechat::{OpenId, PersonTags};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longest wait for the log of staff at the start.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Tags of a person, first that under which this program stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagsOfPerson(Vec<String>);

impl TagsOfPerson {
    /// Returns the tag under which something is stored.
    pub(crate) fn stored(&self) -> &str {
        &self.0[0]
    }

    /// Returns the tags under which something may be found.
    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }
}

/// Handle to the maker of tags.
#[derive(Clone)]
pub(crate) struct PersonTagsReader {
    follower: Follower<Option<PersonTags>>,
    are_keyed: bool,
}

impl PersonTagsReader {
    /// Returns the tags of a notice's recipient, once it is known whether there is a secret; `None`
    /// if that takes longer than a moment, or if there is none by which they could be stored.
    pub(crate) async fn of(&self, notice: &Notice) -> Option<TagsOfPerson> {
        if self.follower.now().is_none() {
            let read = timeout(READ_TIMEOUT, self.follower.until_caught_up()).await;
            read.ok()?;
        }
        let tags = match self.follower.now() {
            Some(tags) => tags,
            None if self.are_keyed => return None,
            None => PersonTags::of_former_versions(),
        };
        Some(TagsOfPerson(tags.all(&notice.account, &OpenId::new(&*notice.person))))
    }
}

/// Projection of the log of staff onto the deployment's secret.
struct SecretProjection {
    keyring: Option<Arc<Keyring>>,
    are_keyed: bool,
    tags: Option<PersonTags>,
}

impl Projection for SecretProjection {
    type View = Option<PersonTags>;

    fn view(&self) -> Option<PersonTags> {
        self.tags.clone()
    }

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        // What else newer programs write into this log does not concern the notifier.
        let Ok(DeploymentSecret(Some(secret))) = envelope::decode(&stored.entry.payload) else {
            return Ok(());
        };
        let opened = match &self.keyring {
            _ if !secret.is_sealed() => Ok(secret.as_stored().to_owned()),
            Some(keyring) => keyring
                .open(&deployment_secret_place(), secret.as_stored())
                .map_err(|error| error.to_string()),
            None => Err("the operator's key is not at hand".to_owned()),
        };
        match opened {
            Ok(secret) => self.tags = Some(PersonTags::new(&secret, self.are_keyed)),
            Err(error) => tracing::error!(error, "cannot open the deployment's secret"),
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.tags = None;
    }
}

/// Starts to follow the log of staff.
pub(crate) fn follow(
    settings: &Settings,
    ledger: Arc<dyn Ledger>,
    stop: CancellationToken,
    tasks: &Tasks,
) -> PersonTagsReader {
    let are_keyed = settings.keyed_tags;
    let projection = SecretProjection { keyring: settings.keyring.clone(), are_keyed, tags: None };
    let (follower, following) = Follow::new(ledger, STAFF, stop).start(projection);
    tasks.spawn("person-tags", following);
    PersonTagsReader { follower, are_keyed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::staff::{StaffEntry, StaffEvent};
    use paihao_contracts::stored_secret::StoredSecret;
    use paihao_ledger::{Entry, Position, Subject};

    fn stored(payload: impl Into<bytes::Bytes>) -> StoredEntry {
        let subject = Subject::new(&["staff"]).unwrap();
        StoredEntry { position: Position(1), subject, entry: Entry::new(payload), at_ms: 0 }
    }

    fn secret(text: &str) -> StoredEntry {
        let event = StaffEvent::SecretMade { secret: StoredSecret::new(text), made_at: None };
        stored(StaffEntry::new(1, "system", event).encode())
    }

    #[test]
    fn the_secret_is_read_in_the_clear_and_sealed_and_all_else_is_passed_over() {
        let keyring = Keyring::parse(&Keyring::generate_key()).unwrap();
        let sealed = keyring.seal(&deployment_secret_place(), "top");
        let keyring = Some(Arc::new(keyring));
        let person = OpenId::new("oAnn");
        let expected = PersonTags::new("top", true).tag("shop", &person);
        for (keyring, text, is_known) in [
            (None, "top", true),
            (keyring.clone(), "top", true),
            (keyring, &*sealed, true),
            (None, &*sealed, false),
        ] {
            let mut projection = SecretProjection { keyring, are_keyed: true, tags: None };
            projection.apply(secret(text)).unwrap();
            projection.apply(stored(&br#"{"v":99,"event":"wonder"}"#[..])).unwrap();
            projection.apply(stored(&br#"{"v":1,"event":"removed","id":"m_1"}"#[..])).unwrap();
            let found = projection.view().map(|tags| tags.tag("shop", &person));
            assert_eq!(found, is_known.then(|| expected.clone()));
        }
    }
}
