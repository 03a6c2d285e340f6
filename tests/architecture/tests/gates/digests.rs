//! Gate of digests without a key: each place that makes one is named with what it digests, and none
//! digests a person.

use crate::repository::{list_files, read_file};

/// Files of programs that make a digest without a key, and of what. A person, or a push about one,
/// has a keyed tag instead (`shared/wechat/src/person_tags.rs`): whoever reads a store and has a
/// list of openids must not find them in it.
const DIGESTS: [(&str, &str); 27] = [
    ("services/gateway/src/engine/view.rs", "the state of a site, for comparing replicas"),
    ("services/gateway/src/http/api/api_keys.rs", "an API key, which is random"),
    ("services/gateway/src/http/api/logins.rs", "the secret of a login, which is random"),
    ("services/gateway/src/http/api/settings/request.rs", "a settings document"),
    ("services/gateway/src/http/api/webhooks.rs", "a request of an operator, and its body"),
    ("services/gateway/src/http/brand_view.rs", "the colours of a site"),
    ("services/gateway/src/http/guesses.rs", "a key, in memory"),
    ("services/gateway/src/http/idempotency.rs", "names and keyed tags of commands, and bodies"),
    ("services/gateway/src/http/pages/asset_response.rs", "a file of a page"),
    ("services/gateway/src/http/pages/build_id.rs", "all files of the pages"),
    ("services/gateway/src/identity/browser_sessions.rs", "a cookie, which is random"),
    ("services/gateway/src/identity/kiosk_pairing.rs", "a credential, which is random"),
    ("services/gateway/src/identity/oauth/code.rs", "a code and a verifier, which are random"),
    ("services/gateway/src/identity/roster.rs", "an API key, which is random"),
    ("services/gateway/src/settings/menu/key.rs", "a text of a menu"),
    ("services/gateway/src/settings/mod.rs", "a key of the configuration"),
    ("services/gateway/src/site/logo.rs", "a logo"),
    ("services/notifier/src/delivery/finish.rs", "the key of a notice: site, day and ticket"),
    ("services/notifier/src/delivery/ticket_log.rs", "the name of a ticket"),
    ("services/token/src/server/keys.rs", "a key of another system"),
    ("shared/contracts/src/partitions.rs", "the subject of a site: account and site"),
    ("shared/ledger/src/backup/format.rs", "a backup"),
    ("shared/notice-text/src/render.rs", "account and key of a notice"),
    ("shared/wechat/src/callback/message.rs", "a push, in memory: only its keyed tag is stored"),
    ("shared/wechat/src/callback/signature.rs", "WeChat's signature, in memory"),
    ("shared/wechat/src/person_tags.rs", "a person and a push, as former versions did"),
    ("shared/wechat/src/secret.rs", "an access token"),
];

/// Ways to make a digest.
const MAKING: [&str; 4] = ["Sha256::digest", "Sha256::new", "Sha1::digest", "Sha1::new"];

#[test]
fn every_digest_without_a_key_is_named_and_none_is_of_a_person() {
    let mut found: Vec<String> = Vec::new();
    for file in [list_files("services", &[".rs"]), list_files("shared", &[".rs"])].concat() {
        // The tests, and WeChat's own side, digest what they like.
        if !file.contains("/src/") || file.contains("/tests") || file.contains("wechat-sim") {
            continue;
        }
        let text = read_file(&file);
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        if MAKING.iter().any(|making| program.contains(making)) {
            found.push(file);
        }
    }
    let mut named: Vec<_> = DIGESTS.iter().map(|(file, _)| (*file).to_owned()).collect();
    named.sort();
    found.sort();
    assert_eq!(found, named, "a digest without a key: of what? Name it here, unless of a person");
}
