//! Simulator of WeChat: its API, its pushes to callbacks, and its customers' phones.
//!
//! It is built from public documents and captured requests alone and shares no code with the
//! product, so that the two agree only if both are right. An example of a test:
//!
//! ```no_run
//! # async fn test() -> std::io::Result<()> {
//! use wechat_sim::{Fault, Routing, SimConfig, Simulator};
//!
//! let wechat = Simulator::start(SimConfig::default()).await?;
//! let api = wechat.base_url(); // stands for https://api.weixin.qq.com and mp.weixin.qq.com
//! wechat.set_callback_urls(None, ["http://127.0.0.1:8080/wechat/demo"]);
//! // ... the product creates a code through `api` ...
//! let code = wechat.codes(1).remove(0);
//! let outcome = wechat.scan("oCustomer1", &code.url, Routing::default()).await;
//! assert!(outcome.reply.is_some());
//! wechat.add_fault(Fault::errcode("/cgi-bin/message/template/send", -1).times(3));
//! wechat.stop().await;
//! # Ok(()) }
//! ```
//!
//! # Routes
//!
//! WeChat's API, with and without `/cgi-bin`: `docs/reference/wechat-calls.md` lists every call and
//! what is done with it. The visitor of the page `/connect/oauth2/authorize` is `sim_openid` of its
//! query (`sim_preview=1` for an openid that belongs to no customer).
//!
//! `GET /` (also `/phones`): the customers' phones. `?scan=<content of a code>` preselects a code.
//!
//! # The control API
//!
//! The simulator is controlled over HTTP by tests in another process and by other software;
//! `docs/guide/simulator.md` lists every route and every switch. Each is also a method of
//! [`Simulator`].
//!
//! # Undocumented behaviour
//!
//! [`Behaviour`] sets the points that WeChat does not document, among them the signature of a
//! repeated push, the reaction to an HTTP error, the answer to a repeated `client_msg_id`, the
//! overlap after a forced refresh, the throttle of messages to one customer, and the combination
//! of open send windows.
#![expect(
    clippy::disallowed_methods,
    reason = "it plays an outside party, with a clock, dice, tasks and a client of its own"
)]

mod config;
mod simulator;

mod act;
mod crypt;
mod hostile;
mod payload;
mod push;
mod reply;
mod sign;

mod codes;
mod dedup;
mod faults;
mod media;
mod menu;
mod migration;
mod people;
mod quota;
mod send_limits;
mod stats;
mod tags;
mod templates;
mod tokens;
mod visits;

mod answers;
mod api;
mod behaviour;
mod clock;
mod control;
mod listener;
mod phones;
mod picture;
mod random;
mod receipts;
mod world;

pub use act::{ActionOutcome, PersonState, PressError, Routing, ScanResult};
pub use codes::Code;
pub use config::{
    Behaviour, OnDuplicate, OnHttpError, PushMode, Quotas, Receipt, ReceiptStatus, RepeatStamps,
    RetentionLimits, SimAccount, SimConfig,
};
pub use crypt::{SealOverrides, seal, unseal};
pub use faults::{Effect, Fault};
pub use hostile::{HostileCase, HostileReport};
pub use people::{AcceptedMessage, ChatContent, ChatLine, MiniProgramPage, Refusal};
pub use push::{Delivery, PushOverrides, PushRecord};
pub use reply::{ReplyOutcome, SERVICE_ERROR_TEXT};
pub use send_limits::{Throttle, Trigger, WindowPolicy};
pub use sign::{msg_signature, signature};
pub use simulator::Simulator;
pub use stats::Stats;
pub use templates::SimTemplate;
pub use tokens::TokenInvalidation;
