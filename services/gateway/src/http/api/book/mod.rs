//! What is set up, for whoever manages it: read, changed where one has seen it, exported, imported.
//!
//! - `sites`: a site as one document, and its parts by themselves;
//! - `accounts`: what an account says;
//! - `whole`: all of it as one file, and what changed when;
//! - `preview`: words as a person will see them.

mod accounts;
mod preview;
mod sites;
mod whole;

pub(crate) use preview::Templates;

use super::staff::idempotency_key;
use crate::book::documents::Documents;
use crate::book::writing::{Asked, New, Written};
use crate::http::asker::{Asker, Opens};
use crate::http::body;
use crate::http::openapi::answer::Tagged;
use crate::http::openapi::{Access, Operation, Role, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use axum::body::Body;
use axum::extract::{self, FromRequest, FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use paihao_contracts::book::Wish;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Bytes that a set-up may have.
const BODY_LIMIT: usize = 512 * 1024;

/// Who may look at what is set up, and change it.
const MANAGING: &[Role] = &[Role::Manager, Role::ApiManager];

/// At one site.
const AT_SITE: Access = Access::Key(MANAGING);

/// Wherever it is.
const ANYWHERE: Access = Access::Known(MANAGING);

pub(super) fn routes() -> Routes {
    sites::routes().merge(accounts::routes()).merge(whole::routes()).merge(preview::routes())
}

/// Whether something is only tried.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Trying {
    /// Says what would change, and changes nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Reads something.
fn reading(id: &'static str, summary: &'static str, access: Access) -> Operation {
    op(id, summary, access).refuses(&[&refusals::NEWER_LEDGER])
}

/// Writes something.
fn writing(id: &'static str, summary: &'static str, access: Access) -> Operation {
    reading(id, summary, access)
        .keyed()
        .queried::<Trying>()
        .header("If-Match", "The ETag that it was read with; needed where something is there")
        .refuses(&[&refusals::REVISION_CHANGED, &refusals::BODY_TOO_LARGE])
}

/// Writes a document that has to be sound, over one that was seen.
fn setting(id: &'static str, summary: &'static str, access: Access) -> Operation {
    writing(id, summary, access).refuses(&[&refusals::UNSOUND_SETUP, &refusals::REVISION_NEEDED])
}

/// Takes something away that was seen, and in which nobody may be.
fn removing(id: &'static str, summary: &'static str) -> Operation {
    writing(id, summary, AT_SITE).refuses(&[&refusals::REVISION_NEEDED])
}

/// Refused unless they manage this site.
fn manager(door: &Door, asker: &Asker, site: &str) -> Result<(), Problem> {
    asker.at(door, site)?;
    manages(asker)
}

/// Refused unless they manage every site.
fn owner(asker: &Asker) -> Result<(), Problem> {
    manages(asker)?;
    match asker.opens() {
        Opens::Every => Ok(()),
        Opens::These(_) => Err(Problem::new(&refusals::NOT_EVERY_SITE)),
    }
}

fn manages(asker: &Asker) -> Result<(), Problem> {
    match asker.actor.manages() {
        true => Ok(()),
        false => Err(Problem::new(&refusals::NOT_ALLOWED)),
    }
}

/// A request of which nothing but its asker is known: whether they may is seen before it is read.
struct Unread {
    asker: Asker,
    parts: Parts,
    body: Body,
}

impl FromRequest<Door> for Unread {
    type Rejection = Problem;

    async fn from_request(request: extract::Request, door: &Door) -> Result<Unread, Problem> {
        let (mut parts, body) = request.into_parts();
        let asker = Asker::from_request_parts(&mut parts, door).await?;
        Ok(Unread { asker, parts, body })
    }
}

/// A request, read and not yet understood.
struct Request {
    asked: Asked,
    body: Vec<u8>,
}

impl Unread {
    async fn read(self) -> Result<Request, Problem> {
        let Unread { asker, parts: Parts { method, uri, headers, .. }, body } = self;
        let trying = Query::<Trying>::try_from_uri(&uri);
        let Query(trying) = trying.map_err(|error| malformed(error.body_text()))?;
        let body: Vec<u8> = body::read(body, BODY_LIMIT).await?.into();
        let hash = |parts: &[&[u8]]| {
            let mut hash = Sha256::new();
            for part in parts {
                hash.update(part);
                hash.update([0]);
            }
            hex::encode(&hash.finalize()[..16])
        };
        let request = hash(&[method.as_str().as_bytes(), uri.path().as_bytes(), &body]);
        let wish = idempotency_key(&headers)?.map(|given| Wish {
            id: hash(&[b"book", asker.name.as_bytes(), given.as_bytes()]),
            request,
        });
        let asked = Asked {
            by: asker.name.to_string(),
            seen: seen(&headers)?,
            dry_run: trying.dry_run,
            wish: wish.filter(|_| !trying.dry_run),
        };
        Ok(Request { asked, body })
    }
}

impl Request {
    /// Refused if there is a body.
    fn bodiless(&self) -> Result<(), Problem> {
        match self.body.is_empty() {
            true => Ok(()),
            false => Err(malformed("this takes no body".to_owned())),
        }
    }

    fn wanted<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::object(&self.body)
    }

    /// Writes a document in place of the one that was read, with its new revision.
    async fn written(
        &self,
        door: &Door,
        documents: &Documents,
        id: &str,
        new: New,
    ) -> Result<Tagged<Written>, Problem> {
        let written = door.write(documents, id, new, &self.asked).await?;
        Ok(Tagged(written.revision, written))
    }
}

/// The revision in the `If-Match`, if there is one.
fn seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let number = tag.to_str().ok().and_then(|tag| tag.trim().trim_matches('"').parse().ok());
    number.map(Some).ok_or_else(|| malformed("If-Match: use the ETag, such as \"17\"".to_owned()))
}

fn malformed(detail: String) -> Problem {
    Problem::new(&refusals::MALFORMED_REQUEST).detail(detail)
}
