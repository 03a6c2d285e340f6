//! OAuth 2.0 authorization-code flow for the owner's other sites: RFC 6749 with PKCE (RFC 7636).

pub(crate) mod authorize;
pub(crate) mod code;
pub(crate) mod id_token;
