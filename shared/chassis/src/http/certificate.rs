//! Certificate of a port: read from PEM, and replaced while connections go on.

use parking_lot::RwLock;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use x509_parser::parse_x509_certificate;

/// Protocol that an authority speaks to a port it checks (RFC 8737). It ends with the handshake.
pub(super) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// Certificate with its chain and its private key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    begins_at_s: i64,
    ends_at_s: i64,
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in the chain's PEM, or one that cannot be decoded.
    #[error("no certificate in PEM form")]
    NoCertificate,
    /// No private key in the key's PEM, or one that cannot be decoded.
    #[error("no private key in PEM form")]
    NoKey,
    /// Certificate that is not one of X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Key of another certificate, or of a kind that is not supported.
    #[error("the private key does not fit the certificate: {0}")]
    OtherKey(rustls::Error),
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and its key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Certificate, CertificateError> {
        Certificate::read(chain, key, CertifiedKey::from_der)
    }

    /// Reads a certificate that answers a challenge. Its key is taken as the right one: a critical
    /// extension (RFC 8737) keeps it from being checked.
    pub fn challenge_from_pem(chain: &[u8], key: &[u8]) -> Result<Certificate, CertificateError> {
        Certificate::read(chain, key, |chain, key, provider| {
            Ok(CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?))
        })
    }

    fn read(
        chain: &[u8],
        key: &[u8],
        join: impl FnOnce(
            Vec<CertificateDer<'static>>,
            PrivateKeyDer<'static>,
            &CryptoProvider,
        ) -> Result<CertifiedKey, rustls::Error>,
    ) -> Result<Certificate, CertificateError> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_| CertificateError::NoCertificate)?;
        let own = chain.first().ok_or(CertificateError::NoCertificate)?;
        let (_, parsed) = parse_x509_certificate(own).map_err(|_| CertificateError::Unreadable)?;
        let validity = parsed.validity();
        let begins_at_s = validity.not_before.timestamp();
        let ends_at_s = validity.not_after.timestamp();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
        let key = join(chain, key, &default_provider()).map_err(CertificateError::OtherKey)?;
        Ok(Certificate { key: Arc::new(key), begins_at_s, ends_at_s })
    }

    /// Beginning of its validity in Unix seconds.
    pub fn begins_at_s(&self) -> i64 {
        self.begins_at_s
    }

    /// End of its validity in Unix seconds.
    pub fn ends_at_s(&self) -> i64 {
        self.ends_at_s
    }

    /// True if it names this host, a DNS name or an address.
    pub fn names(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        let own = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        own.is_ok_and(|own| verify_server_name(&own, &name).is_ok())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("ends_at_s", &self.ends_at_s).finish_non_exhaustive()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Certificate) -> bool {
        self.key.cert == other.key.cert
    }
}

/// Certificate that a port serves now, if there is one yet. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServedCertificate(Arc<RwLock<Served>>);

#[derive(Debug, Default)]
struct Served {
    certificate: Option<Certificate>,
    /// Answer to an authority that asks whether the port is that of its host.
    challenge: Option<Certificate>,
}

impl ServedCertificate {
    /// Serves a certificate.
    pub fn new(certificate: Certificate) -> ServedCertificate {
        let served = ServedCertificate::default();
        served.replace(certificate);
        served
    }

    /// Serves another one to new connections. Returns whether it differs from the former one.
    pub fn replace(&self, certificate: Certificate) -> bool {
        record_end(&certificate);
        let former = self.0.write().certificate.replace(certificate.clone());
        former != Some(certificate)
    }

    /// Returns the certificate that is served; `None` while there is none, when every handshake
    /// fails.
    pub fn current(&self) -> Option<Certificate> {
        self.0.read().certificate.clone()
    }

    /// Sets the certificate that answers an authority's challenge `tls-alpn-01` (RFC 8737).
    pub fn set_challenge(&self, challenge: Option<Certificate>) {
        self.0.write().challenge = challenge;
    }

    /// Handshakes with it, for HTTP/1.1 and for an authority's challenge.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .expect("the provider has both versions")
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec(), CHALLENGE_PROTOCOL.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for ServedCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An authority offers this protocol alone.
        let is_challenge =
            hello.alpn().is_some_and(|mut offered| offered.all(|name| name == CHALLENGE_PROTOCOL));
        let served = self.0.read();
        let certificate = if is_challenge { &served.challenge } else { &served.certificate };
        certificate.as_ref().map(|certificate| certificate.key.clone())
    }
}

fn record_end(certificate: &Certificate) {
    metrics::gauge!("paihao_certificate_end_timestamp_seconds").set(certificate.ends_at_s as f64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    fn made(name: &str) -> (String, String) {
        let Made { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_is_read_with_its_key_its_names_and_its_end() {
        let (chain, key) = made("queue.example.com");
        let read = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert!(read.names("queue.example.com"));
        assert!(!read.names("example.com") && !read.names("10.0.0.1") && !read.names(""));
        assert!(read.ends_at_s() > 1_764_000_000);
        assert!(!format!("{read:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (chain, key) = made("a.example.com");
        let (_, other_key) = made("a.example.com");
        let error = |chain: &str, key: &str| {
            Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err()
        };
        assert!(matches!(error("", &key), CertificateError::NoCertificate));
        assert!(matches!(error(&key, &key), CertificateError::NoCertificate));
        assert!(matches!(error(&chain, &chain), CertificateError::NoKey));
        assert!(matches!(error(&chain, &other_key), CertificateError::OtherKey(_)));
        let noise = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(error(noise, &key), CertificateError::Unreadable));
    }

    #[test]
    fn another_certificate_is_told_from_the_same_one() {
        let [one, other] = [(); 2].map(|()| {
            let (chain, key) = made("a.example.com");
            Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
        });
        let served = ServedCertificate::new(one.clone());
        assert!(!served.replace(one));
        assert!(served.replace(other.clone()));
        assert_eq!(served.current(), Some(other));
        assert_eq!(ServedCertificate::default().current(), None);
    }
}
