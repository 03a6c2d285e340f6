//! Files of TLS, read before the first connection, so that a wrong path is told at the start.

use crate::{InvalidOptions, RedisOptions};
use redis::{ClientTlsConfig, TlsCertificates};
use std::path::Path;

/// Reads the certificates; `None` for an address without TLS.
pub(crate) fn certificates(
    options: &RedisOptions,
) -> Result<Option<TlsCertificates>, InvalidOptions> {
    let RedisOptions { url, tls_ca, tls_certificate, tls_key, .. } = options;
    if !url.starts_with("rediss://") {
        let is_set = tls_ca.is_some() || tls_certificate.is_some() || tls_key.is_some();
        let advice = "certificates are for an address that begins with rediss://";
        return if is_set { Err(InvalidOptions::Tls(advice.to_owned())) } else { Ok(None) };
    }
    let client_tls = match (tls_certificate, tls_key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        _ => {
            let advice = "a certificate needs its key, and a key its certificate";
            return Err(InvalidOptions::Tls(advice.to_owned()));
        }
    };
    let root_cert = tls_ca.as_deref().map(read).transpose()?;
    Ok(Some(TlsCertificates { client_tls, root_cert }))
}

fn read(file: &Path) -> Result<Vec<u8>, InvalidOptions> {
    let text = std::fs::read(file);
    text.map_err(|error| InvalidOptions::Tls(format!("cannot read {}: {error}", file.display())))
}
