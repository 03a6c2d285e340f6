//! Query parameters of a callback's address.

use crate::secret::OpenId;
use url::form_urlencoded;

/// Decoded query of a callback.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallbackQuery {
    /// Signature over token, timestamp and nonce.
    pub signature: String,
    /// Unix seconds.
    pub timestamp: String,
    /// Random number of the request.
    pub nonce: String,
    /// Text that a verification wants returned byte for byte; absent in a push.
    pub echostr: Option<String>,
    /// Person who caused the push; sometimes absent, and covered by no signature.
    pub openid: Option<OpenId>,
    /// `aes` if the body is encrypted; absent or `raw` in plain mode.
    pub encrypt_type: Option<String>,
    /// Signature that covers the encrypted body too.
    pub msg_signature: Option<String>,
}

/// Faults of a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A mandatory parameter is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A parameter occurs twice: it is unknown which value was signed.
    #[error("a parameter occurs twice")]
    Duplicate,
}

impl CallbackQuery {
    /// Parses the part of an address after `?`. Unknown parameters are ignored.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let [mut signature, mut timestamp, mut nonce, mut echostr] = [const { None }; 4];
        let [mut openid, mut encrypt_type, mut msg_signature] = [const { None }; 3];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match name.as_ref() {
                "signature" => &mut signature,
                "timestamp" => &mut timestamp,
                "nonce" => &mut nonce,
                "echostr" => &mut echostr,
                "openid" => &mut openid,
                "encrypt_type" => &mut encrypt_type,
                "msg_signature" => &mut msg_signature,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return Err(QueryError::Duplicate);
            }
        }
        Ok(CallbackQuery {
            signature: signature.ok_or(QueryError::Missing("signature"))?,
            timestamp: timestamp.ok_or(QueryError::Missing("timestamp"))?,
            nonce: nonce.ok_or(QueryError::Missing("nonce"))?,
            echostr,
            openid: openid.map(OpenId::new),
            encrypt_type,
            msg_signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_query_is_read() {
        let query = CallbackQuery::parse(
            "signature=899c&timestamp=1668926536&nonce=794508645&openid=ooUo26&encrypt_type=aes&msg_signature=aa&new=1",
        )
        .unwrap();
        assert_eq!((&*query.timestamp, &*query.nonce), ("1668926536", "794508645"));
        assert_eq!(query.openid.unwrap().expose(), "ooUo26");
        assert_eq!(query.encrypt_type.as_deref(), Some("aes"));
        assert_eq!(query.echostr, None);
    }

    #[test]
    fn values_are_decoded() {
        let query = CallbackQuery::parse("signature=a%2Bb&timestamp=1&nonce=x+y&echostr=").unwrap();
        assert_eq!((&*query.signature, &*query.nonce), ("a+b", "x y"));
        assert_eq!(query.echostr.as_deref(), Some(""));
    }

    #[test]
    fn a_missing_or_repeated_parameter_is_reported() {
        assert_eq!(CallbackQuery::parse(""), Err(QueryError::Missing("signature")));
        assert_eq!(
            CallbackQuery::parse("signature=1&nonce=1"),
            Err(QueryError::Missing("timestamp"))
        );
        assert_eq!(
            CallbackQuery::parse("signature=1&signature=2&timestamp=1&nonce=1"),
            Err(QueryError::Duplicate)
        );
    }
}
