//! Configuration of the simulator: accounts, templates, quotas, and behaviour.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::send_limits::{Throttle, WindowPolicy};
use crate::templates::SimTemplate;

/// Configuration of a [`Simulator`](crate::Simulator).
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Listening address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The Official Accounts. A request that names none means the first.
    pub accounts: Vec<SimAccount>,
    /// Templates of every account. If there are none, any template id and any data are accepted.
    pub templates: Vec<SimTemplate>,
    /// Templates of every account for subscription notices, which are none of template messages.
    pub subscriptions: Vec<SimTemplate>,
    /// Behaviour, which may also be changed while the simulator runs.
    pub behaviour: Behaviour,
    /// Quotas of each account.
    pub quotas: Quotas,
    /// Numbers of records that are kept. Counters are exact even when records are dropped.
    pub retention: RetentionLimits,
    /// True if an unknown openid counts as a follower, instead of being invalid (40003).
    pub everybody_follows: bool,
    /// Address of a page to show beside the phones, such as a board. The page has to allow framing
    /// by the simulator's pages.
    pub framed_address: Option<String>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            accounts: vec![SimAccount::default()],
            templates: SimTemplate::demo(),
            subscriptions: SimTemplate::demo_subscriptions(),
            behaviour: Behaviour::default(),
            quotas: Quotas::default(),
            retention: RetentionLimits::default(),
            everybody_follows: false,
            framed_address: None,
        }
    }
}

/// Official Account with the values that its console shows.
#[derive(Debug, Clone)]
pub struct SimAccount {
    /// AppID: `wx` and 16 hexadecimal digits.
    pub appid: String,
    /// AppSecret.
    pub secret: String,
    /// Original id, `gh_…`: the `ToUserName` of a push.
    pub original_id: String,
    /// Name that customers see above the chat.
    pub name: String,
    /// Token of the server configuration, with which pushes are signed.
    pub callback_token: String,
    /// Mode of pushes and replies (消息加解密方式).
    pub mode: PushMode,
    /// EncodingAESKey, for the two modes that seal.
    pub aes_key: String,
    /// Open platform (开放平台) that the account belongs to: people have a `unionid` there, the
    /// same at all of its accounts. `None` for an account of no platform.
    pub open_platform: Option<String>,
    /// Callbacks of the account; several are used in turn. They may be set later with
    /// [`Simulator::set_callback_urls`](crate::Simulator::set_callback_urls).
    pub callback_urls: Vec<String>,
    /// Templates of this account, in place of those of every account.
    pub templates: Option<Vec<SimTemplate>>,
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
            open_platform: None,
            callback_urls: Vec::new(),
            templates: None,
        }
    }
}

/// Encryption mode of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushMode {
    /// Nothing is sealed (明文模式).
    #[default]
    Plain,
    /// Plain fields and a sealed copy; a reply may be either (兼容模式).
    Compatible,
    /// Pushes and replies are sealed (安全模式).
    Secure,
}

/// Behaviour of WeChat where it varies or is not documented.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Time after which the connection of a push is cut and the push repeated.
    pub cut: Duration,
    /// Repeats after the first delivery of a push.
    pub repeats: u32,
    /// Stamps of a repeat: timestamp, nonce and signature.
    pub stamps: RepeatStamps,
    /// Reaction to an HTTP status other than 2xx.
    pub on_http_error: OnHttpError,
    /// Failed pushes in a row after which WeChat pushes nothing to the account for a minute
    /// (MarkFail); 0 for never. WeChat's own number is not published.
    pub mark_fail_after: u32,
    /// True if `]]>` in a customer's own words is split over two CDATA sections, so that the body
    /// is XML. WeChat was seen to pass it on as it is.
    pub splits_cdata: bool,
    /// Delay of every API response.
    pub latency: Duration,
    /// Answer to a second template message with the same `client_msg_id`.
    pub duplicate: OnDuplicate,
    /// True if a forced refresh of the stable token ends the former one at once, instead of after
    /// an overlap of five minutes.
    pub force_kills_former: bool,
    /// True if a new token of the classic channel ends the former one at once.
    pub classic_kills_former: bool,
    /// Lifetime of a new token.
    pub token_life: Duration,
    /// True if the caller's address is on the account's IP allow list; if not, calls get 40164.
    pub address_listed: bool,
    /// True if accounts may make a menu by the API, as verified ones may; if not, calls about it
    /// get 48001.
    pub menu_permitted: bool,
    /// Throttle of template messages to one customer; `None` for no limit.
    pub throttle: Option<Throttle>,
    /// Combination of several open send windows.
    pub windows: WindowPolicy,
    /// Seconds by which the `Date` of every response is off.
    pub date_off_s: i64,
    /// True if every JSON response contains raw control characters, an invalid escape and invalid
    /// UTF-8, as real ones have.
    pub dirty: bool,
    /// Receipt of a message.
    pub receipt: Receipt,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            cut: Duration::from_secs(5),
            repeats: 2,
            stamps: RepeatStamps::Renew,
            on_http_error: OnHttpError::Repeat,
            mark_fail_after: 0,
            splits_cdata: false,
            latency: Duration::ZERO,
            duplicate: OnDuplicate::FirstMsgid,
            force_kills_former: false,
            classic_kills_former: false,
            token_life: Duration::from_secs(7_200),
            address_listed: true,
            menu_permitted: true,
            throttle: None,
            windows: WindowPolicy::AddUp,
            date_off_s: 0,
            dirty: false,
            receipt: Receipt::default(),
        }
    }
}

/// Stamps of a repeated push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatStamps {
    /// Timestamp, nonce and signature of the first delivery.
    Keep,
    /// New ones; the body stays the same.
    Renew,
}

/// Reaction to an HTTP status other than 2xx in answer to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHttpError {
    /// The push is repeated, as after a cut.
    Repeat,
    /// The customer sees an error at once.
    ErrorAtOnce,
}

/// Answer to a template message whose `client_msg_id` was used for that customer before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// `errcode` 0 and the msgid of the first message.
    FirstMsgid,
    /// An error code.
    Errcode(i64),
}

/// Receipt of a message: `TEMPLATESENDJOBFINISH` after a template message,
/// `subscribe_msg_sent_event` after a subscription notice.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// True if receipts are pushed.
    pub pushed: bool,
    /// Time between the acceptance of the message and the push.
    pub delay: Duration,
    /// Reported status, unless the customer's own state sets another.
    pub status: ReceiptStatus,
    /// Number of pushes of each receipt; 2 tests the receiver with a duplicate.
    pub copies: u32,
    /// True if the receipt is pushed before the API call is answered.
    pub before_answer: bool,
    /// True if the receipt of a template message with a `client_msg_id` has 0 as its `MsgID`, as
    /// was reported once.
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

/// Status of a message in a receipt, in WeChat's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Delivered.
    Success,
    /// The customer refuses messages of this account.
    UserBlock,
    /// Failed for another reason.
    SystemFailed,
    /// Too many messages to this customer.
    FreqLimit,
}

impl ReceiptStatus {
    /// Text of the `Status` and `ErrorStatus` elements.
    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::UserBlock => "failed:user block",
            Self::SystemFailed => "failed: system failed",
            Self::FreqLimit => "failed:freq limit",
        }
    }
}

/// Calls that an account may make; the defaults are those of a new verified account. A day begins
/// at midnight in Beijing.
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
    /// Shortest time between two forced refreshes; an earlier one does not refresh.
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
    /// Calls of `user/get` a day.
    pub user_lists_per_day: u64,
    /// Calls with an access token a minute, of all kinds together; one more is refused with 45011.
    pub calls_per_minute: u64,
    /// Resets of the quotas a month.
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
            user_lists_per_day: 500,
            calls_per_minute: 1_000_000,
            clears_per_month: 10,
        }
    }
}

impl Quotas {
    /// Returns quotas without limits, for load tests; the rules of forced refreshes stay.
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
            user_lists_per_day: u64::MAX,
            calls_per_minute: u64::MAX,
            ..Self::default()
        }
    }
}

/// Numbers of records that are kept; the oldest are dropped first.
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
    /// Uploaded pictures.
    pub pictures: usize,
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
            pictures: 100,
            client_msg_ids: 2_000_000,
            receipts: 100_000,
        }
    }
}
