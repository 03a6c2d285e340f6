//! Rehearsal (彩排) of a deployment with a simulated WeChat: the port of what begins and ends it.

use async_trait::async_trait;
use axum::http::{HeaderName, HeaderValue};

/// Header of every response while a rehearsal is under way. The pages show it.
pub(crate) const REHEARSAL_HEADER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-paihao-rehearsal"), HeaderValue::from_static("1"));

pub use axum::Router as PhoneRoutes;

/// Rehearsals of a deployment.
#[async_trait]
pub trait Rehearsals: Send + Sync {
    /// True while a rehearsal is under way. It stays so for the life of the process.
    fn is_under_way(&self) -> bool;

    /// Simulated phones, for managers of every site; `None` without a rehearsal.
    fn phones(&self) -> Option<PhoneRoutes>;

    /// Prepares a rehearsal with the settings and the staff of now. The process starts again then.
    async fn begin(&self) -> Result<(), RehearsalError>;

    /// Ends the rehearsal, and forgets it. The process starts again then.
    async fn end(&self, ending: RehearsalEnding) -> Result<(), RehearsalError>;
}

/// End of a rehearsal.
#[derive(Debug, Clone)]
pub struct RehearsalEnding {
    /// True if what was set up is taken over.
    pub keeps_settings: bool,
    /// Name that the changes are recorded under.
    pub author: String,
    /// Approximate origin of the request, if it is known.
    pub origin: Option<String>,
    /// Id of the session that ends it, which goes on if its holder is known outside of the
    /// rehearsal.
    pub session: Option<String>,
}

/// Reason why no rehearsal begins or ends.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// This deployment has none, or one is under way, or none is.
    #[error("there is no rehearsal to begin or to end")]
    NotPossible,
    /// The stores did not do it; the text is for the operator's log.
    #[error("{0}")]
    Store(String),
}
