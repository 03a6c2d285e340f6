//! One order of a certificate: account, challenge, certificate.

use super::AcmeOptions;
use super::http::AuthorityClient;
use super::store::Store;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use paihao_chassis::http::{Certificate, ServedCertificate};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Waiting for the authority, which asks the port from several places.
const POLL: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// Longest text of a failure, in characters.
const MAX_ERROR_CHARS: usize = 300;

/// Beginning of the types of an authority's problems (RFC 8555, section 6.7).
const PROBLEM_PREFIX: &str = "urn:ietf:params:acme:error:";

/// Certificate with its chain and its key, in PEM.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) key: String,
}

/// Cause of a failure, by what is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureKind {
    /// The authority does not answer.
    Unreachable,
    /// The authority did not find this port at the host.
    HostNotReached,
    /// The authority has been asked too often.
    Limited,
    /// Anything else.
    Refused,
}

/// Failure of an order.
#[derive(Debug)]
pub(super) struct OrderError {
    pub(super) kind: FailureKind,
    pub(super) text: String,
}

impl OrderError {
    fn new(kind: FailureKind, text: &str) -> OrderError {
        OrderError { kind, text: text.chars().take(MAX_ERROR_CHARS).collect() }
    }

    /// The authority did not come to an end.
    pub(super) fn timed_out() -> OrderError {
        OrderError::new(FailureKind::Unreachable, "the authority did not end in time")
    }

    /// What came is of no use.
    pub(super) fn unusable(text: String) -> OrderError {
        OrderError::new(FailureKind::Refused, &text)
    }

    /// Returns whether the authority does not know the account (any more).
    pub(super) fn is_unknown_account(&self) -> bool {
        self.text.ends_with("(accountDoesNotExist)")
    }
}

impl From<Error> for OrderError {
    fn from(error: Error) -> OrderError {
        match error {
            Error::Api(problem) => problem.into(),
            Error::Timeout(_) => OrderError::timed_out(),
            // The client's own, and what is no JSON: a page of somebody in between.
            Error::Other(error) => OrderError::new(FailureKind::Unreachable, &with_causes(&*error)),
            Error::Json(_) => {
                OrderError::new(FailureKind::Unreachable, "the answer is not that of an authority")
            }
            error => OrderError::new(FailureKind::Refused, &error.to_string()),
        }
    }
}

impl From<Problem> for OrderError {
    fn from(problem: Problem) -> OrderError {
        let name = problem.r#type.as_deref().unwrap_or_default();
        let name = name.strip_prefix(PROBLEM_PREFIX).unwrap_or(name);
        let kind = match name {
            "connection" | "dns" | "tls" | "unauthorized" | "incorrectResponse" => {
                FailureKind::HostNotReached
            }
            "rateLimited" => FailureKind::Limited,
            "serverInternal" => FailureKind::Unreachable,
            _ => FailureKind::Refused,
        };
        let mut detail = problem.detail.clone().unwrap_or_default();
        for part in &problem.subproblems {
            detail = format!("{detail}; {}", part.detail.as_deref().unwrap_or_default());
        }
        let room = MAX_ERROR_CHARS.saturating_sub(name.len() + 3);
        let detail: String = detail.chars().take(room).collect();
        OrderError::new(kind, &format!("{detail} ({name})"))
    }
}

impl From<rcgen::Error> for OrderError {
    fn from(error: rcgen::Error) -> OrderError {
        OrderError::new(FailureKind::Refused, &error.to_string())
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Opens the stored account, or makes one.
pub(super) async fn account(
    options: &AcmeOptions,
    client: &AuthorityClient,
    store: &Store,
) -> Result<Account, OrderError> {
    let builder = || Account::builder_with_http(Box::new(client.clone()));
    let directory = options.directory.as_str();
    if let Some(credentials) = store.account(directory) {
        return Ok(builder().from_credentials(credentials).await?);
    }
    let contact: Vec<&str> = options.contact.as_deref().into_iter().collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = builder().create(&new, directory.to_owned(), None).await?;
    store.set_account(directory, &credentials).map_err(|error| {
        OrderError::new(FailureKind::Refused, &format!("cannot keep the account: {error:#}"))
    })?;
    Ok(account)
}

/// Gets a certificate for a host whose port serves `served`.
pub(super) async fn obtain(
    account: &Account,
    host: &str,
    served: &ServedCertificate,
) -> Result<Issued, OrderError> {
    let identifiers = [Identifier::Dns(host.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    answer_challenges(&mut order, host, served).await?;
    let ready = order.poll_ready(&POLL).await;
    if !matches!(ready, Ok(OrderStatus::Ready)) {
        if let Some(problem) = refused_check(&mut order).await {
            return Err(problem.into());
        }
        let status = ready?;
        return Err(OrderError::unusable(format!("the order is {status:?}")));
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([host.to_owned()])?;
    // Authorities refuse a name beside the host's.
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&POLL).await?;
    Ok(Issued { chain, key: key.serialize_pem() })
}

/// Has the port answer the authority's challenges.
async fn answer_challenges(
    order: &mut Order,
    host: &str,
    served: &ServedCertificate,
) -> Result<(), OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(OrderError::unusable("the authority offers no tls-alpn-01".to_owned()));
        };
        let digest = challenge.key_authorization().digest();
        served.set_challenge(Some(challenge_certificate(host, digest.as_ref())?));
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Certificate that answers a challenge, signed by itself.
fn challenge_certificate(host: &str, digest: &[u8]) -> Result<Certificate, OrderError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let chain = params.self_signed(&key)?.pem();
    Certificate::challenge_from_pem(chain.as_bytes(), key.serialize_pem().as_bytes())
        .map_err(|error| OrderError::unusable(error.to_string()))
}

/// Reads why the authority was not content with an answer.
async fn refused_check(order: &mut Order) -> Option<Problem> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        let refused = state.challenges.iter().find_map(|challenge| challenge.error.clone());
        if refused.is_some() {
            return refused;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_what_is_to_be_done() {
        let problem = |name: &str| Problem {
            r#type: Some(format!("{PROBLEM_PREFIX}{name}")),
            detail: Some("x".repeat(1000)),
            status: Some(400),
            subproblems: Vec::new(),
        };
        for (name, kind) in [
            ("connection", FailureKind::HostNotReached),
            ("dns", FailureKind::HostNotReached),
            ("rateLimited", FailureKind::Limited),
            ("rejectedIdentifier", FailureKind::Refused),
            ("serverInternal", FailureKind::Unreachable),
        ] {
            let error = OrderError::from(problem(name));
            assert_eq!(error.kind, kind, "{name}");
            assert!(error.text.ends_with(&format!("({name})")), "{}", error.text);
            assert!(error.text.chars().count() <= MAX_ERROR_CHARS);
        }
        assert!(OrderError::from(problem("accountDoesNotExist")).is_unknown_account());
        assert!(!OrderError::from(problem("dns")).is_unknown_account());
    }

    #[test]
    fn a_challenge_has_an_answer() {
        let certificate = challenge_certificate("queue.example.com", &[7; 32]).unwrap();
        assert!(certificate.begins_at_s() < certificate.ends_at_s());
    }
}
