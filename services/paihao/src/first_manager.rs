//! Link that makes the first manager: `paihao first-manager`.
//!
//! The link works for whoever opens it first, so it reaches nobody but the operator: a start prints
//! it on a terminal alone, since what a service prints is kept in logs. The command reads the
//! ledger that the configuration names, also while processes use it.

use crate::config::Config;
use crate::{operator_key, ports};
use anyhow::{Context, bail};
use futures::TryStreamExt;
use paihao_chassis::Exit;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_contracts::envelope;
use paihao_contracts::staff::StaffEntry;
use paihao_contracts::streams::STAFF;
use paihao_gateway::identity::login::first_manager::{FIRST_MANAGER_CODE_TTL, make_code_from};
use paihao_ledger::Position;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Runs the command and prints the link.
pub async fn run(config: Config) -> Exit {
    match link(&config).await {
        Ok(Some(notice)) => {
            println!("{notice}");
            Exit::Clean
        }
        Ok(None) => {
            println!(
                "已有过管理员，请由管理员邀请 / there has been a manager: ask one to invite you"
            );
            Exit::Clean
        }
        Err(error) => {
            eprintln!("{error:#}");
            Exit::FailedToStart
        }
    }
}

async fn link(config: &Config) -> anyhow::Result<Option<String>> {
    let source = ports::backup_source(&config.ledger).await.context("cannot read the ledger")?;
    let head = source.head(&STAFF).await?;
    let stored: Vec<_> = source.entries(&STAFF, Position::START, head).await?.try_collect().await?;
    let decoded = stored.iter().map(|stored| envelope::decode(&stored.entry.payload));
    let entries: Vec<StaffEntry> =
        decoded.collect::<Result<_, _>>().context("cannot read the log of staff")?;
    if entries.is_empty() {
        bail!("no gateway has used this ledger yet: start one first");
    }
    let keyring = operator_key::read(config)?;
    let opened = entries.into_iter().map(|entry| operator_key::opened(entry, keyring.as_ref()));
    let entries: Vec<_> = opened.collect::<Result<_, _>>()?;
    let code = make_code_from(&entries, SystemClock.now_ms());
    let listen = config.gateway.listen.parse().context("gateway.listen is no address")?;
    Ok(code.map(|code| notice(&pages_url(config, listen), &code)))
}

/// Address of the pages: the public one, or that of this machine in its network.
pub(crate) fn pages_url(config: &Config, listen: SocketAddr) -> String {
    config.gateway.public_url().unwrap_or_else(|| {
        let mut address = listen;
        if listen.ip().is_unspecified() {
            address.set_ip(own_address().unwrap_or(Ipv4Addr::LOCALHOST.into()));
        }
        format!("http://{address}")
    })
}

/// Address of this machine in its network. `None` without one.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation: this picks a route and sends nothing.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Tells the operator of a gateway that nobody manages yet how to become the first manager.
pub(crate) fn announce(pages: &str, code: &str) {
    if std::io::stdout().is_terminal() {
        println!("{}", notice(pages, code));
    } else {
        tracing::info!("nobody manages this yet: `paihao first-manager` prints the link");
    }
}

/// Link for the operator's terminal, and its code for a phone in the same network.
fn notice(pages: &str, code: &str) -> String {
    let minutes = FIRST_MANAGER_CODE_TTL.as_secs() / 60;
    let link = format!("{pages}/login#first={code}");
    format!(
        "
  还没有管理员：{minutes} 分钟内打开下面的链接，扫码或直接在浏览器里成为第一位管理员
  Nobody manages this yet: open this within {minutes} minutes to become the first manager, by a scan or in the browser

  {link}

{}",
        picture(&link)
    )
}

/// QR code of a link, in characters, light on a dark terminal.
fn picture(link: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::L) else {
        return String::new();
    };
    code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_at_the_public_address_or_at_that_of_the_machine() {
        let url = |text: &str, listen: &str| {
            let config = Config::from_text("in x.toml", text).unwrap();
            pages_url(&config, listen.parse().unwrap())
        };
        let public = "[gateway]\npublic = 'https://queue.example.com/'\n";
        assert_eq!(url(public, "0.0.0.0:8080"), "https://queue.example.com");
        assert_eq!(url("", "127.0.0.1:8081"), "http://127.0.0.1:8081");
        let own = url("", "0.0.0.0:8080");
        assert!(own.ends_with(":8080") && !own.contains("0.0.0.0"), "{own}");
    }

    #[test]
    fn the_notice_has_the_link_and_its_code() {
        let notice = notice("https://queue.example.com", "abc.def");
        assert!(notice.contains("https://queue.example.com/login#first=abc.def\n"));
        let rows = notice.lines().filter(|line| line.contains('█')).count();
        assert!(rows > 12, "{notice}");
    }
}
