//! Verification and decryption of one account's callbacks. The account's configuration alone
//! selects the checks; a request cannot disable one.

use super::crypt::{AesKey, decrypt, encrypt};
use super::message::Message;
use super::parse::{XmlError, message_from_fields, read_fields};
use super::query::CallbackQuery;
use super::reply::cdata;
use super::signature::{constant_time_eq, msg_signature, verify};
use super::xml::Fields;
use crate::secret::{AppId, CallbackToken};

/// Encryption mode in WeChat's console (消息加解密方式).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// 明文模式: bodies are plain, and only the query is signed. Of a body with both forms, as WeChat
    /// sends while the console says otherwise, the plain one is used.
    #[default]
    Plain,
    /// 兼容模式: bodies carry both forms; only the encrypted one, which is signed, is used. Replies are
    /// plain.
    Compatible,
    /// 安全模式: bodies and replies are encrypted.
    Secure,
}

/// Mode before a change in the console. Until a time it is accepted beside the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormerMode {
    /// The mode.
    pub mode: Mode,
    /// Latest time of a push, in Unix seconds, that may still have its form.
    pub until_s: i64,
}

/// Keys and mode of one account's callbacks. During a change in the console the former token, key
/// and mode are valid too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The mode.
    pub mode: Mode,
    /// Mode before the last change.
    pub former_mode: Option<FormerMode>,
    /// Appid of the account, contained in everything encrypted for it.
    pub app: AppId,
    /// Current token.
    pub token: CallbackToken,
    /// Token before the last change.
    pub former_token: Option<CallbackToken>,
    /// Current key; without one nothing can be decrypted.
    pub aes_key: Option<AesKey>,
    /// Key before the last change.
    pub former_aes_key: Option<AesKey>,
}

/// Reasons not to act on a callback. Error messages never quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// A signature is wrong.
    #[error("the signature is wrong")]
    WrongSignature,
    /// The body is encrypted, and the account is in plain mode.
    #[error("it is encrypted")]
    Encrypted,
    /// The body is not encrypted, and the account is in another mode.
    #[error("it is not encrypted")]
    NotEncrypted,
    /// The signature is right and the body cannot be decrypted; the reason is not given.
    #[error("it cannot be deciphered")]
    Undecipherable,
    /// The body is not the XML of a callback.
    #[error(transparent)]
    Xml(#[from] XmlError),
}

/// A callback that was verified to be WeChat's.
#[derive(Debug)]
pub struct VerifiedCallback<'a> {
    /// Its content.
    pub message: Message,
    /// True if WeChat signed the content too, and not the address alone.
    pub is_content_signed: bool,
    /// Encryptor for the reply, if the mode demands encryption.
    pub reply_encryptor: Option<ReplyEncryptor<'a>>,
}

/// Token and key of a callback, which its reply uses too.
#[derive(Debug, Clone, Copy)]
pub struct ReplyEncryptor<'a> {
    token: &'a CallbackToken,
    key: &'a AesKey,
    app: &'a AppId,
}

impl Protection {
    /// Creates the protection of plain mode with one token.
    pub fn plain(app: AppId, token: CallbackToken) -> Self {
        Protection {
            mode: Mode::Plain,
            former_mode: None,
            app,
            token,
            former_token: None,
            aes_key: None,
            former_aes_key: None,
        }
    }

    /// Checks the signature over token, timestamp and nonce. A server verification needs no other
    /// check, in every mode; for a push it is the first.
    pub fn verify(&self, query: &CallbackQuery) -> bool {
        self.accepted_tokens()
            .any(|token| verify(token, &query.timestamp, &query.nonce, &query.signature))
    }

    /// Verifies and parses a push with a body of at most `largest` bytes, by the rules of the
    /// account's mode. It does not check the age: see [`within_window`](super::within_window).
    pub fn open(
        &self,
        query: &CallbackQuery,
        body: &[u8],
        largest: usize,
    ) -> Result<VerifiedCallback<'_>, CallbackError> {
        if !self.verify(query) {
            return Err(CallbackError::WrongSignature);
        }
        match self.mode_of(query, body, largest) {
            Mode::Plain => {
                let fields = read_fields(body, largest)?;
                let says_so = |kind: &str| !kind.eq_ignore_ascii_case("raw");
                let is_sealed = fields.get("Encrypt").is_some();
                // A push of compatible mode has both parts.
                let has_both = is_sealed && fields.get("MsgType").is_some();
                if (is_sealed || query.encrypt_type.as_deref().is_some_and(says_so)) && !has_both {
                    return Err(CallbackError::Encrypted);
                }
                Ok(VerifiedCallback {
                    message: message_from_fields(&fields)?,
                    is_content_signed: false,
                    reply_encryptor: None,
                })
            }
            mode @ (Mode::Compatible | Mode::Secure) => self.decipher(mode, query, body, largest),
        }
    }

    /// Mode in which a push is opened: the present one, or the former one for a push of its form
    /// and time.
    fn mode_of(&self, query: &CallbackQuery, body: &[u8], largest: usize) -> Mode {
        let is_former = |former: &FormerMode| {
            let in_time = query.timestamp.parse().is_ok_and(|at: i64| at <= former.until_s);
            in_time && read_fields(body, largest).is_ok_and(|fields| form(&fields) == former.mode)
        };
        self.former_mode.filter(is_former).map_or(self.mode, |former| former.mode)
    }

    fn decipher(
        &self,
        mode: Mode,
        query: &CallbackQuery,
        body: &[u8],
        largest: usize,
    ) -> Result<VerifiedCallback<'_>, CallbackError> {
        // WeChat signs every body that it encrypts.
        let signature = query.msg_signature.as_deref().ok_or(CallbackError::NotEncrypted)?;
        let fields = read_fields(body, largest)?;
        let encrypted = fields.get("Encrypt").ok_or(CallbackError::NotEncrypted)?;
        let signs = |token: &&CallbackToken| {
            constant_time_eq(
                &msg_signature(token, &query.timestamp, &query.nonce, encrypted),
                signature,
            )
        };
        let token = self.accepted_tokens().find(signs).ok_or(CallbackError::WrongSignature)?;
        let app = &self.app;
        let opened = |key| Some((key, decrypt(key, app, encrypted).ok()?));
        let (key, text) =
            self.accepted_keys().find_map(opened).ok_or(CallbackError::Undecipherable)?;
        let seal = ReplyEncryptor { token, key, app };
        let message = message_from_fields(&read_fields(&text, largest)?)?;
        let reply_encryptor = (mode == Mode::Secure).then_some(seal);
        Ok(VerifiedCallback { message, is_content_signed: true, reply_encryptor })
    }

    fn accepted_tokens(&self) -> impl Iterator<Item = &CallbackToken> {
        [&self.token].into_iter().chain(&self.former_token)
    }

    fn accepted_keys(&self) -> impl Iterator<Item = &AesKey> {
        self.aes_key.iter().chain(&self.former_aes_key)
    }
}

/// Mode whose pushes have this form.
fn form(fields: &Fields) -> Mode {
    match (fields.get("Encrypt").is_some(), fields.get("MsgType").is_some()) {
        (false, _) => Mode::Plain,
        (true, true) => Mode::Compatible,
        (true, false) => Mode::Secure,
    }
}

impl ReplyEncryptor<'_> {
    /// Encrypts and signs a reply, with time `at_s` (Unix seconds), the nonce of the request, and
    /// 16 random bytes that must not be reused.
    pub fn encrypt_reply(&self, reply: &str, at_s: i64, nonce: &str, random: [u8; 16]) -> String {
        let encrypted = encrypt(self.key, self.app, random, reply.as_bytes());
        let signature = msg_signature(self.token, &at_s.to_string(), nonce, &encrypted);
        format!(
            "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt>\
             <MsgSignature><![CDATA[{signature}]]></MsgSignature>\
             <TimeStamp>{at_s}</TimeStamp><Nonce>{}</Nonce></xml>",
            cdata(nonce),
        )
    }
}
