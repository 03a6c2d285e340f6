//! Authorization requests of other sites, checked in one place for the page and the API.

use crate::identity::login::settings::{LoginSettings, OAuthClient};
use paihao_contracts::session::AuthorizationRequest;
use std::collections::BTreeMap;
use url::Url;
use url::form_urlencoded;

/// Most characters of `state` and of `nonce`.
const MAX_PARAM_CHARS: usize = 512;

/// Request that is refused here, since the site that sent the browser is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRequest {
    /// A parameter occurs twice.
    #[error("{0} is there twice")]
    DuplicateParameter(String),
    /// The configuration has no client of this id.
    #[error("the client_id is not known")]
    UnknownClient,
    /// The address to go back to is none of the client's.
    #[error("the redirect_uri is not one of the client's")]
    WrongRedirect,
}

/// Error of an authorization request.
pub(crate) enum AuthorizeError {
    /// Error that is shown in the browser, since no redirect address can be trusted.
    Direct(InvalidRequest),
    /// Error that is reported to the site, by redirecting the browser to this address.
    Redirect(String),
}

impl From<InvalidRequest> for AuthorizeError {
    fn from(error: InvalidRequest) -> AuthorizeError {
        AuthorizeError::Direct(error)
    }
}

/// Parses the fields of a query or a form, each of which may come once.
pub(crate) fn parse_params(text: &str) -> Result<BTreeMap<String, String>, InvalidRequest> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if fields.insert(name.to_string(), value.into_owned()).is_some() {
            return Err(InvalidRequest::DuplicateParameter(name.into_owned()));
        }
    }
    Ok(fields)
}

/// Returns the address that a browser is redirected to with these parameters, and with the issuer
/// (RFC 9207), by which a client of several issuers knows whose response it is.
pub(crate) fn redirect_url(
    settings: &LoginSettings,
    redirect: &str,
    state: Option<&str>,
    parameters: &[(&str, &str)],
) -> String {
    let Ok(mut url) = Url::parse(redirect) else { return redirect.to_owned() };
    url.query_pairs_mut().extend_pairs(parameters);
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    if let Some(issuer) = &settings.public_url {
        url.query_pairs_mut().append_pair("iss", issuer);
    }
    url.into()
}

/// Parses an authorization request (RFC 6749, 4.1.1, with PKCE).
pub(crate) fn parse_request(
    settings: &LoginSettings,
    fields: &BTreeMap<String, String>,
) -> Result<AuthorizationRequest, AuthorizeError> {
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let id = field("client_id").unwrap_or_default();
    let client: &OAuthClient = settings.clients.get(id).ok_or(InvalidRequest::UnknownClient)?;
    let redirect = field("redirect_uri").unwrap_or_default();
    // Compared exactly: a similar address may belong to somebody else.
    if !client.redirect_uris.iter().any(|uri| uri == redirect) {
        return Err(InvalidRequest::WrongRedirect.into());
    }
    let state = field("state").filter(|text| text.len() <= MAX_PARAM_CHARS);
    let refuse = |error: &str, description: &str| {
        AuthorizeError::Redirect(redirect_url(
            settings,
            redirect,
            state,
            &[("error", error), ("error_description", description)],
        ))
    };
    if field("response_type") != Some("code") {
        return Err(refuse("unsupported_response_type", "response_type is code"));
    }
    if field("code_challenge_method") != Some("S256") {
        return Err(refuse("invalid_request", "code_challenge_method is S256"));
    }
    let challenge = field("code_challenge").unwrap_or_default();
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(is_base64url) {
        return Err(refuse("invalid_request", "code_challenge is a SHA-256 in base64url"));
    }
    let too_long = |name| field(name).is_some_and(|text| text.len() > MAX_PARAM_CHARS);
    if too_long("state") || too_long("nonce") {
        return Err(refuse("invalid_request", "state and nonce have 512 characters at most"));
    }
    Ok(AuthorizationRequest {
        client: id.to_owned(),
        redirect: redirect.to_owned(),
        challenge: challenge.to_owned(),
        state: state.map(str::to_owned),
        nonce: field("nonce").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::login::settings::Confirmation;

    fn settings() -> LoginSettings {
        let client = OAuthClient {
            name: "内部网".into(),
            redirect_uris: vec!["https://intranet.example.com/back?a=1".into()],
            account: "shop".into(),
            confirm: Confirmation::Digits,
            staff_only: false,
            roles: Vec::new(),
            sites: [].into(),
            logout_url: None,
            unionid: false,
        };
        LoginSettings {
            public_url: Some("https://queue.example.com".into()),
            clients: [("intranet".into(), client)].into(),
            ..Default::default()
        }
    }

    const VALID_QUERY: &str = "response_type=code&client_id=intranet&redirect_uri=https%3A%2F%2Fintranet.example.com%2Fback%3Fa%3D1&state=x%26y&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn parse_query(query: &str) -> Result<AuthorizationRequest, AuthorizeError> {
        parse_request(&settings(), &parse_params(query).map_err(AuthorizeError::Direct)?)
    }

    #[test]
    fn what_is_right_is_taken_as_it_is() {
        let Ok(request) = parse_query(VALID_QUERY) else { panic!("refused") };
        assert_eq!((request.state.as_deref(), request.nonce.as_deref()), (Some("x&y"), Some("n")));
        let parameters = [("code", "abc")];
        let state = request.state.as_deref();
        let url = redirect_url(&settings(), &request.redirect, state, &parameters);
        let expected = "https://intranet.example.com/back?a=1&code=abc&state=x%26y";
        assert_eq!(url, format!("{expected}&iss=https%3A%2F%2Fqueue.example.com"));
    }

    #[test]
    fn a_wrong_site_or_address_is_told_here_and_nowhere_else() {
        use InvalidRequest::{DuplicateParameter, UnknownClient, WrongRedirect};
        for (change, replacement, error) in [
            ("client_id=intranet", "client_id=other", UnknownClient),
            ("client_id=intranet&", "", UnknownClient),
            ("back%3Fa", "back2%3Fa", WrongRedirect),
            ("%3Fa%3D1", "", WrongRedirect),
            ("intranet.example", "intranet.example.com.evil", WrongRedirect),
            ("state=x", "client_id=intranet&state=x", DuplicateParameter("client_id".into())),
        ] {
            let Err(AuthorizeError::Direct(refused)) =
                parse_query(&VALID_QUERY.replace(change, replacement))
            else {
                panic!("{change} → {replacement}")
            };
            assert_eq!(refused, error, "{replacement}");
        }
    }

    #[test]
    fn every_other_mistake_is_told_to_the_site_with_its_state() {
        for (change, replacement, error) in [
            ("response_type=code", "response_type=token", "unsupported_response_type"),
            ("=S256", "=plain", "invalid_request"),
            ("&code_challenge_method=S256", "", "invalid_request"),
            ("E9Mel", "", "invalid_request"),
            ("nonce=n", &*format!("nonce={}", "n".repeat(513)), "invalid_request"),
        ] {
            let Err(AuthorizeError::Redirect(url)) =
                parse_query(&VALID_QUERY.replace(change, replacement))
            else {
                panic!("{change} → {replacement}")
            };
            assert!(url.contains(&format!("error={error}&")), "{url}");
            assert!(url.ends_with("&state=x%26y&iss=https%3A%2F%2Fqueue.example.com"), "{url}");
        }
    }
}
