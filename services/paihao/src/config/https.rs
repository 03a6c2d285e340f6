//! Public address of the gateway, and check of the certificate of its port.

use super::check::parse_listen_address;
use super::{Config, Gateway, LedgerKind};
use crate::acme::AcmeOptions;
use paihao_chassis::config::{ConfigProblems, read_file};
use paihao_chassis::http::{Certificate, CertificateError};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Host;

/// Section of the same name in `default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the manual of every key is default.toml")]
pub struct Acme {
    pub enabled: bool,
    pub accept_terms: bool,
    pub directory: String,
    pub contact: String,
    pub authority_ca: PathBuf,
}

/// HTTPS of the gateway's own port.
#[derive(Debug, Clone, PartialEq)]
pub struct Https {
    /// Source of its certificate.
    pub source: CertificateSource,
    /// Address of a port that leads to the public one, if there is one.
    pub redirect_listen: Option<SocketAddr>,
}

/// Source of a certificate.
#[derive(Debug, Clone, PartialEq)]
pub enum CertificateSource {
    /// Certificate that the files hold now.
    Files(Certificate),
    /// An authority that is asked for it.
    Acme(AcmeOptions),
}

impl Gateway {
    /// Public address without a slash at the end; `None` if it is not set.
    pub fn public_url(&self) -> Option<String> {
        let public = self.public.trim_end_matches('/');
        (!public.is_empty()).then(|| public.to_owned())
    }
}

impl Config {
    /// Reads the certificate. `None` if the gateway's port speaks HTTP, or after a problem.
    pub(super) fn https(&self, problems: &mut ConfigProblems) -> Option<Https> {
        let tls = &self.gateway.tls;
        let redirect_listen = (!tls.redirect_listen.is_empty()).then(|| {
            parse_listen_address("gateway.tls.redirect_listen", &tls.redirect_listen, problems)
        });
        if tls.acme.enabled {
            let options = self.acme_options(problems)?;
            return Some(Https { source: CertificateSource::Acme(options), redirect_listen });
        }
        let files = ["certificate", "key"]
            .map(|key| if key == "key" { &tls.key } else { &tls.certificate });
        let [chain, key] = match files.map(|file| file.as_os_str().is_empty()) {
            [true, true] => {
                if redirect_listen.is_some() {
                    let advice = "set gateway.tls.certificate or gateway.tls.acme, or leave it out";
                    problems.add("gateway.tls.redirect_listen", "there is no certificate", advice);
                }
                return None;
            }
            [true, false] => {
                problems.add(
                    "gateway.tls.certificate",
                    "it is empty",
                    "name the file of the chain",
                );
                return None;
            }
            [false, true] => {
                problems.add("gateway.tls.key", "it is empty", "name the file of the private key");
                return None;
            }
            [false, false] => files,
        };
        let chain = read("gateway.tls.certificate", chain, problems);
        let key = read("gateway.tls.key", key, problems);
        let (chain, key) = (chain?, key?);
        match Certificate::from_pem(&chain, &key) {
            Ok(certificate) => {
                self.check_public(&certificate, problems);
                Some(Https { source: CertificateSource::Files(certificate), redirect_listen })
            }
            Err(error) => {
                let (name, advice) = match error {
                    CertificateError::NoCertificate | CertificateError::Unreadable => {
                        ("certificate", "name the file of the chain, such as fullchain.pem")
                    }
                    CertificateError::NoKey | CertificateError::OtherKey(_) => {
                        ("key", "name the file of its private key, such as privkey.pem")
                    }
                };
                problems.add(&format!("gateway.tls.{name}"), error.to_string(), advice);
                None
            }
        }
    }

    /// Public address, if people and WeChat come by https.
    fn https_url(&self, problems: &mut ConfigProblems) -> Option<Url> {
        let url = Url::parse(&self.gateway.public).ok();
        let url = url.filter(|url| url.scheme() == "https" && url.has_host());
        if url.is_none() {
            let description = "there is a certificate, and this is no https address";
            let advice = "set it to the address of the port, such as https://queue.example.com";
            problems.add("gateway.public", description, advice);
        }
        url
    }

    /// Checks that people and WeChat come by https and by a name of the certificate.
    fn check_public(&self, certificate: &Certificate, problems: &mut ConfigProblems) {
        let Some(url) = self.https_url(problems) else { return };
        let host = url.host_str().unwrap_or_default();
        if !certificate.names(host.trim_matches(['[', ']'])) {
            let description = format!("the certificate does not name {host}");
            let advice = "use a certificate for the host of gateway.public";
            problems.add("gateway.tls.certificate", description, advice);
        }
    }
}

impl Config {
    /// Checks what is asked of an authority. `None` after a problem.
    fn acme_options(&self, problems: &mut ConfigProblems) -> Option<AcmeOptions> {
        let tls = &self.gateway.tls;
        let acme = &tls.acme;
        if ![&tls.certificate, &tls.key].iter().all(|file| file.as_os_str().is_empty()) {
            let advice = "leave gateway.tls.certificate and gateway.tls.key out, or turn this off";
            problems.add("gateway.tls.acme.enabled", "a certificate in files is named too", advice);
        }
        if !acme.accept_terms {
            let advice = "read the authority's terms (of Let's Encrypt: \
                 https://letsencrypt.org/repository/), and set it to true, or use --accept-terms, \
                 if you accept them";
            problems.add("gateway.tls.acme.accept_terms", "it is false", advice);
        }
        if self.ledger.kind == LedgerKind::Nats {
            let description = "it is for one process, and with NATS there can be several gateways: \
                 the authority's check would reach any of them";
            let advice = "have the proxy or balancer in front get the certificate, or give every \
                 gateway one in files (gateway.tls.certificate)";
            problems.add("gateway.tls.acme.enabled", description, advice);
        }
        let directory = Url::parse(&acme.directory).ok().filter(|url| url.scheme() == "https");
        if directory.is_none() {
            let advice = "use the https address of the authority's directory";
            problems.add("gateway.tls.acme.directory", "this is no https address", advice);
        }
        let host = self.https_url(problems).and_then(|url| acme_host(&url, problems));
        let no_authority = acme.authority_ca.as_os_str().is_empty();
        let authority_ca = (!no_authority)
            .then(|| read("gateway.tls.acme.authority_ca", &acme.authority_ca, problems));
        let folder = self.ledger.file.parent().unwrap_or(Path::new("")).join("acme");
        let contact = (!acme.contact.is_empty()).then(|| format!("mailto:{}", acme.contact));
        let is_fine = acme.accept_terms && self.ledger.kind == LedgerKind::Sqlite;
        let (host, directory) = host.zip(directory).filter(|_| is_fine)?;
        let authority_ca = authority_ca.flatten();
        Some(AcmeOptions { host, directory, contact, authority_ca, folder })
    }
}

/// Host that an authority gives certificates for, and checks.
fn acme_host(url: &Url, problems: &mut ConfigProblems) -> Option<String> {
    let Some(Host::Domain(host)) = url.host() else {
        let advice = "use a domain name that leads to this machine";
        problems.add("gateway.public", "no authority gives a certificate for an address", advice);
        return None;
    };
    if url.port_or_known_default() != Some(443) {
        let description = "the authority asks at port 443, and so does WeChat";
        problems.add("gateway.public", description, "leave the port out");
        return None;
    }
    Some(host.to_owned())
}

fn read(key: &str, file: &Path, problems: &mut ConfigProblems) -> Option<Vec<u8>> {
    let read = read_file(file);
    if let Err(error) = &read {
        let description = format!("{} cannot be read: {error}", file.display());
        problems.add(key, description, "name a file that this user may read");
    }
    read.ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Role};
    use rcgen::generate_simple_self_signed;
    use std::path::Path;

    fn problems_of(folder: &Path, tls: &str, public: &str) -> String {
        let tls = tls.replace("DIR", folder.to_str().unwrap());
        let shop = "[accounts.shop]\nappid = 'wx1'\nsecret = 'abcdefgh'\ncallback_token = 'token1token1token1'\nmode = 'plain'\n";
        let text = format!("{shop}[gateway]\npublic = '{public}'\n[gateway.tls]\n{tls}");
        resolved(&text)
    }

    fn resolved(text: &str) -> String {
        match Config::from_text("in x.toml", text).unwrap().resolve(Role::All) {
            Ok(resolved) => format!("{:?}", resolved.https.map(|https| https.redirect_listen)),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_certificate_that_cannot_serve_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        for (name, host) in [("own", "queue.example.com"), ("other", "queue.example.com")] {
            let made = generate_simple_self_signed([host.to_owned()]).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
            let key = made.signing_key.serialize_pem();
            std::fs::write(folder.path().join(format!("{name}.key")), key).unwrap();
        }
        let public = "https://queue.example.com";
        let both = "certificate = 'DIR/own.pem'\nkey = 'DIR/own.key'\n";
        let with_redirect = &format!("{both}redirect_listen = '127.0.0.1:8081'\n");
        for (tls, public, expected) in [
            ("", "", "None"),
            (both, public, "Some(None)"),
            (with_redirect, public, "Some(Some(127.0.0.1:8081))"),
            (both, "http://queue.example.com", "gateway.public"),
            (both, "", "gateway.public"),
            (both, "https://other.example.com", "does not name other.example.com"),
            ("certificate = 'DIR/own.pem'\n", public, "gateway.tls.key: it is empty"),
            ("key = 'DIR/own.key'\n", public, "gateway.tls.certificate: it is empty"),
            ("redirect_listen = '127.0.0.1:8081'\n", "", "there is no certificate"),
            ("certificate = 'DIR/x'\nkey = 'DIR/own.key'\n", public, "cannot be read"),
            ("certificate = 'DIR/own.key'\nkey = 'DIR/own.key'\n", public, "no certificate in PEM"),
            ("certificate = 'DIR/own.pem'\nkey = 'DIR/own.pem'\n", public, "no private key in PEM"),
            ("certificate = 'DIR/own.pem'\nkey = 'DIR/other.key'\n", public, "does not fit"),
        ] {
            let problems = problems_of(folder.path(), tls, public);
            assert!(problems.contains(expected), "{tls} {public}: {problems}");
        }
    }

    #[test]
    fn an_authority_is_asked_only_where_that_can_work() {
        let public = "https://queue.example.com";
        let both = "accept_terms = true\nenabled = true\n";
        for (acme, public, more, expected) in [
            (both, public, "", "Some(None)"),
            ("enabled = true\n", public, "", "acme.accept_terms: it is false"),
            ("accept_terms = true\n", "", "", "None"),
            (both, "", "", "gateway.public"),
            (both, "http://queue.example.com", "", "gateway.public"),
            (both, "https://192.0.2.1", "", "for an address"),
            (both, "https://queue.example.com:8443", "", "at port 443"),
            (both, public, "[ledger]\nkind = 'nats'\n", "there can be several gateways"),
            (&format!("{both}directory = 'http://x.example'"), public, "", "acme.directory"),
            (&format!("{both}authority_ca = '/nowhere'"), public, "", "cannot be read"),
            (both, public, "[gateway.tls]\nkey = '/x'\n", "in files is named too"),
        ] {
            let shop = "[accounts.shop]\nappid = 'wx1'\nsecret = 'abcdefgh'\ncallback_token = 'token1token1token1'\nmode = 'plain'\n";
            let text =
                format!("{shop}[gateway]\npublic = '{public}'\n{more}[gateway.tls.acme]\n{acme}\n");
            let found = resolved(&text);
            assert!(found.contains(expected), "{acme} {public} {more}: {found}");
        }
    }
}
