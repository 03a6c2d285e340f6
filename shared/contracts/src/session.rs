//! A scan session: a browser shows a code and waits for the result of its scan.

use crate::commit::{QueueState, TicketStatus};
use crate::staff::Member;
use serde::{Deserialize, Serialize};

/// Record of a scan session in the cache, readable by every gateway replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanSession {
    /// Version of this form: 1.
    pub v: u32,
    /// Effect of a scan.
    pub purpose: ScanPurpose,
    /// Scene inside the code, unrelated to the session's uuid: the sight of the code does not open
    /// the session.
    pub scene: String,
    /// WeChat's ticket of the code.
    pub qr_ticket: String,
    /// URL that the code contains.
    pub qr_url: String,
    /// End of the code's validity, in Unix milliseconds.
    pub expires_at: i64,
    /// Progress of the session.
    pub progress: ScanProgress,
    /// Newest scan that got no number, which the page tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedScan>,
}

/// Scan of somebody who has taken as many numbers of the queue today as one person may. Nothing of
/// the person is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedScan {
    /// Numbers that one person may take of the queue on a day.
    pub limit: u32,
    /// Time of the scan, in Unix milliseconds.
    pub at: i64,
}

/// Newest refused scans of a deployment. Every gateway reads them for all browsers that wait there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedScans {
    /// Version of this form: 1.
    pub v: u32,
    /// The scans, oldest first, and of a session the newest alone.
    pub scans: Vec<SessionRefusal>,
}

/// Refused scan of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRefusal {
    /// Uuid of the session.
    pub uuid: String,
    /// The scan.
    pub refused: RefusedScan,
}

/// Effects of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum ScanPurpose {
    /// Takes a number.
    Ticket {
        /// Id of the site.
        site: String,
        /// Id of the queue.
        queue: String,
    },
    /// Logs the browser in.
    Login(LoginRequest),
    /// Makes the person who scans a member of staff.
    Invitation(Invitation),
}

/// Progress of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum ScanProgress {
    /// Not scanned yet.
    Pending,
    /// Scanned: a number was taken.
    Ticket(SessionTicket),
    /// Scanned: the person was asked on the phone to confirm the login.
    #[serde(rename = "asked")]
    AwaitingConfirmation {
        /// Hash of the person.
        person: String,
        /// Digits that the phone shows and the page asks for; without them the person answers on
        /// the phone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        challenge: Option<DigitChallenge>,
        /// The person's unionid, for a client that is told it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unionid: Option<UnionId>,
    },
    /// Approved: the browser may redeem the result. For an invitation: accepted.
    Approved {
        /// Hash of the person.
        person: String,
        /// Id of the member of staff, if the person is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<String>,
        /// Time of the approval, in Unix milliseconds.
        at: i64,
        /// The person's unionid, for a client that is told it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unionid: Option<UnionId>,
    },
    /// Declined.
    Declined {
        /// Hash of the person who scanned.
        person: String,
        /// Reason for the refusal.
        #[serde(rename = "why")]
        reason: DeclineReason,
    },
    /// Redeemed by the browser.
    Redeemed {
        /// Hash of the person.
        person: String,
    },
}

impl ScanProgress {
    /// True if a unionid is in it, which is kept no longer than the login goes on.
    pub fn has_unionid(&self) -> bool {
        matches!(
            self,
            ScanProgress::Approved { unionid: Some(_), .. }
                | ScanProgress::AwaitingConfirmation { unionid: Some(_), .. }
        )
    }
}

/// Digits that only the phone that scanned shows: whoever enters them at the page has both before
/// them. Prints without the digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitChallenge {
    /// The digits.
    pub digits: String,
    /// Number of wrong entries that are left before the code is of no use.
    pub attempts: u8,
    /// Short tag of the person at this code, shown on the phone and on the page.
    pub tag: String,
    /// Time of the scan, in Unix milliseconds.
    pub at: i64,
}

impl std::fmt::Debug for DigitChallenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DigitChallenge({}, {} attempts)", self.tag, self.attempts)
    }
}

/// Id of a person at all accounts of one open platform. Prints as `***`, since it is personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnionId(String);

impl UnionId {
    /// Wraps a unionid from WeChat.
    pub fn new(unionid: &str) -> UnionId {
        UnionId(unionid.to_owned())
    }

    /// The unionid itself, for the client that is told it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for UnionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnionId(***)")
    }
}

/// The ticket that the browser shows after a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionTicket {
    /// Number as text, such as `A001`.
    pub number: String,
    /// Id of the queue.
    pub queue: String,
    /// Quoted number of people ahead.
    pub ahead: u32,
    /// Quoted range in minutes, from and to.
    pub minutes: Option<(u32, u32)>,
    /// State of the ticket; absent if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TicketStatus>,
    /// State of its queue; absent if it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_state: Option<QueueState>,
    /// Id of the counter to which it is called, or at which it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<String>,
}

/// Login that a browser waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRequest {
    /// SHA-256 in hex of the secret in this browser's cookie.
    pub secret: String,
    /// Kind of browser, in a few words.
    pub browser: String,
    /// Approximate origin: an address without its last part.
    pub address: String,
    /// True if the person has to confirm on the phone.
    pub confirm: bool,
    /// Target of the login.
    #[serde(rename = "to")]
    pub target: LoginTarget,
}

/// Targets of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum LoginTarget {
    /// This system, for a member of staff.
    Staff,
    /// This system, for the first manager.
    First,
    /// Another site of the owner, as an OAuth client.
    Client(AuthorizationRequest),
}

/// Authorization request of another site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The site's id in the configuration.
    pub client: String,
    /// Redirect URI.
    pub redirect: String,
    /// PKCE challenge: SHA-256 of the site's verifier, base64url.
    pub challenge: String,
    /// State of the request, returned unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Nonce of the request, copied into the token unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// Invitation to become a member of staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The inviting manager: id of a member, or name of a key.
    pub by: String,
    /// The membership that the invited person receives.
    pub member: Member,
}

/// Index of the invitations that are open, in the cache beside their sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInvitations {
    /// Version of this form: 1.
    pub v: u32,
    /// The invitations, oldest first.
    pub invitations: Vec<OpenInvitation>,
}

/// Invitation of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInvitation {
    /// Uuid of its session.
    pub uuid: String,
    /// End of the code's validity when it was made, in Unix milliseconds.
    pub expires_at: i64,
}

/// Reasons for a refused login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The person is not a member of staff.
    NotStaff,
    /// The person denied the request.
    ByPerson,
    /// The person is a member already, or the invitation was used.
    Already,
}
