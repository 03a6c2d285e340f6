//! Accounts: those of the configuration file, which are only shown, and those that are added,
//! changed and retired here. Their secrets go in, and are never shown again.

use super::request::{UnreadRequest, delete_operation, put_operation, read_operation};
use crate::http::access::Owner;
use crate::http::openapi::{Routes, WithEtag, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::credentials::CredentialsChange;
use crate::settings::documents::{DocumentKind, SettingsDocuments, ValueDifference};
use crate::settings::update_credentials::CredentialsUpdateResult;
use axum::Json;
use axum::extract::{Path, State};
use futures::future::join_all;
use futures::join;
use paihao_contracts::account_credentials::{CallbackMode, FormerCallbackMode, TokenChannel};
use paihao_contracts::callback_faults::CallbackVerification;
use paihao_contracts::envelope;
use paihao_contracts::streams::{access_token_key, callback_verification_key, token_failure_key};
use paihao_contracts::token::{TokenFailure, TokenRecord};
use paihao_wechat::callback::Mode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const ACCOUNTS_PATH: &str = "/api/v1/accounts";
const ACCOUNT_PATH: &str = "/api/v1/accounts/{account}";

pub(super) fn routes() -> Routes {
    let refused = [&refusals::SET_BY_FILE, &refusals::FORMS_HELD_BACK];
    Routes::new()
        .get(
            ACCOUNTS_PATH,
            list,
            endpoint("accounts", "Lists the accounts, without their secrets")
                .refuses(&[&refusals::NOT_EVERY_SITE]),
        )
        .get(
            ACCOUNT_PATH,
            read,
            read_operation("account", "Shows an account, without its secrets")
                .refuses(&[&refusals::UNKNOWN_ACCOUNT]),
        )
        .put(
            ACCOUNT_PATH,
            put,
            put_operation(
                "connect_account",
                "Adds an account, or replaces credentials of one; what is left out stays",
            )
            .json_body::<ConnectAccountRequest>()
            .refuses(&refused)
            .refuses(&[&refusals::NO_OPERATOR_KEY, &refusals::REHEARSING]),
        )
        .delete(
            ACCOUNT_PATH,
            retire,
            delete_operation("retire_account", "Retires an account that no site uses")
                .refuses(&refused)
                .refuses(&[&refusals::UNKNOWN_ACCOUNT, &refusals::IN_USE]),
        )
}

/// Account, without its secrets.
#[derive(Serialize, JsonSchema)]
struct AccountView {
    /// Name, as in its callback address.
    account: String,
    /// AppID at WeChat.
    appid: String,
    /// Where the account is set.
    source: AccountSource,
    /// Revision of the credentials; 0 for an account of the configuration file.
    revision: u64,
    /// Encryption mode of callbacks (消息加解密方式).
    mode: CallbackMode,
    /// Mode before the last change, while it is accepted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_mode: Option<FormerCallbackMode>,
    /// Endpoint for access tokens; of an account of the configuration file it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_channel: Option<TokenChannel>,
    /// Address for WeChat's console; `null` while the public address is not known.
    callback_url: Option<String>,
    /// Path of that address.
    callback_path: String,
    /// Sites of the account.
    sites: Vec<String>,
    /// Time at which WeChat verified that address, in Unix milliseconds; `null` if it has not
    /// within 30 days, or the cache does not answer.
    verified_at: Option<i64>,
    /// State of the account's access token, which shows whether appid and secret are right; `null`
    /// while none was fetched.
    token: Option<TokenView>,
}

/// State of an account's access token.
#[derive(Serialize, JsonSchema)]
struct TokenView {
    /// True if the newest fetch succeeded.
    ok: bool,
    /// Time of it, in Unix milliseconds.
    at: i64,
    /// Reason of a failure: `wrong_secret`, `wrong_appid`, `address_not_listed` or another.
    reason: Option<String>,
    /// WeChat's words about it, which name the address that is not listed.
    detail: Option<String>,
}

/// Places in which an account is set.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AccountSource {
    File,
    /// It is simulated, as long as the rehearsal lasts.
    Rehearsal,
    Settings,
}

/// Credentials of an account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConnectAccountRequest {
    /// AppID at WeChat. An account keeps it.
    appid: String,
    /// AppSecret; needed for a new account.
    #[serde(default)]
    secret: Option<String>,
    /// Token of the callbacks: 16 to 32 letters and digits. A new account without one gets one.
    #[serde(default)]
    callback_token: Option<String>,
    /// EncodingAESKey of the callbacks: 43 characters. A new account without one gets one.
    #[serde(default)]
    aes_key: Option<String>,
    /// Secrets of which another is to be made.
    #[serde(default)]
    renew: Vec<RenewableSecret>,
    /// Endpoint for access tokens; `stable` for a new account.
    #[serde(default)]
    token_channel: Option<TokenChannel>,
    /// Encryption mode of callbacks; `secure` for a new account.
    #[serde(default)]
    mode: Option<CallbackMode>,
}

/// Secrets that can be made here.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RenewableSecret {
    CallbackToken,
    AesKey,
}

/// Result of a change of an account.
#[derive(Serialize, JsonSchema)]
struct ConnectAccountResult {
    /// Name of the account.
    account: String,
    /// Revision of the credentials after the change.
    revision: u64,
    /// True for a dry run, which changes nothing.
    dry_run: bool,
    /// Every value that has changed. Of a secret only that it has.
    changed: Vec<ValueDifference>,
    /// Token that was made, for WeChat's console. It is told in this answer alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_token: Option<String>,
    /// EncodingAESKey that was made, for WeChat's console. It is told in this answer alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    aes_key: Option<String>,
    /// Address for WeChat's console; `null` while the public address is not known.
    callback_url: Option<String>,
}

impl ConnectAccountResult {
    fn new(state: &AppState, result: CredentialsUpdateResult) -> WithEtag<ConnectAccountResult> {
        let CredentialsUpdateResult { update, made } = result;
        let callback_url = callback_url(state, &update.id);
        let result = ConnectAccountResult {
            account: update.id,
            revision: update.revision,
            dry_run: update.dry_run,
            changed: update.changed,
            callback_token: made.callback_token,
            aes_key: made.aes_key,
            callback_url,
        };
        WithEtag(result.revision, result)
    }
}

fn callback_path(account: &str) -> String {
    format!("/wechat/{account}")
}

fn callback_url(state: &AppState, account: &str) -> Option<String> {
    let public = state.settings.public_url.as_deref()?;
    Some(format!("{public}{}", callback_path(account)))
}

/// Reads when WeChat verified the address of an account.
async fn verified_at(state: &AppState, account: &str) -> Option<i64> {
    let stored = state.cache.get(&callback_verification_key(account)).await.ok()??;
    Some(envelope::decode::<CallbackVerification>(&stored).ok()?.at)
}

/// View of an account; `None` if there is none of this name.
async fn view(state: &AppState, documents: &SettingsDocuments, name: &str) -> Option<AccountView> {
    let mut view = view_of_settings(state, documents, name)?;
    let (verified_at, token) = join!(verified_at(state, name), token_view(state, name));
    view.verified_at = verified_at;
    view.token = token;
    Some(view)
}

/// Reads how the newest fetch of an account's token ended.
async fn token_view(state: &AppState, account: &str) -> Option<TokenView> {
    let failure = state.cache.get(&token_failure_key(account)).await.ok()?;
    let failure = failure.and_then(|stored| envelope::decode::<TokenFailure>(&stored).ok());
    if let Some(TokenFailure { at_ms: at, reason, detail, .. }) = failure {
        return Some(TokenView { ok: false, at, reason: Some(reason), detail: Some(detail) });
    }
    let token = state.cache.get(&access_token_key(account)).await.ok()??;
    let at = envelope::decode::<TokenRecord>(&token).ok()?.fetched_at_ms;
    Some(TokenView { ok: true, at, reason: None, detail: None })
}

fn view_of_settings(
    state: &AppState,
    documents: &SettingsDocuments,
    name: &str,
) -> Option<AccountView> {
    let sites = documents.sites_of(name).into_keys().map(str::to_owned).collect();
    let (callback_url, callback_path) = (callback_url(state, name), callback_path(name));
    let account = name.to_owned();
    if let Some(configured) = state.deployment.accounts.get(name) {
        let protection = configured.protection();
        return Some(AccountView {
            account,
            appid: protection.app.0.clone(),
            source: if state.is_rehearsal() {
                AccountSource::Rehearsal
            } else {
                AccountSource::File
            },
            revision: 0,
            mode: mode_view(protection.mode),
            former_mode: protection.former_mode.map(|former| FormerCallbackMode {
                mode: mode_view(former.mode),
                until: former.until_s.saturating_mul(1000),
            }),
            token_channel: None,
            callback_url,
            callback_path,
            sites,
            verified_at: None,
            token: None,
        });
    }
    let document = documents.credentials.get(name)?;
    let credentials = document.setup.as_ref()?;
    Some(AccountView {
        account,
        appid: credentials.appid.clone(),
        source: AccountSource::Settings,
        revision: document.revision.0,
        mode: credentials.mode,
        former_mode: credentials.former_mode.filter(|it| it.until > state.clock.now_ms()),
        token_channel: Some(credentials.token_channel),
        callback_url,
        callback_path,
        sites,
        verified_at: None,
        token: None,
    })
}

fn mode_view(mode: Mode) -> CallbackMode {
    match mode {
        Mode::Plain => CallbackMode::Plain,
        Mode::Compatible => CallbackMode::Compatible,
        Mode::Secure => CallbackMode::Secure,
    }
}

async fn list(State(state): State<AppState>, _: Owner) -> Result<Json<Vec<AccountView>>, Problem> {
    let documents = state.live_settings.now();
    let names = state.deployment.known_accounts(&documents);
    let views = names.iter().map(|name| view(&state, &documents, name));
    Ok(Json(join_all(views).await.into_iter().flatten().collect()))
}

async fn read(
    State(state): State<AppState>,
    Path(account): Path<String>,
    _: Owner,
) -> Result<WithEtag<AccountView>, Problem> {
    let kind = DocumentKind::Credentials;
    let documents = state.settings_editor.latest_documents(kind, &account).await?;
    let view = view(&state, &documents, &account).await.ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    Ok(WithEtag(view.revision, view))
}

async fn put(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
    unread: UnreadRequest,
) -> Result<WithEtag<ConnectAccountResult>, Problem> {
    let request = unread.read(&principal).await?;
    if state.is_rehearsal() {
        return Err(Problem::new(&refusals::REHEARSING));
    }
    let body: ConnectAccountRequest = request.parse_body()?;
    let change = CredentialsChange {
        appid: body.appid,
        secret: body.secret,
        callback_token: body.callback_token,
        aes_key: body.aes_key,
        renew_callback_token: body.renew.contains(&RenewableSecret::CallbackToken),
        renew_aes_key: body.renew.contains(&RenewableSecret::AesKey),
        token_channel: body.token_channel,
        mode: body.mode,
    };
    let kind = DocumentKind::Credentials;
    let editor = &state.settings_editor;
    let documents = editor.latest_documents(kind, &account).await?;
    let updated =
        editor.update_credentials(&documents, &account, Some(&change), &request.update).await?;
    Ok(ConnectAccountResult::new(&state, updated))
}

async fn retire(
    State(state): State<AppState>,
    Path(account): Path<String>,
    Owner { principal }: Owner,
    unread: UnreadRequest,
) -> Result<WithEtag<ConnectAccountResult>, Problem> {
    let request = unread.read(&principal).await?;
    request.require_empty_body()?;
    let kind = DocumentKind::Credentials;
    let editor = &state.settings_editor;
    let documents = editor.latest_documents(kind, &account).await?;
    let idempotency = request.update.idempotency.as_ref();
    let repeated = idempotency.and_then(|record| documents.change_by_request_id(&record.id));
    if repeated.is_none() {
        if !state.deployment.known_accounts(&documents).contains(&account) {
            return Err(Problem::new(&refusals::UNKNOWN_ACCOUNT));
        }
        let is_login_account = state.login_account().as_ref() == Some(&account);
        if is_login_account && state.roster.loaded().await?.members().next().is_some() {
            let detail = "staff log in by it";
            return Err(Problem::new(&refusals::IN_USE).with_detail(detail));
        }
    }
    let updated = editor.update_credentials(&documents, &account, None, &request.update).await?;
    Ok(ConnectAccountResult::new(&state, updated))
}
