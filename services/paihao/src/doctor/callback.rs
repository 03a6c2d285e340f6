//! Plays WeChat at an account's callback address.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use crate::config::{Config, ResolvedConfig};
use paihao_chassis::entropy;
use paihao_wechat::callback::Mode;
use paihao_wechat::probe::{ProbeError, ProbeStamp};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

pub(super) async fn check(
    config: &Config,
    setup: &ResolvedConfig,
    name: &str,
    ward: &ProbeContext,
) -> Vec<Finding> {
    let Some(account) = setup.settings.accounts.get(name) else { return Vec::new() };
    let protection = &account.protection;
    let mut found = Vec::new();
    let inside = config.gateway.public.is_empty();
    let base = match inside {
        true => {
            found.push(Finding::new(name, findings::CALLBACK_INSIDE));
            format!("http://{}", loopback_if_unspecified(setup.gateway_listen))
        }
        false => config.gateway.public.trim_end_matches('/').to_owned(),
    };
    let address = format!("{base}/wechat/{name}");
    let Ok(address) = Url::parse(&address) else { return found };
    if !inside {
        found.extend(address_findings(name, &address));
    }
    if protection.mode == Mode::Plain {
        found.push(Finding::new(name, findings::MODE_PLAIN));
    }
    let verified =
        ward.client.verify_callback(&address, &protection.token, true, probe_stamp(ward)).await;
    if let Err(unfit) = verified {
        found.push(verification_finding(name, &address, &unfit));
        return found;
    }
    let open =
        ward.client.verify_callback(&address, &protection.token, false, probe_stamp(ward)).await;
    found.push(match open {
        Ok(()) => finding(name, findings::CALLBACK_UNGUARDED, address.as_str()),
        Err(_) => finding(name, findings::CALLBACK_OK, address.as_str()),
    });
    found.push(match ward.client.push_callback(&address, protection, probe_stamp(ward)).await {
        Ok(()) => finding(name, findings::MODE_OK, format!("{:?}", protection.mode).to_lowercase()),
        Err(unfit) => push_finding(name, &unfit),
    });
    found
}

fn probe_stamp(ward: &ProbeContext) -> ProbeStamp {
    ProbeStamp {
        now_ms: ward.now_ms(),
        nonce: u32::from_be_bytes(entropy::bytes()),
        random: entropy::bytes(),
    }
}

/// Where a listener that listens everywhere is found on this machine.
fn loopback_if_unspecified(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    listen
}

/// What WeChat would not like about an address before it asks.
fn address_findings(name: &str, address: &Url) -> Vec<Finding> {
    let mut found = Vec::new();
    let port = address.port_or_known_default().unwrap_or(0);
    if ![80, 443].contains(&port) {
        found.push(finding(name, findings::CALLBACK_WRONG_PORT, port.to_string()));
    }
    let private = match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(domain)) => domain == "localhost" || !domain.contains('.'),
        None => true,
    };
    if private {
        let host = address.host_str().unwrap_or_default();
        found.push(finding(name, findings::CALLBACK_PRIVATE, host));
    }
    if address.scheme() != "https" {
        found.push(Finding::new(name, findings::CALLBACK_NOT_HTTPS));
    }
    found
}

fn verification_finding(name: &str, address: &Url, unfit: &ProbeError) -> Finding {
    let kind = match unfit {
        ProbeError::NoResponse(_) => findings::CALLBACK_SILENT,
        ProbeError::UnexpectedResponse { code, .. } => match code.as_str() {
            "wrong_signature" => findings::CALLBACK_WRONG_TOKEN,
            "stale_callback" => findings::CALLBACK_WRONG_CLOCK,
            _ => findings::CALLBACK_WRONG_ANSWER,
        },
    };
    finding(name, kind, format!("{address}: {unfit}"))
}

fn push_finding(name: &str, unfit: &ProbeError) -> Finding {
    let kind = match unfit {
        ProbeError::UnexpectedResponse { code, .. } => match code.as_str() {
            // Sent plain, it is msg_signature that a mode that encrypts misses first.
            "encrypted_callback" | "plain_callback" | "bad_callback_query" => findings::MODE_WRONG,
            "undecipherable_callback" => findings::KEY_WRONG,
            _ => findings::PUSH_REFUSED,
        },
        ProbeError::NoResponse(_) => findings::PUSH_REFUSED,
    };
    finding(name, kind, unfit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_wechat_cannot_use_is_seen_before_it_is_asked() {
        let seen = |address: &str| -> Vec<&str> {
            let found = address_findings("shop", &address.parse().unwrap());
            found.iter().map(|finding| finding.kind.code).collect()
        };
        assert_eq!(seen("https://shop.example.com/x"), [""; 0]);
        assert_eq!(seen("http://shop.example.com/x"), ["callback_not_https"]);
        assert_eq!(seen("https://shop.example.com:8443/"), ["callback_wrong_port"]);
        assert_eq!(seen("https://10.0.0.5/"), ["callback_private"]);
        assert_eq!(seen("https://gateway/"), ["callback_private"]);
    }

    #[test]
    fn every_refusal_of_the_gateway_leads_to_its_cause() {
        let address = "https://shop.example.com/".parse().unwrap();
        let said = |code: &str| ProbeError::UnexpectedResponse { status: 403, code: code.into() };
        for (code, kind) in [
            ("wrong_signature", findings::CALLBACK_WRONG_TOKEN),
            ("stale_callback", findings::CALLBACK_WRONG_CLOCK),
            ("", findings::CALLBACK_WRONG_ANSWER),
        ] {
            assert_eq!(verification_finding("shop", &address, &said(code)).kind, kind);
        }
        for (code, kind) in [
            ("encrypted_callback", findings::MODE_WRONG),
            ("plain_callback", findings::MODE_WRONG),
            ("bad_callback_query", findings::MODE_WRONG),
            ("undecipherable_callback", findings::KEY_WRONG),
            ("malformed_xml", findings::PUSH_REFUSED),
        ] {
            assert_eq!(push_finding("shop", &said(code)).kind, kind);
        }
    }
}
