//! Plays WeChat at an account's callback address.

use super::report::Finding;
use super::{Ward, finding, kinds};
use crate::config::{Config, Setup};
use paihao_chassis::entropy;
use paihao_wechat::callback::Mode;
use paihao_wechat::probe::{Stamp, Unfit};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

pub(super) async fn look(config: &Config, setup: &Setup, name: &str, ward: &Ward) -> Vec<Finding> {
    let Some(account) = setup.book.accounts.get(name) else { return Vec::new() };
    let protection = &account.protection;
    let mut found = Vec::new();
    let inside = config.gateway.public.is_empty();
    let base = match inside {
        true => {
            found.push(Finding::of(name, kinds::CALLBACK_INSIDE));
            format!("http://{}", reachable(setup.listen))
        }
        false => config.gateway.public.trim_end_matches('/').to_owned(),
    };
    let address = format!("{base}/wechat/{name}");
    let Ok(address) = Url::parse(&address) else { return found };
    if !inside {
        found.extend(outward(name, &address));
    }
    if protection.mode == Mode::Plain {
        found.push(Finding::of(name, kinds::MODE_PLAIN));
    }
    let verified =
        ward.client.verify_callback(&address, &protection.token, true, stamp(ward)).await;
    if let Err(unfit) = verified {
        found.push(unverified(name, &address, &unfit));
        return found;
    }
    let open = ward.client.verify_callback(&address, &protection.token, false, stamp(ward)).await;
    found.push(match open {
        Ok(()) => finding(name, kinds::CALLBACK_UNGUARDED, address.as_str()),
        Err(_) => finding(name, kinds::CALLBACK_OK, address.as_str()),
    });
    found.push(match ward.client.push_callback(&address, protection, stamp(ward)).await {
        Ok(()) => finding(name, kinds::MODE_OK, format!("{:?}", protection.mode).to_lowercase()),
        Err(unfit) => unpushed(name, &unfit),
    });
    found
}

fn stamp(ward: &Ward) -> Stamp {
    Stamp {
        now_ms: ward.now_ms(),
        nonce: u32::from_be_bytes(entropy::bytes()),
        random: entropy::bytes(),
    }
}

/// Where a listener that listens everywhere is found on this machine.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    listen
}

/// What WeChat would not like about an address before it asks.
fn outward(name: &str, address: &Url) -> Vec<Finding> {
    let mut found = Vec::new();
    let port = address.port_or_known_default().unwrap_or(0);
    if ![80, 443].contains(&port) {
        found.push(finding(name, kinds::CALLBACK_WRONG_PORT, port.to_string()));
    }
    let private = match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(domain)) => domain == "localhost" || !domain.contains('.'),
        None => true,
    };
    if private {
        let host = address.host_str().unwrap_or_default();
        found.push(finding(name, kinds::CALLBACK_PRIVATE, host));
    }
    if address.scheme() != "https" {
        found.push(Finding::of(name, kinds::CALLBACK_NOT_HTTPS));
    }
    found
}

fn unverified(name: &str, address: &Url, unfit: &Unfit) -> Finding {
    let kind = match unfit {
        Unfit::Silent(_) => kinds::CALLBACK_SILENT,
        Unfit::Said { code, .. } => match code.as_str() {
            "wrong_signature" => kinds::CALLBACK_WRONG_TOKEN,
            "stale_callback" => kinds::CALLBACK_WRONG_CLOCK,
            _ => kinds::CALLBACK_WRONG_ANSWER,
        },
    };
    finding(name, kind, format!("{address}: {unfit}"))
}

fn unpushed(name: &str, unfit: &Unfit) -> Finding {
    let kind = match unfit {
        Unfit::Said { code, .. } => match code.as_str() {
            // Sent plain, it is msg_signature that a mode that encrypts misses first.
            "encrypted_callback" | "plain_callback" | "bad_callback_query" => kinds::MODE_WRONG,
            "undecipherable_callback" => kinds::KEY_WRONG,
            _ => kinds::PUSH_REFUSED,
        },
        Unfit::Silent(_) => kinds::PUSH_REFUSED,
    };
    finding(name, kind, unfit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_wechat_cannot_use_is_seen_before_it_is_asked() {
        let seen = |address: &str| -> Vec<&str> {
            let found = outward("shop", &address.parse().unwrap());
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
        let said = |code: &str| Unfit::Said { status: 403, code: code.into() };
        for (code, kind) in [
            ("wrong_signature", kinds::CALLBACK_WRONG_TOKEN),
            ("stale_callback", kinds::CALLBACK_WRONG_CLOCK),
            ("", kinds::CALLBACK_WRONG_ANSWER),
        ] {
            assert_eq!(unverified("shop", &address, &said(code)).kind, kind);
        }
        for (code, kind) in [
            ("encrypted_callback", kinds::MODE_WRONG),
            ("plain_callback", kinds::MODE_WRONG),
            ("bad_callback_query", kinds::MODE_WRONG),
            ("undecipherable_callback", kinds::KEY_WRONG),
            ("malformed_xml", kinds::PUSH_REFUSED),
        ] {
            assert_eq!(unpushed("shop", &said(code)).kind, kind);
        }
    }
}
