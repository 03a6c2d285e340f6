//! Settings of a gateway that requests are handled with.

use crate::http::client_ip::TrustedProxies;
use crate::http::csp::Origin;
use crate::http::guesses::GuessLimits;
use crate::http::rate_limit::RateLimitSettings;
use crate::http::stream_budget::StreamLimits;
use crate::identity::login::settings::LoginSettings;
use crate::scan::codes::permanent::PermanentCodeLimits;
use crate::scan::codes::pool::PoolSettings;
use crate::scan::codes::share::CodeShareSettings;
use paihao_chassis::http::ConnectionLimits;
use paihao_contracts::envelope::WriteVersion;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a gateway, from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest difference between a callback's timestamp and this machine's clock.
    pub max_callback_clock_skew: Duration,
    /// Largest body of a callback, in bytes.
    pub max_callback_body_bytes: usize,
    /// Validity of a scan session's QR code.
    pub scan_session_ttl: Duration,
    /// Pools of codes that are made before they are needed.
    pub pool: PoolSettings,
    /// Address under which people reach this gateway, without a slash at the end; without it no
    /// links are given out.
    pub public_url: Option<String>,
    /// Address of the simulator's phones, for the links of a demo.
    pub simulator_url: Option<String>,
    /// Sites whose pages may embed the board.
    pub frame_ancestors: Vec<Origin>,
    /// Sites whose pages may show codes of scan sessions.
    pub code_embedders: Arc<[Origin]>,
    /// Shares of WeChat's day of codes for those who are not known.
    pub code_shares: CodeShareSettings,
    /// Limits of permanent codes.
    pub permanent_codes: PermanentCodeLimits,
    /// Login by scanning, and OAuth clients.
    pub login: LoginSettings,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Limits on requests from one address.
    pub limits: RateLimitSettings,
    /// Limits of wrong keys, signatures and codes.
    pub guesses: GuessLimits,
    /// Limits of event streams that need no key.
    pub streams: StreamLimits,
    /// Limits of connections to each port.
    pub connections: ConnectionLimits,
    /// Newest generation of stored forms that may be written.
    pub write_version: WriteVersion,
}
