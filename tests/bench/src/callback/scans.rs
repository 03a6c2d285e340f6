//! Generator of scans: each by another person, with a callback that is ready to be sent.

use paihao_wechat::CallbackToken;
use paihao_wechat::callback::signature;
use std::sync::atomic::{AtomicU64, Ordering};
use wechat_sim::{PushMode, SealOverrides, SimAccount, msg_signature, seal, unseal};

/// Name of the account in the deployment, and the one queue of each of its sites.
pub const ACCOUNT: &str = "shop";
pub const QUEUE: &str = "a";
/// Name of a second account, in secure mode, with the same number of its own sites.
pub const SECURE_ACCOUNT: &str = "sealed";

const CALLBACK_NONCE: &str = "794508645";
/// Placeholder that [`CallbackForm::fill`] overwrites.
const OPENID_BLANK: &str = "oBench0000000000000000000000";
const SITE_BLANK: &str = "s00000";

/// Source of persons for one run; each scans once.
pub struct ScanGenerator {
    account: SimAccount,
    sites: usize,
    next: AtomicU64,
}

/// Callback with placeholders for the person and the site. Filling it in costs a few stores, so
/// that the load generator leaves the machine to the measured servers.
#[derive(Clone)]
pub struct CallbackForm {
    bytes: Vec<u8>,
    openid_offsets: Vec<usize>,
    site_offset: usize,
    /// Envelope of secure mode, in which the bytes are sealed anew for each request.
    envelope: Option<SealedEnvelope>,
}

/// Envelope of a sealed body. The simulator's sealing takes some microseconds a request.
#[derive(Clone)]
struct SealedEnvelope {
    account: SimAccount,
    port: u16,
    timestamp: String,
    request: Vec<u8>,
}

impl ScanGenerator {
    pub fn new(sites: usize) -> ScanGenerator {
        assert!(sites <= 100_000, "a site's name has five digits");
        ScanGenerator { account: SimAccount::default(), sites, next: AtomicU64::new(1) }
    }

    /// Returns the next person and a site, chosen evenly.
    pub fn next(&self) -> (u64, usize) {
        let person = self.next.fetch_add(1, Ordering::Relaxed);
        (person, (mix(person) % self.sites as u64) as usize)
    }

    /// Builds the callback of a scan, signed now, for the server at this port; in secure mode if
    /// `sealed`.
    pub fn callback_form(&self, port: u16, now_ms: i64, sealed: bool) -> CallbackForm {
        let account = if sealed { secure_account() } else { self.account.clone() };
        let now = now_ms / 1000;
        let timestamp = now.to_string();
        let site_blank = if sealed { secure_site_id(0) } else { SITE_BLANK.to_owned() };
        let body = format!(
            "<xml><ToUserName><![CDATA[{us}]]></ToUserName>\n\
             <FromUserName><![CDATA[{OPENID_BLANK}]]></FromUserName>\n\
             <CreateTime>{now}</CreateTime>\n\
             <MsgType><![CDATA[event]]></MsgType>\n\
             <Event><![CDATA[SCAN]]></Event>\n\
             <EventKey><![CDATA[q_{site_blank}_{QUEUE}]]></EventKey>\n\
             <Ticket><![CDATA[gQ{ticket}]]></Ticket>\n\
             </xml>",
            us = account.original_id,
            ticket = "bench".repeat(18),
        );
        let (text, envelope) = if sealed {
            (body, Some(SealedEnvelope { account, port, timestamp, request: Vec::new() }))
        } else {
            let query = query(&account, &timestamp);
            (format!("{}{body}", request_head(port, ACCOUNT, &query, body.len())), None)
        };
        let openid_offsets =
            text.match_indices(OPENID_BLANK).map(|(at, _)| at + OPENID_BLANK.len()).collect();
        let site = text.find(&site_blank).expect("the text was made with it") + site_blank.len();
        CallbackForm { bytes: text.into_bytes(), openid_offsets, site_offset: site, envelope }
    }
}

fn query(account: &SimAccount, timestamp: &str) -> String {
    let token = CallbackToken::new(&*account.callback_token);
    let signature = signature(&token, timestamp, CALLBACK_NONCE);
    format!(
        "signature={signature}&timestamp={timestamp}&nonce={CALLBACK_NONCE}&openid={OPENID_BLANK}"
    )
}

fn request_head(port: u16, account: &str, query: &str, length: usize) -> String {
    format!(
        "POST /wechat/{account}?{query} HTTP/1.1\r\n\
         Host: 127.0.0.1:{port}\r\n\
         User-Agent: Mozilla/4.0\r\n\
         Accept: */*\r\n\
         Pragma: no-cache\r\n\
         Content-Type: text/xml\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Account in secure mode, as the simulator knows it.
pub fn secure_account() -> SimAccount {
    SimAccount {
        appid: "wx00000000005ea1ed".into(),
        mode: PushMode::Secure,
        ..SimAccount::default()
    }
}

/// Opens a sealed reply.
pub fn unseal_reply(account: &SimAccount, reply: &str) -> Option<Vec<u8>> {
    let (_, tail) = reply.split_once("<Encrypt><![CDATA[")?;
    let (sealed, _) = tail.split_once("]]>")?;
    unseal(&account.aes_key, &account.appid, sealed).ok()
}

impl CallbackForm {
    /// Fills in the person and the site, and returns the request.
    pub fn fill(&mut self, person: u64, site: usize) -> &[u8] {
        for &end in &self.openid_offsets {
            write_digits(&mut self.bytes[..end], person, OPENID_BLANK.len() - "oBench".len());
        }
        write_digits(&mut self.bytes[..self.site_offset], site as u64, SITE_BLANK.len() - 1);
        match &mut self.envelope {
            None => &self.bytes,
            Some(envelope) => envelope.wrap(&self.bytes, person),
        }
    }
}

impl SealedEnvelope {
    fn wrap(&mut self, body: &[u8], person: u64) -> &[u8] {
        let SealedEnvelope { account, port, timestamp, request } = self;
        let mut random = *b"0000000000000000";
        write_digits(&mut random, person, 16);
        let sealed =
            seal(&account.aes_key, &account.appid, random, body, &SealOverrides::default());
        let signed = msg_signature(&account.callback_token, timestamp, CALLBACK_NONCE, &sealed);
        let query =
            format!("{}&encrypt_type=aes&msg_signature={signed}", query(account, timestamp));
        let body = format!(
            "<xml>\n    <ToUserName><![CDATA[{}]]></ToUserName>\n    \
             <Encrypt><![CDATA[{sealed}]]></Encrypt>\n</xml>\n",
            account.original_id
        );
        request.clear();
        request
            .extend_from_slice(request_head(*port, SECURE_ACCOUNT, &query, body.len()).as_bytes());
        request.extend_from_slice(body.as_bytes());
        request
    }
}

/// Id of the i-th site.
pub fn site_id(i: usize) -> String {
    format!("s{i:05}")
}

/// Id of the i-th site of the account in secure mode.
pub fn secure_site_id(i: usize) -> String {
    format!("t{i:05}")
}

fn write_digits(before: &mut [u8], mut number: u64, digits: usize) {
    for byte in before.iter_mut().rev().take(digits) {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Mixes a number so that neighbouring ones end up far apart (last steps of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_wechat::callback::{self, CallbackQuery, Event, MessageKind};

    #[test]
    fn a_filled_form_is_a_signed_scan_of_that_person_at_that_site() {
        let generator = ScanGenerator::new(1000);
        let mut form = generator.callback_form(8080, 1_763_000_000_000, false);
        form.fill(999_999_999_999, 999);
        let text = String::from_utf8(form.fill(1_234_567, 42).to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");

        let address = head.split(' ').nth(1).unwrap();
        let query = CallbackQuery::parse(address.split_once('?').unwrap().1).unwrap();
        let token = CallbackToken::new("simulated");
        assert!(callback::verify(&token, &query.timestamp, &query.nonce, &query.signature));
        assert_eq!(query.openid.unwrap().expose(), "oBench0000000000000001234567");

        let message = callback::parse(body.as_bytes(), 65_536).unwrap();
        assert_eq!(message.from_user.expose(), "oBench0000000000000001234567");
        let MessageKind::Event(Event::Scan { scene, .. }) = message.kind else { panic!() };
        assert_eq!(scene.as_deref(), Some("q_s00042_a"));
        assert_eq!(site_id(42), "s00042");
    }

    #[test]
    fn a_sealed_form_is_what_its_account_opens() {
        let mut form = ScanGenerator::new(1000).callback_form(8080, 1_763_000_000_000, true);
        let text = String::from_utf8(form.fill(7, 42).to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("/wechat/sealed?") && head.contains("encrypt_type=aes"), "{head}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        let scan = String::from_utf8(unseal_reply(&secure_account(), body).unwrap()).unwrap();
        assert!(scan.contains("oBench0000000000000000000007") && scan.contains("q_t00042_a"));
        assert_eq!(secure_site_id(42), "t00042");
    }

    #[test]
    fn everybody_comes_once_and_every_site_is_visited() {
        let generator = ScanGenerator::new(10);
        let mut visits = [0; 10];
        let people: std::collections::BTreeSet<u64> = (0..10_000)
            .map(|_| {
                let (person, site) = generator.next();
                visits[site] += 1;
                person
            })
            .collect();
        assert_eq!(people.len(), 10_000);
        assert!(visits.iter().all(|n| (800..1200).contains(n)), "{visits:?}");
    }
}
