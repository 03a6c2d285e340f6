//! Probe of an account's callback address with the requests that WeChat sends.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use crate::config::{Config, ResolvedConfig};
use jiff::Timestamp;
use paihao_chassis::entropy;
use paihao_wechat::callback::{Mode, Protection};
use paihao_wechat::probe::{ProbeError, ProbeStamp};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

pub(super) async fn check(
    config: &Config,
    resolved: &ResolvedConfig,
    name: &str,
    context: &ProbeContext,
) -> Vec<Finding> {
    let Some(account) = resolved.settings.accounts.get(name) else { return Vec::new() };
    let protection = &*account.protection();
    let mut findings = Vec::new();
    let inside = config.gateway.public.is_empty();
    let base = if inside {
        findings.push(Finding::new(name, findings::CALLBACK_INSIDE));
        format!("http://{}", loopback_if_unspecified(resolved.gateway_listen))
    } else {
        config.gateway.public.trim_end_matches('/').to_owned()
    };
    let address = format!("{base}/wechat/{name}");
    let Ok(address) = Url::parse(&address) else { return findings };
    if !inside {
        findings.extend(address_findings(name, &address));
        if config.gateway.trusted_proxies.is_empty() && resolved.https.is_none() {
            findings.push(Finding::new(name, findings::PROXIES_UNNAMED));
        }
    }
    if config.accounts_with_short_token().any(|account| account == name) {
        findings.push(Finding::new(name, findings::TOKEN_SHORT));
    }
    if protection.mode == Mode::Plain {
        findings.push(Finding::new(name, findings::MODE_PLAIN));
    }
    let verified = context
        .client
        .verify_callback(&address, &protection.token, true, probe_stamp(context))
        .await;
    if let Err(error) = verified {
        findings.push(verification_finding(name, &address, &error));
        return findings;
    }
    let unguarded = context
        .client
        .verify_callback(&address, &protection.token, false, probe_stamp(context))
        .await;
    findings.push(match unguarded {
        Ok(()) => finding(name, findings::CALLBACK_UNGUARDED, address.as_str()),
        Err(_) => finding(name, findings::CALLBACK_OK, address.as_str()),
    });
    findings.push(
        match context.client.push_callback(&address, protection, probe_stamp(context)).await {
            Ok(()) => {
                finding(name, findings::MODE_OK, format!("{:?}", protection.mode).to_lowercase())
            }
            Err(error) => push_finding(name, &error),
        },
    );
    findings.extend(check_former_mode(name, &address, protection, context).await);
    findings
}

/// Pushes in the mode before a change, which is accepted for a time.
async fn check_former_mode(
    name: &str,
    address: &Url,
    protection: &Protection,
    context: &ProbeContext,
) -> Option<Finding> {
    let former = protection.former_mode?;
    let until = Timestamp::from_second(former.until_s).map(|until| until.to_string());
    let detail = format!("{:?}, {}", former.mode, until.unwrap_or_default()).to_lowercase();
    if context.now_ms().div_euclid(1000) > former.until_s {
        return Some(finding(name, findings::FORMER_MODE_OVER, detail));
    }
    let former = Protection { mode: former.mode, ..protection.clone() };
    let pushed = context.client.push_callback(address, &former, probe_stamp(context)).await;
    Some(match pushed {
        Ok(()) => finding(name, findings::FORMER_MODE_ACCEPTED, detail),
        Err(error) => push_finding(name, &error),
    })
}

fn probe_stamp(context: &ProbeContext) -> ProbeStamp {
    ProbeStamp {
        now_ms: context.now_ms(),
        nonce: u32::from_be_bytes(entropy::bytes()),
        random: entropy::bytes(),
    }
}

/// Replaces an unspecified address (0.0.0.0, ::) by loopback, to reach the listener from this
/// machine.
fn loopback_if_unspecified(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    listen
}

/// Findings about a callback address that need no request: its port, host and scheme.
fn address_findings(name: &str, address: &Url) -> Vec<Finding> {
    let mut findings = Vec::new();
    let port = address.port_or_known_default().unwrap_or(0);
    if ![80, 443].contains(&port) {
        findings.push(finding(name, findings::CALLBACK_WRONG_PORT, port.to_string()));
    }
    let private = match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(domain)) => domain == "localhost" || !domain.contains('.'),
        None => true,
    };
    if private {
        let host = address.host_str().unwrap_or_default();
        findings.push(finding(name, findings::CALLBACK_PRIVATE, host));
    }
    if address.scheme() != "https" {
        findings.push(Finding::new(name, findings::CALLBACK_NOT_HTTPS));
    }
    findings
}

fn verification_finding(name: &str, address: &Url, error: &ProbeError) -> Finding {
    let kind = match error {
        ProbeError::NoResponse(_) => findings::CALLBACK_SILENT,
        ProbeError::UnexpectedResponse { code, .. } => match code.as_str() {
            "wrong_signature" => findings::CALLBACK_WRONG_TOKEN,
            "stale_callback" => findings::CALLBACK_WRONG_CLOCK,
            _ => findings::CALLBACK_WRONG_ANSWER,
        },
    };
    finding(name, kind, format!("{address}: {error}"))
}

fn push_finding(name: &str, error: &ProbeError) -> Finding {
    let kind = match error {
        ProbeError::UnexpectedResponse { code, .. } => match code.as_str() {
            "encrypted_callback" | "plain_callback" => findings::MODE_WRONG,
            "undecipherable_callback" => findings::KEY_WRONG,
            _ => findings::PUSH_REFUSED,
        },
        ProbeError::NoResponse(_) => findings::PUSH_REFUSED,
    };
    finding(name, kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_wechat_cannot_use_is_found_before_a_request() {
        let codes = |address: &str| -> Vec<&str> {
            let findings = address_findings("shop", &address.parse().unwrap());
            findings.iter().map(|finding| finding.kind.code).collect()
        };
        assert_eq!(codes("https://shop.example.com/x"), [""; 0]);
        assert_eq!(codes("http://shop.example.com/x"), ["callback_not_https"]);
        assert_eq!(codes("https://shop.example.com:8443/"), ["callback_wrong_port"]);
        assert_eq!(codes("https://10.0.0.5/"), ["callback_private"]);
        assert_eq!(codes("https://gateway/"), ["callback_private"]);
    }

    #[test]
    fn every_refusal_of_the_gateway_leads_to_its_cause() {
        let address = "https://shop.example.com/".parse().unwrap();
        let error = |code: &str| ProbeError::UnexpectedResponse { status: 403, code: code.into() };
        for (code, kind) in [
            ("wrong_signature", findings::CALLBACK_WRONG_TOKEN),
            ("stale_callback", findings::CALLBACK_WRONG_CLOCK),
            ("", findings::CALLBACK_WRONG_ANSWER),
        ] {
            assert_eq!(verification_finding("shop", &address, &error(code)).kind, kind);
        }
        for (code, kind) in [
            ("encrypted_callback", findings::MODE_WRONG),
            ("plain_callback", findings::MODE_WRONG),
            ("bad_callback_query", findings::PUSH_REFUSED),
            ("undecipherable_callback", findings::KEY_WRONG),
            ("malformed_xml", findings::PUSH_REFUSED),
        ] {
            assert_eq!(push_finding("shop", &error(code)).kind, kind);
        }
    }
}
