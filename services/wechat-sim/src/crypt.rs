//! Sealing of pushes and opening of replies in WeChat's compatible and secure modes. The chaining
//! of blocks is written by hand, so that it agrees with the product only if both are right.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Deliberate faults of a sealed push.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SealOverrides {
    /// AppID at the end, in place of the account's.
    pub appid: Option<String>,
    /// Declared length of the message.
    pub length: Option<u32>,
    /// Value of every padding byte.
    pub pad_byte: Option<u8>,
    /// Number of padding bytes. Zeros are inserted before them up to a multiple of the cipher's 16.
    pub pad_count: Option<usize>,
}

/// Seals `message` for the account `appid` and returns the text of an `Encrypt` element.
///
/// # Panics
/// If `key` is not an EncodingAESKey.
pub fn seal(
    key: &str,
    appid: &str,
    random: [u8; 16],
    message: &[u8],
    warp: &SealOverrides,
) -> String {
    let mut text = random.to_vec();
    let length = warp.length.unwrap_or(message.len() as u32);
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(message);
    text.extend_from_slice(warp.appid.as_deref().unwrap_or(appid).as_bytes());
    let count = warp.pad_count.unwrap_or(32 - text.len() % 32);
    let byte = warp.pad_byte.unwrap_or(count as u8);
    while !(text.len() + count).is_multiple_of(16) {
        text.push(0);
    }
    text.resize(text.len() + count, byte);
    let key = key_bytes(key).expect("an EncodingAESKey");
    let cipher = Aes256::new(&key.into());
    let mut before: [u8; 16] = *key.first_chunk().expect("32 bytes begin with 16");
    for chunk in text.chunks_exact_mut(16) {
        for (byte, before) in chunk.iter_mut().zip(before) {
            *byte ^= before;
        }
        let block: &mut Block<Aes256> = chunk.try_into().expect("a chunk is a block");
        cipher.encrypt_block(block);
        before = (*block).into();
    }
    BASE64.encode(text)
}

/// Opens a text that was sealed for the account `appid`.
///
/// # Errors
/// A description of the fault.
pub fn unseal(key: &str, appid: &str, sealed: &str) -> Result<Vec<u8>, &'static str> {
    let mut text = BASE64.decode(sealed).map_err(|_| "Encrypt is not base64")?;
    if text.len() < 32 || !text.len().is_multiple_of(32) {
        return Err("Encrypt is no multiple of 32 bytes");
    }
    let key = key_bytes(key).ok_or("the account has no EncodingAESKey")?;
    let cipher = Aes256::new(&key.into());
    let mut before: [u8; 16] = *key.first_chunk().expect("32 bytes begin with 16");
    for chunk in text.chunks_exact_mut(16) {
        let sealed: [u8; 16] = (*chunk).try_into().expect("a chunk is a block");
        let block: &mut Block<Aes256> = chunk.try_into().expect("a chunk is a block");
        cipher.decrypt_block(block);
        for (byte, before) in block.iter_mut().zip(before) {
            *byte ^= before;
        }
        before = sealed;
    }
    let pad = usize::from(*text.last().unwrap_or(&0));
    if !(1..=32).contains(&pad) || text.iter().rev().take(pad).any(|b| usize::from(*b) != pad) {
        return Err("the padding of Encrypt is wrong");
    }
    text.truncate(text.len() - pad);
    let declared = text.get(16..20).ok_or("Encrypt is too short")?;
    let length = u32::from_be_bytes(declared.try_into().expect("four bytes")) as usize;
    let message = text.get(20..20 + length).ok_or("the length in Encrypt is wrong")?;
    if text[20 + length..] == *appid.as_bytes() {
        Ok(message.to_vec())
    } else {
        Err("the appid in Encrypt is another")
    }
}

fn key_bytes(key: &str) -> Option<[u8; 32]> {
    BASE64.decode(key).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::msg_signature;

    const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const SAMPLE: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    #[test]
    fn published_examples_are_sealed_and_opened_to_the_byte() {
        for (key, appid, random, message, sealed) in [
            (
                ZEROS,
                "wxba5fad812f8e6fb9",
                b"707722b803182950",
                "{\"demo_resp\":\"good luck\"}",
                "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
            ),
            (
                SAMPLE,
                "wxb11529c136998cb6",
                b"aaaabbbbccccdddd",
                "我是中文abcd123",
                "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
            ),
            (
                ZEROS,
                "wxba5fad812f8e6fb9",
                b"0123456789abcdef",
                "xxxxxxxxxxxxxxxxxxxxxxxxxx",
                "uMMzGtqcnpOzXOYBwDQNrTKqq1gfFL9ZipCOy/gYhNsj0EbDiLgmyIpctOWh4+FF28LepmxqkFHWq0/W1HpwVThBvOfqfojRqfSqOCcrXV+fVpED4mak/KZt2gsUJ7hv",
            ),
        ] {
            let resealed = seal(key, appid, *random, message.as_bytes(), &SealOverrides::default());
            assert_eq!(resealed, sealed);
            assert_eq!(unseal(key, appid, sealed), Ok(message.as_bytes().to_vec()));
            assert!(unseal(key, "wx", sealed).is_err());
        }
        let published = "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=";
        let signed = msg_signature("spamtest", "1409735669", "1320562132", published);
        assert_eq!(signed, "5d197aaffba7e9b25a30732f161a50dee96bd5fa");
        let opened = unseal(SAMPLE, "wx2c2769f8efd9abc2", published).unwrap();
        assert!(opened.starts_with(b"<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]>"));
        let random = *b"89465c840c5f116f";
        let resealed =
            seal(SAMPLE, "wx2c2769f8efd9abc2", random, &opened, &SealOverrides::default());
        assert_eq!(resealed, published);
    }

    #[test]
    fn published_pushes_and_replies_are_signed_and_sealed_both_ways() {
        let push = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";
        let reply = "Q3stYC6hdFzMh9T8HCvyDCZ7WOd3U4cBL73YIObrV8S8VmrpdZqzQ45zLJojjlDTtuWg0el4qUdxnVWlPRME0hTrIsmpVUehd4HHrs0hMqMM9PJOPUp/aKQalfwolTJ2HBnaUBKkMHx9BG1ToYawqagE1RoxgaHFCVKN+lQn6cUuVvLl8TgEDqwmTUG/I2oYzI4oM3i3Jdisj1iCL+1JuxVhc9wfQjdTuJOqghHaL571iFAUQVTH9mri0lfdkJ1PkIXkQ23mAZVc3qNWCdrj0WDhAi1C703HgnyUjgiVbLjjANGjZ8l8BFDEcZxe4mzhR7Fky4yIu/o1HXZBheXnz/gAyLJOAesJuZOeorsbUDOPnBz6SQl9Z0RJowpV8xXUq3rABjfT0xli0kCNCf/gFNaDv5iViaQ1Gqg71xeldZw=";
        let message = "{\"ToUserName\":\"gh_97417a04a28d\",\"FromUserName\":\"o9AgO5Kd5ggOC-bXrbNODIiE3bGY\",\"CreateTime\":1714112445,\"MsgType\":\"event\",\"Event\":\"debug_demo\",\"debug_str\":\"hello world\"}";
        let text = "<xml><ToUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></ToUserName><FromUserName><![CDATA[gh_10f6c3c3ac5a]]></FromUserName><CreateTime>1409735670</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[您的号码 A012，前面还有 3 位 ☺]]></Content></xml>";
        for (key, appid, random, plain, sealed) in [
            (ZEROS, "wxba5fad812f8e6fb9", b"a8eedb185eb2fecf", message, push),
            (SAMPLE, "wx2c2769f8efd9abc2", b"0123456789abcdef", text, reply),
        ] {
            assert_eq!(unseal(key, appid, sealed), Ok(plain.as_bytes().to_vec()));
            assert_eq!(
                seal(key, appid, *random, plain.as_bytes(), &SealOverrides::default()),
                sealed
            );
        }
        let luck = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==";
        let padded = "uMMzGtqcnpOzXOYBwDQNrTKqq1gfFL9ZipCOy/gYhNsj0EbDiLgmyIpctOWh4+FF28LepmxqkFHWq0/W1HpwVThBvOfqfojRqfSqOCcrXV+fVpED4mak/KZt2gsUJ7hv";
        let pam = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
        for (token, timestamp, nonce, sealed, signed) in [
            ("AAAAA", "1714112445", "415670741", push, "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
            ("AAAAA", "1713424427", "415670741", luck, "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
            (
                "AAAAA",
                "1714112445",
                "415670741",
                padded,
                "0af5967fd5900b3f9b4652f2266a980b1674aecf",
            ),
            ("pamtest", "1409304348", "xxxxxx", pam, "82c962d39941aa48552f90ef55aa323dc620cc10"),
            (
                "spamtest",
                "1409735670",
                "1320562132",
                reply,
                "d70ca1a8a9e2abc15dcec919b459236819296ce7",
            ),
        ] {
            assert_eq!(msg_signature(token, timestamp, nonce, sealed), signed);
        }
    }

    #[test]
    fn every_length_is_sealed_and_what_is_warped_is_noticed() {
        for length in 0..70 {
            let message = vec![b'm'; length];
            let sealed = seal(SAMPLE, "wx1", [1; 16], &message, &SealOverrides::default());
            assert_eq!(unseal(SAMPLE, "wx1", &sealed), Ok(message));
        }
        for warp in [
            SealOverrides { appid: Some("wx2".into()), ..SealOverrides::default() },
            SealOverrides { length: Some(u32::MAX), ..SealOverrides::default() },
            SealOverrides { length: Some(2), ..SealOverrides::default() },
            SealOverrides { pad_byte: Some(0), ..SealOverrides::default() },
            SealOverrides { pad_count: Some(33), ..SealOverrides::default() },
            SealOverrides { pad_count: Some(200), ..SealOverrides::default() },
        ] {
            let sealed = seal(SAMPLE, "wx1", [1; 16], b"hello", &warp);
            assert!(unseal(SAMPLE, "wx1", &sealed).is_err(), "{warp:?}");
        }
    }
}
