//! Tests on a real Redis: the common suite, and Redis killed, frozen, emptied and locked.

use bytes::Bytes;
use futures::future::join_all;
use harness::{Certificates, RedisServer, free_port, wait_until};
use paihao_cache::{Cache, conformance};
use paihao_cache_redis::{InvalidOptions, RedisCache, RedisOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

fn cache_at(url: String, limit: Duration) -> RedisCache {
    RedisCache::connect(RedisOptions { timeout: limit, ..RedisOptions::new(url) }).unwrap()
}

fn cache(server: &RedisServer) -> RedisCache {
    cache_at(server.url(), Duration::from_secs(5))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    conformance::run(Arc::new(cache(RedisServer::shared())), "conforms").await;
}

#[tokio::test]
async fn two_caches_are_one_and_two_namespaces_are_two() {
    let server = RedisServer::shared();
    let [one, other] = [cache(server), cache(server)];
    one.put("shared", Bytes::from_static(b"x"), HOUR).await.unwrap();
    assert_eq!(other.get("shared").await.unwrap(), Some(Bytes::from_static(b"x")));
    let lease = one.acquire("shared", "one", HOUR).await.unwrap().unwrap();
    assert_eq!(other.acquire("shared", "other", HOUR).await.unwrap(), None);
    assert!(other.renew(&lease, HOUR).await.unwrap());

    let options = RedisOptions { namespace: "elsewhere".into(), ..RedisOptions::new(server.url()) };
    let elsewhere = RedisCache::connect(options).unwrap();
    assert_eq!(elsewhere.get("shared").await.unwrap(), None);
    assert!(elsewhere.acquire("shared", "other", HOUR).await.unwrap().is_some());
}

#[tokio::test]
async fn redis_may_start_later() {
    let server = RedisServer::start();
    server.kill();
    let cache = cache(&server);
    let quick = cache_at(server.url(), Duration::from_millis(200));
    let unavailable = tokio::time::timeout(TEST_TIMEOUT, quick.check()).await.expect("it ends");
    assert!(unavailable.is_err());
    server.restart();
    cache.check().await.unwrap();
    wait_until("the one that had failed recovers", TEST_TIMEOUT, async || {
        quick.check().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn data_survives_a_restart_of_redis() {
    let server = RedisServer::start();
    let cache = cache(&server);
    cache.put("key", Bytes::from_static(b"before"), HOUR).await.unwrap();
    let lease = cache.acquire("lease", "one", HOUR).await.unwrap().unwrap();
    server.kill();
    server.restart();
    assert_eq!(cache.get("key").await.unwrap(), Some(Bytes::from_static(b"before")));
    assert!(cache.renew(&lease, HOUR).await.unwrap());
    conformance::run(Arc::new(cache), "restarted").await;
}

#[tokio::test]
async fn a_fence_grows_even_when_redis_has_lost_everything() {
    let server = RedisServer::start();
    let cache = cache(&server);
    let before = cache.acquire("lease", "one", HOUR).await.unwrap().unwrap();
    server.kill();
    server.lose_data();
    server.restart();
    wait_until("a call after the loss", TEST_TIMEOUT, async || cache.check().await.is_ok()).await;
    assert!(!cache.renew(&before, HOUR).await.unwrap());
    let after = cache.acquire("lease", "other", HOUR).await.unwrap().unwrap();
    assert!(after.fence > before.fence, "{before:?} {after:?}");
}

#[tokio::test]
async fn a_frozen_redis_is_unavailable_within_the_limit_and_then_recovers() {
    let server = RedisServer::start();
    let cache = cache_at(server.url(), Duration::from_millis(300));
    cache.put("key", Bytes::from_static(b"x"), HOUR).await.unwrap();
    server.freeze();
    let calls = join_all((0..20).map(|_| cache.get("key")));
    let answers = tokio::time::timeout(TEST_TIMEOUT, calls).await.expect("every call ends");
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    for _ in 0..3 {
        let new = tokio::time::timeout(TEST_TIMEOUT, cache.acquire("lease", "one", HOUR)).await;
        assert!(new.expect("a call that has to connect ends too").is_err());
    }
    server.thaw();
    wait_until("it recovers", TEST_TIMEOUT, async || {
        cache.get("key").await.is_ok_and(|found| found.is_some())
    })
    .await;
}

#[tokio::test]
async fn a_missing_server_is_unavailable_within_the_limit() {
    let cache = cache_at(format!("redis://127.0.0.1:{}", free_port()), Duration::from_millis(200));
    let calls = join_all((0..50).map(|_| cache.put_if_absent("key", Bytes::new(), HOUR)));
    let answers = tokio::time::timeout(TEST_TIMEOUT, calls).await.expect("every call ends");
    assert!(answers.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_password_is_used_and_never_printed() {
    let server = RedisServer::start();
    let mut raw = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    raw.write_all(b"CONFIG SET requirepass hunter2secret\r\nQUIT\r\n").unwrap();
    raw.read_to_string(&mut String::new()).unwrap();

    let mut options = RedisOptions::new(server.url());
    let locked = RedisCache::connect(options.clone()).unwrap();
    let refused = locked.check().await.unwrap_err();
    options.password = Some("hunter2secret".into());
    RedisCache::connect(options.clone()).unwrap().check().await.unwrap();
    options.password = Some("wrongsecret".into());
    let error = RedisCache::connect(options.clone()).unwrap().check().await.unwrap_err();
    let in_url = RedisOptions::new(format!("redis://:hunter2secret@127.0.0.1:{}", server.port()));
    RedisCache::connect(in_url.clone()).unwrap().check().await.unwrap();

    let invalid_options = RedisOptions::new("http://:hunter2secret@127.0.0.1");
    let invalid = RedisCache::connect(invalid_options).err().unwrap();
    assert_eq!(invalid, InvalidOptions::Address);
    let message = format!(
        "{refused} {refused:?} {error} {error:?} {options:?} {in_url:?} {invalid} {invalid:?}"
    );
    for secret in ["hunter2secret", "wrongsecret"] {
        assert!(!message.contains(secret), "{message}");
    }
    assert!(error.to_string().contains("password"), "{error}");
}

/// Server that speaks TLS on a port of its own, with a password, and asks for certificates if
/// `verify`.
fn start_tls(certificates: &Certificates, verify: bool) -> (RedisServer, String) {
    let port = free_port();
    let arguments = [
        ("--tls-port", port.to_string()),
        ("--tls-cert-file", certificates.text("server.pem")),
        ("--tls-key-file", certificates.text("server.key")),
        ("--tls-ca-cert-file", certificates.text("ca.pem")),
        ("--tls-auth-clients", if verify { "yes" } else { "no" }.to_owned()),
    ];
    let arguments: Vec<_> =
        arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    let server = RedisServer::start_with_arguments(&arguments);
    let mut raw = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    raw.write_all(b"CONFIG SET requirepass s3cret\r\nQUIT\r\n").unwrap();
    raw.read_to_string(&mut String::new()).unwrap();
    (server, format!("rediss://127.0.0.1:{port}"))
}

fn tls_options(url: &str, ca: Option<PathBuf>) -> RedisOptions {
    RedisOptions { password: Some("s3cret".into()), tls_ca: ca, ..RedisOptions::new(url) }
}

#[tokio::test]
async fn redis_is_verified_by_its_authority_and_used() {
    let certificates = Certificates::make();
    let (_server, url) = start_tls(&certificates, false);
    let check = async |options: RedisOptions| RedisCache::connect(options).unwrap().check().await;
    let ca = Some(certificates.path("ca.pem"));
    let cache = RedisCache::connect(tls_options(&url, ca.clone())).unwrap();
    cache.put("a", Bytes::from_static(b"x"), HOUR).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap(), Some(Bytes::from_static(b"x")));
    assert!(check(tls_options(&url, None)).await.is_err(), "not of the machine's");
    let other = Some(certificates.path("other/ca.pem"));
    assert!(check(tls_options(&url, other)).await.is_err(), "another authority");
    let wrong = RedisOptions { password: Some("wrong".into()), ..tls_options(&url, ca.clone()) };
    assert!(check(wrong).await.is_err());
    let named = url.replace("127.0.0.1", "localhost");
    assert!(check(tls_options(&named, ca)).await.is_err(), "not the name of its certificate");
}

#[tokio::test]
async fn redis_that_asks_for_a_certificate_gets_one() {
    let certificates = Certificates::make();
    let (_server, url) = start_tls(&certificates, true);
    let bare = tls_options(&url, Some(certificates.path("ca.pem")));
    assert!(RedisCache::connect(bare.clone()).unwrap().check().await.is_err());
    for (name, expected) in [("client", true), ("other/client", false)] {
        let options = RedisOptions {
            tls_certificate: Some(certificates.path(&format!("{name}.pem"))),
            tls_key: Some(certificates.path(&format!("{name}.key"))),
            ..bare.clone()
        };
        let checked = RedisCache::connect(options).unwrap().check().await;
        assert_eq!(checked.is_ok(), expected, "{name}: {checked:?}");
    }
}

#[test]
fn files_of_tls_that_do_not_fit_are_told_at_once() {
    let certificates = Certificates::make();
    let file = |name: &str| Some(certificates.path(name));
    let tls = RedisOptions::new("rediss://127.0.0.1:1");
    for (options, part) in [
        (tls_options("redis://127.0.0.1:1", file("ca.pem")), "rediss://"),
        (tls_options("rediss://127.0.0.1:1", file("missing.pem")), "missing.pem"),
        (RedisOptions { tls_certificate: file("client.pem"), ..tls.clone() }, "its key"),
        (RedisOptions { tls_key: file("client.key"), ..tls.clone() }, "its certificate"),
    ] {
        match RedisCache::connect(options).err() {
            Some(InvalidOptions::Tls(text)) => assert!(text.contains(part), "{part}: {text}"),
            error => panic!("{part}: {error:?}"),
        }
    }
}
