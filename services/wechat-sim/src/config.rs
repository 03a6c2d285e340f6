//! What a simulated WeChat is made of: its accounts, its templates, and how it behaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::allowance::{Throttle, WindowPolicy};
use crate::templates::SimTemplate;

/// Everything a [`Simulator`](crate::Simulator) is told at its start.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The Official Accounts it knows. Where a request names none, the first is meant.
    pub accounts: Vec<SimAccount>,
    /// The templates every account has. With none, any template id and any data are accepted.
    pub templates: Vec<SimTemplate>,
    /// What may also be changed while it runs.
    pub behaviour: Behaviour,
    /// How many calls an account may make.
    pub quotas: Quotas,
    /// How much is remembered for reading back. Counters are exact whatever is forgotten.
    pub keep: RetentionLimits,
    /// Whether an openid nobody has seen counts as a follower, instead of being invalid (40003).
    pub everybody_follows: bool,
    /// The address of a page to be shown beside the phones, such as a screen in the hall. It has to
    /// let itself be framed by the simulator's pages.
    pub beside: Option<String>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            accounts: vec![SimAccount::default()],
            templates: SimTemplate::demo(),
            behaviour: Behaviour::default(),
            quotas: Quotas::default(),
            keep: RetentionLimits::default(),
            everybody_follows: false,
            beside: None,
        }
    }
}

/// One Official Account as its console would show it.
#[derive(Debug, Clone)]
pub struct SimAccount {
    /// `wx` and 16 hexadecimal digits.
    pub appid: String,
    /// The AppSecret.
    pub secret: String,
    /// The original id, `gh_…`: what stands in `ToUserName` of a push.
    pub original_id: String,
    /// The name customers see above the chat.
    pub name: String,
    /// The token of the server configuration: signs the pushes.
    pub callback_token: String,
    /// 消息加解密方式: how pushes and replies look.
    pub mode: PushMode,
    /// The EncodingAESKey, for the two modes that seal.
    pub aes_key: String,
    /// Where pushes go; several are used in turn. May be set later with
    /// [`Simulator::set_callback_urls`](crate::Simulator::set_callback_urls).
    pub callback_urls: Vec<String>,
}

impl Default for SimAccount {
    fn default() -> Self {
        Self {
            appid: "wx5f1d2c3b4a596877".into(),
            secret: "0123456789abcdef0123456789abcdef".into(),
            original_id: "gh_5a1e0c7d9b42".into(),
            name: "排号演示".into(),
            callback_token: "simulated".into(),
            mode: PushMode::Plain,
            aes_key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".into(),
            callback_urls: Vec::new(),
        }
    }
}

/// The three modes of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushMode {
    /// 明文模式.
    #[default]
    Plain,
    /// 兼容模式: plain fields and a sealed copy; a reply may be either.
    Compatible,
    /// 安全模式: sealed both ways.
    Secure,
}

/// How the simulated WeChat acts where the real one leaves a choice, or where nobody knows.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// How long a push may take until its connection is cut and it is repeated.
    pub cut: Duration,
    /// Repeats after the first delivery of a push.
    pub repeats: u32,
    /// Whether a repeat has a timestamp, nonce and signature of its own.
    pub stamps: RepeatStamps,
    /// What an HTTP status other than 2xx does to a push.
    pub on_http_error: OnHttpError,
    /// How long every answer of the API is held back.
    pub latency: Duration,
    /// The answer to a second template message with the same `client_msg_id`.
    pub duplicate: OnDuplicate,
    /// Whether a forced refresh of the stable token kills the former one at once, instead of
    /// leaving it the five minutes of overlap.
    pub force_kills_former: bool,
    /// The same for a new token of the classic channel.
    pub classic_kills_former: bool,
    /// What a new token lives.
    pub token_life: Duration,
    /// Whether the caller's address is on the account's IP allow list; if not, 40164.
    pub address_listed: bool,
    /// How messages to one customer are throttled; `None` is not at all.
    pub throttle: Option<Throttle>,
    /// How several open windows for free texts count together.
    pub windows: WindowPolicy,
    /// How many seconds the `Date` of every answer is off.
    pub date_off_s: i64,
    /// Whether every JSON answer carries raw control characters, a wrong escape and bad UTF-8, as
    /// real ones have.
    pub dirty: bool,
    /// The delivery result pushed after a template message.
    pub receipt: Receipt,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            cut: Duration::from_secs(5),
            repeats: 2,
            stamps: RepeatStamps::Renew,
            on_http_error: OnHttpError::Repeat,
            latency: Duration::ZERO,
            duplicate: OnDuplicate::FirstMsgid,
            force_kills_former: false,
            classic_kills_former: false,
            token_life: Duration::from_secs(7_200),
            address_listed: true,
            throttle: None,
            windows: WindowPolicy::AddUp,
            date_off_s: 0,
            dirty: false,
            receipt: Receipt::default(),
        }
    }
}

/// What a repeated push carries in its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatStamps {
    /// The timestamp, nonce and signature of the first delivery.
    Keep,
    /// New ones; the body stays the same.
    Renew,
}

/// What follows when a push is answered with an HTTP status other than 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHttpError {
    /// It is repeated, as after a cut.
    Repeat,
    /// The customer sees an error at once.
    ErrorAtOnce,
}

/// The answer to a template message whose `client_msg_id` was used for that customer before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// `errcode` 0 and the msgid of the first one.
    FirstMsgid,
    /// This error code.
    Errcode(i64),
}

/// The push that follows a message: `TEMPLATESENDJOBFINISH` after a template message,
/// `subscribe_msg_sent_event` after a subscription notice.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// Whether it is pushed at all.
    pub pushed: bool,
    /// How long after the message was accepted.
    pub delay: Duration,
    /// What it says, unless the customer's own state says otherwise.
    pub status: ReceiptStatus,
    /// How many times it is pushed; 2 shows whether the receiver copes with a duplicate.
    pub copies: u32,
    /// Whether it is pushed before the API call is answered.
    pub before_answer: bool,
    /// Whether a template message with a `client_msg_id` has 0 for its `MsgID`, as was reported
    /// once.
    pub zero_id: bool,
}

impl Default for Receipt {
    fn default() -> Self {
        Self {
            pushed: true,
            delay: Duration::from_millis(200),
            status: ReceiptStatus::Success,
            copies: 1,
            before_answer: false,
            zero_id: false,
        }
    }
}

/// What became of a message, in WeChat's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Delivered.
    Success,
    /// The customer refuses messages of this account.
    UserBlock,
    /// Another reason.
    SystemFailed,
    /// Too many for this customer.
    FreqLimit,
}

impl ReceiptStatus {
    /// The text of the `Status` and `ErrorStatus` elements.
    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::UserBlock => "failed:user block",
            Self::SystemFailed => "failed: system failed",
            Self::FreqLimit => "failed:freq limit",
        }
    }
}

/// Calls an account may make, as for a new verified account. A day begins at midnight in Beijing.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Classic access tokens a day.
    pub classic_per_day: u64,
    /// Calls of `stable_token` a minute.
    pub stable_per_minute: u64,
    /// Calls of `stable_token` a day.
    pub stable_per_day: u64,
    /// Forced refreshes a day; one more does not refresh.
    pub forced_per_day: u64,
    /// Least time between two forced refreshes; one sooner does not refresh.
    pub forced_gap: Duration,
    /// QR codes a day.
    pub codes_per_day: u64,
    /// Template messages a day.
    pub templates_per_day: u64,
    /// Customer-service messages a day.
    pub texts_per_day: u64,
    /// Subscription notices a day.
    pub subscriptions_per_day: u64,
    /// Calls of `user/info` a day.
    pub users_per_day: u64,
    /// Calls with an access token a minute, of all kinds together; one more is refused with 45011.
    pub calls_per_minute: u64,
    /// Times a month that quotas may be set back.
    pub clears_per_month: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            classic_per_day: 2_000,
            stable_per_minute: 10_000,
            stable_per_day: 500_000,
            forced_per_day: 20,
            forced_gap: Duration::from_secs(30),
            codes_per_day: 100_000,
            templates_per_day: 100_000,
            texts_per_day: 500_000,
            subscriptions_per_day: 1_000_000,
            users_per_day: 500_000,
            calls_per_minute: 1_000_000,
            clears_per_month: 10,
        }
    }
}

impl Quotas {
    /// No limits, for load; the rules of forced refreshes stay.
    pub fn unlimited() -> Self {
        Self {
            classic_per_day: u64::MAX,
            stable_per_minute: u64::MAX,
            stable_per_day: u64::MAX,
            codes_per_day: u64::MAX,
            templates_per_day: u64::MAX,
            texts_per_day: u64::MAX,
            subscriptions_per_day: u64::MAX,
            users_per_day: u64::MAX,
            calls_per_minute: u64::MAX,
            ..Self::default()
        }
    }
}

/// How many things are remembered; the oldest go first.
#[derive(Debug, Clone, Copy)]
pub struct RetentionLimits {
    /// Lines of chat (messages and replies among them), over all customers.
    pub lines: usize,
    /// Customers.
    pub people: usize,
    /// Temporary QR codes.
    pub codes: usize,
    /// Pushes with their deliveries.
    pub pushes: usize,
    /// `client_msg_id`s within their ten minutes.
    pub client_msg_ids: usize,
    /// Receipts waiting to be pushed.
    pub receipts: usize,
}

impl Default for RetentionLimits {
    fn default() -> Self {
        Self {
            lines: 100_000,
            people: 200_000,
            codes: 20_000,
            pushes: 10_000,
            client_msg_ids: 2_000_000,
            receipts: 100_000,
        }
    }
}
