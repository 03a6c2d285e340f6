//! Requests that change settings: If-Match, idempotency key, dry run.

use crate::http::auth::Principal;
use crate::http::idempotency;
use crate::http::openapi::{ApiArgument, Operation, endpoint};
use crate::http::openapi::{IdempotencyKeyExt, WithEtag};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::documents::SettingsDocuments;
use crate::settings::update::{DocumentUpdate, SettingsUpdateResult, UpdateRequest};
use axum::body::Body;
use axum::extract::{self, FromRequest, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use paihao_contracts::settings_log::IdempotencyRecord;
use paihao_http_api::body;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Largest set-up, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 512 * 1024;

/// Dry run of a change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DryRunQuery {
    /// True to return what would change without changing it.
    #[serde(default)]
    dry_run: bool,
}

/// Operation that reads settings.
pub(super) fn read_operation(id: &'static str, summary: &'static str) -> Operation {
    endpoint(id, summary).refuses(&[&refusals::NEWER_LEDGER])
}

/// Operation that replaces a document with a valid one.
pub(in crate::http::api) fn put_operation(id: &'static str, summary: &'static str) -> Operation {
    read_operation(id, summary).refuses(&[&refusals::UNSOUND_SETUP, &refusals::REVISION_NEEDED])
}

/// Operation that removes a document that is not in use.
pub(super) fn delete_operation(id: &'static str, summary: &'static str) -> Operation {
    read_operation(id, summary).refuses(&[&refusals::REVISION_NEEDED])
}

/// Request that changes settings, with its body unread until the handler knows that it may.
pub(in crate::http::api) struct UnreadRequest {
    pub(super) parts: Parts,
    body: Body,
}

impl ApiArgument<AppState> for UnreadRequest {
    fn describe(operation: Operation) -> Operation {
        operation
            .query::<DryRunQuery>()
            .idempotency_key()
            .header("If-Match", "The ETag that it was read with; needed where something is there")
            .refuses(&[&refusals::REVISION_CHANGED, &refusals::BODY_TOO_LARGE])
    }
}

impl FromRequest<AppState> for UnreadRequest {
    type Rejection = Problem;

    async fn from_request(
        request: extract::Request,
        _: &AppState,
    ) -> Result<UnreadRequest, Problem> {
        let (parts, body) = request.into_parts();
        Ok(UnreadRequest { parts, body })
    }
}

/// Request that changes settings, with its body unparsed.
pub(in crate::http::api) struct SettingsRequest {
    pub(super) update: UpdateRequest,
    pub(super) body: Vec<u8>,
}

impl UnreadRequest {
    pub(in crate::http::api) async fn read(
        self,
        author: &Principal,
    ) -> Result<SettingsRequest, Problem> {
        self.read_up_to(author, MAX_BODY_BYTES).await
    }

    /// Reads a body of at most so many bytes.
    pub(super) async fn read_up_to(
        self,
        author: &Principal,
        max_bytes: usize,
    ) -> Result<SettingsRequest, Problem> {
        let UnreadRequest { parts: Parts { method, uri, headers, .. }, body } = self;
        let Query(DryRunQuery { dry_run }) =
            Query::try_from_uri(&uri).map_err(|error| refusals::malformed(error.body_text()))?;
        let body: Vec<u8> = body::read::<AppState>(body, max_bytes).await?.into();
        let hash = |parts: &[&[u8]]| {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update(part);
                hash.update([0]);
            }
            hex::encode(&hash.finalize()[..16])
        };
        let request = hash(&[method.as_str().as_bytes(), uri.path().as_bytes(), &body]);
        let idempotency = idempotency::key(&headers)?.map(|key| IdempotencyRecord {
            id: hash(&[b"book", author.name.as_bytes(), key.as_bytes()]),
            request,
        });
        let update = UpdateRequest {
            author: author.name.to_string(),
            origin: author.author().address.map(str::to_owned),
            expected_revision: if_match_revision(&headers)?,
            dry_run,
            idempotency: idempotency.filter(|_| !dry_run),
        };
        Ok(SettingsRequest { update, body })
    }
}

impl SettingsRequest {
    /// Refused if there is a body.
    pub(super) fn require_empty_body(&self) -> Result<(), Problem> {
        if self.body.is_empty() { Ok(()) } else { Err(refusals::malformed("this takes no body")) }
    }

    pub(in crate::http::api) fn parse_body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::parse_object::<AppState, _>(&self.body)
    }

    /// Writes a document in place of the one that was read, with its new revision.
    pub(in crate::http::api) async fn write_document(
        &self,
        state: &AppState,
        documents: &SettingsDocuments,
        id: &str,
        new: DocumentUpdate,
    ) -> Result<WithEtag<SettingsUpdateResult>, Problem> {
        let result =
            state.settings_editor.update_document(documents, id, new, &self.update).await?;
        Ok(WithEtag(result.revision, result))
    }
}

/// Revision in the `If-Match`, if there is one.
fn if_match_revision(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let number = tag.to_str().ok().and_then(|tag| tag.trim().trim_matches('"').parse().ok());
    number.map(Some).ok_or_else(|| refusals::malformed("If-Match: use the ETag, such as \"17\""))
}
