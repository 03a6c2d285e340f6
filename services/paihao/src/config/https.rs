//! Public address of the gateway, and check of the certificate of its port.

use super::check::parse_listen_address;
use super::{Config, Gateway};
use paihao_chassis::config::ConfigProblems;
use paihao_chassis::http::{Certificate, CertificateError};
use reqwest::Url;
use std::net::SocketAddr;
use std::path::Path;

/// HTTPS of the gateway's own port.
#[derive(Debug, Clone, PartialEq)]
pub struct Https {
    /// Certificate that its files hold now.
    pub certificate: Certificate,
    /// Address of a port that leads to the public one, if there is one.
    pub redirect_listen: Option<SocketAddr>,
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
        let files = ["certificate", "key"]
            .map(|key| if key == "key" { &tls.key } else { &tls.certificate });
        let [chain, key] = match files.map(|file| file.as_os_str().is_empty()) {
            [true, true] => {
                if redirect_listen.is_some() {
                    let advice = "set gateway.tls.certificate, or leave it out";
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
                Some(Https { certificate, redirect_listen })
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

    /// Checks that people and WeChat come by https and by a name of the certificate.
    fn check_public(&self, certificate: &Certificate, problems: &mut ConfigProblems) {
        let url = Url::parse(&self.gateway.public).ok().filter(|url| url.scheme() == "https");
        let Some(host) = url.as_ref().and_then(Url::host_str) else {
            let description = "there is a certificate, and this is no https address";
            let advice = "set it to the address of the port, such as https://queue.example.com";
            problems.add("gateway.public", description, advice);
            return;
        };
        if !certificate.names(host.trim_matches(['[', ']'])) {
            let description = format!("the certificate does not name {host}");
            let advice = "use a certificate for the host of gateway.public";
            problems.add("gateway.tls.certificate", description, advice);
        }
    }
}

fn read(key: &str, file: &Path, problems: &mut ConfigProblems) -> Option<Vec<u8>> {
    let read = std::fs::read(file);
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
        match Config::from_text("in x.toml", &text).unwrap().resolve(Role::All) {
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
}
