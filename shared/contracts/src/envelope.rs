//! Envelope of stored and sent forms: the version, which is read before anything else.
//!
//! A value of a newer program is thus never taken for a broken one. It is left to a program that
//! can read it, while a malformed value is given up.

use serde::Deserializer as _;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// Form of a value in a log, a queue or the cache. New members that a reader may ignore keep its
/// version; anything else raises it, a new kind or event too.
pub trait Form: DeserializeOwned {
    /// Name of the form in logs and errors.
    const NAME: &'static str;
    /// Newest version that this program reads.
    const VERSION: u32 = 1;
    /// Version of a value without the member `v`. `None` if every value has one.
    const VERSION_IF_ABSENT: Option<u32> = None;
}

/// Reason why a value is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// A newer program wrote the value.
    Newer(NewerForm),
    /// No program can read the value.
    Malformed(MalformedForm),
}

/// Value whose version is newer than this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewerForm {
    /// Name of the form.
    pub form: &'static str,
    /// Version of the value.
    pub version: u32,
    /// Newest version that this program reads.
    pub known: u32,
}

/// Value of a known version that cannot be decoded, or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedForm {
    /// Name of the form.
    pub form: &'static str,
    /// What is wrong, without any of the value.
    pub reason: String,
}

/// Reads the version of a stored value, then the value.
pub fn decode<T: Form>(stored: &[u8]) -> Result<T, ReadError> {
    let malformed = |reason: String| ReadError::Malformed(MalformedForm { form: T::NAME, reason });
    match version(stored).or(T::VERSION_IF_ABSENT) {
        None => Err(malformed("it has no version".to_owned())),
        Some(version) if version > T::VERSION => {
            Err(ReadError::Newer(NewerForm { form: T::NAME, version, known: T::VERSION }))
        }
        Some(_) => serde_json::from_slice(stored).map_err(|error| {
            // The decoder's own words may quote the value, which may name a person.
            let category = if error.is_data() { "content" } else { "syntax" };
            let (line, column) = (error.line(), error.column());
            malformed(format!("wrong {category} at line {line} column {column}"))
        }),
    }
}

/// Returns the version of a stored value: the number in its member `v`. A number that is too large
/// for the type counts as the largest.
pub fn version(stored: &[u8]) -> Option<u32> {
    let mut found = None;
    // The probe ends at the version, by an error: what follows it is not looked at.
    let _ = serde_json::Deserializer::from_slice(stored).deserialize_map(VersionProbe(&mut found));
    found.map(|version| u32::try_from(version).unwrap_or(u32::MAX))
}

/// Visitor that stops at the member `v`.
struct VersionProbe<'a>(&'a mut Option<u64>);

impl<'de> Visitor<'de> for VersionProbe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with a version")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == "v" {
                *self.0 = Some(members.next_value()?);
                return Err(A::Error::custom("the version has been read"));
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

impl fmt::Display for NewerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewerForm { form, version, known } = self;
        write!(f, "a newer program wrote {form} version {version}, this one reads {known}")
    }
}

impl std::error::Error for NewerForm {}

impl fmt::Display for MalformedForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a {} of a known form: {}", self.form, self.reason)
    }
}

impl std::error::Error for MalformedForm {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Newer(error) => error.fmt(f),
            ReadError::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<NewerForm> for ReadError {
    fn from(newer: NewerForm) -> ReadError {
        ReadError::Newer(newer)
    }
}

impl ReadError {
    /// Returns the newer form, if the value has one.
    pub fn newer(&self) -> Option<NewerForm> {
        match self {
            ReadError::Newer(newer) => Some(*newer),
            ReadError::Malformed(_) => None,
        }
    }
}

/// Reads a stored value whose loss costs nothing. `None` if there is none, or one that no program
/// can read.
pub fn read_stored<T: Form>(stored: Option<&[u8]>) -> Result<Option<T>, NewerForm> {
    match stored.map(decode) {
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(ReadError::Newer(newer))) => Err(newer),
        Some(Err(ReadError::Malformed(_))) | None => Ok(None),
    }
}

/// Generation of the forms that a program writes. A release in which a form gets a version that the
/// release before cannot read begins a generation, and writes that version only from it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteVersion(u32);

impl WriteVersion {
    /// Newest generation that this program knows.
    pub const NEWEST: WriteVersion = WriteVersion(2);

    /// Returns the generation that the operator allows, or the newest that this program knows.
    pub fn clamped(allowed: u32) -> WriteVersion {
        WriteVersion(allowed.clamp(1, WriteVersion::NEWEST.0))
    }

    /// Returns the number of the generation, from 1.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Returns whether forms that begin with this generation may be written.
    pub fn allows(self, generation: u32) -> bool {
        generation <= self.0
    }
}

macro_rules! forms {
    ($($form:path, $name:literal, $version:expr;)*) => {
        $(
            impl Form for $form {
                const NAME: &'static str = $name;
                const VERSION: u32 = $version;
            }
        )*

        /// Names and newest versions of the forms of this crate.
        pub const FORMS: &[(&str, u32)] = &[$(($name, <$form as Form>::VERSION)),*];
    };
}

forms! {
    crate::callback_faults::CallbackFaultCounts, "callback faults", 1;
    crate::callback_faults::CallbackVerification, "callback verification", 1;
    crate::commit::Commit, "commit", crate::commit::COMMIT_VERSION;
    crate::dead_letter::DeadLetterResolution, "dead letter resolution", 1;
    crate::kiosk_pairing::KioskPairing, "kiosk pairing", 1;
    crate::login::AuthorizationGrant, "authorization grant", 1;
    crate::migrating_members::MigratingMembers, "migrating members", 1;
    crate::notice::Notice, "notice", 1;
    crate::outcome::OutcomeRecord, "outcome record", 1;
    crate::receipt::Receipt, "receipt", 1;
    crate::send_window::SendWindow, "send window", 1;
    crate::session::ScanSession, "scan session", 1;
    crate::session::OpenInvitations, "open invitations", 1;
    crate::session::RefusedScans, "refused scans", 1;
    crate::settings_log::SettingsEntry, "settings entry", crate::settings_log::SETTINGS_VERSION;
    crate::snapshot::Snapshot, "site snapshot", crate::snapshot::SNAPSHOT_VERSION;
    crate::snapshot::SnapshotFloor, "snapshot floor", 1;
    crate::staff::StaffEntry, "roster entry", crate::staff::STAFF_VERSION;
    crate::staff::StaffSession, "browser session", 1;
    crate::template_test::TemplateTest, "template test", 1;
    crate::template_test::TemplateTests, "template tests", 1;
    crate::ticket_record::TicketRecord, "ticket record", 1;
    crate::token::RefusedToken, "refused token", 1;
    crate::token::TokenFailure, "token failure", 1;
    crate::token::TokenRecord, "access token", 1;
    crate::unfollowed::Unfollowed, "unfollowed people", 1;
    crate::visit::HistoryEntry, "visit entry", crate::visit::HISTORY_VERSION;
    crate::webhook::WebhookMessage, "webhook message", 1;
    crate::webhook_deliveries::WebhookDeliveries, "webhook deliveries", 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send_window::SendWindow;

    #[test]
    fn the_version_is_read_wherever_it_stands_and_nothing_after_it() {
        for (stored, expected) in [
            (r#"{"v":3,"rest":1}"#, Some(3)),
            (r#"{"a":{"v":7},"b":[1],"v":3}"#, Some(3)),
            (r#"{"v":3,"broken"#, Some(3)),
            (r#"{"v":99999999999}"#, Some(u32::MAX)),
            (r#"{"v":-1}"#, None),
            (r#"{"v":"3"}"#, None),
            (r#"{"a":{"v":7}}"#, None),
            (r#"[{"v":7}]"#, None),
            (r#"{"broken"#, None),
            ("", None),
        ] {
            assert_eq!(version(stored.as_bytes()), expected, "{stored}");
        }
    }

    #[test]
    fn a_newer_value_is_told_from_a_malformed_one() {
        let read = |stored: &str| decode::<SendWindow>(stored.as_bytes());
        assert!(read(r#"{"v":1,"until":1,"left":2,"new":3}"#).is_ok(), "it may ignore members");
        let newer = NewerForm { form: "send window", version: 2, known: 1 };
        assert_eq!(read(r#"{"v":2,"till":"oPerson"}"#), Err(ReadError::Newer(newer)));
        for stored in ["", "{}", "[]", r#"{"until":1,"left":2}"#, r#"{"v":1,"until":"oPerson"}"#] {
            let error = read(stored).unwrap_err();
            assert!(matches!(error, ReadError::Malformed(_)), "{stored}: {error}");
            assert!(!error.to_string().contains("oPerson"), "{error}");
        }
    }

    #[test]
    fn a_form_may_say_what_a_value_without_a_version_is() {
        #[derive(Debug, serde::Deserialize)]
        struct Old {}
        impl Form for Old {
            const NAME: &'static str = "old form";
            const VERSION_IF_ABSENT: Option<u32> = Some(1);
        }
        assert!(decode::<Old>(b"{}").is_ok());
        assert!(decode::<Old>(br#"{"v":1}"#).is_ok());
        assert!(decode::<Old>(br#"{"v":2}"#).unwrap_err().newer().is_some());
        assert!(decode::<Old>(b"1").unwrap_err().newer().is_none());
    }
}
