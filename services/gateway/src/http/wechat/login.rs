//! Login by phone: the scan, and the answer to the question that follows it.

use super::dispatch::{PushHandler, Reply};
use crate::http::login_approval::{
    self, CONFIRMATION_TIMEOUT_MS, LoginError, LoginOutcome, local_time, outcome_for,
};
use crate::http::replies;
use crate::identity::login::settings::Confirmation;
use crate::identity::login::{LoginDestination, digits, prompt};
use crate::identity::roster::Roster;
use crate::scan::sessions::SessionError;
use bytes::Bytes;
use paihao_contracts::session::{
    DeclineReason, DigitChallenge, LoginRequest, LoginTarget, ScanProgress, ScanPurpose, UnionId,
};
use paihao_contracts::streams;
use std::time::Duration;
use tokio::time::{timeout, timeout_at};
use uuid::Uuid;

/// Time for which an answer is taken for one to a login: one that comes too late is told so.
const QUESTION_RETENTION: Duration = Duration::from_secs(30 * 60);

/// Longest wait for a unionid. The person waits for the answer, and the login does without it.
const UNIONID_TIMEOUT: Duration = Duration::from_secs(2);

impl PushHandler<'_> {
    /// Handles the scan of a browser's login code.
    pub(super) async fn handle_login_scan(
        &self,
        uuid: Uuid,
        request: LoginRequest,
    ) -> (Reply, &'static str) {
        let Some(target) = self.state.login_destination(&request.target) else {
            return (self.text_reply(replies::expired_code_reply()), "refused");
        };
        if target.account != self.account_name {
            return (self.text_reply(replies::expired_code_reply()), "refused");
        }
        let scanned = timeout_at(self.deadline, self.advance_on_scan(uuid, &request, &target));
        let result = scanned.await.unwrap_or(Err(LoginError::Unavailable));
        if let Ok(LoginOutcome::AwaitingConfirmation(_)) = result {
            self.remember_question(uuid).await;
        }
        self.login_reply(result, &target, &request)
    }

    async fn advance_on_scan(
        &self,
        uuid: Uuid,
        request: &LoginRequest,
        destination: &LoginDestination,
    ) -> Result<LoginOutcome, LoginError> {
        let roster = self.state.roster.loaded().await?;
        let person = self.person_tag(&roster)?;
        let member = roster.member_by_person_hash(&person);
        let is_permitted = match request.target {
            LoginTarget::First => !roster.has_had_members() || member.is_some(),
            _ => destination.admits(member),
        };
        let is_new = self.state.scan_sessions.find(uuid).await?.progress == ScanProgress::Pending;
        let unionid =
            if is_permitted && is_new && destination.unionid { self.unionid().await } else { None };
        if is_permitted && destination.confirm == Confirmation::None {
            return login_approval::approve(self.state, uuid, &request.target, &person, unionid)
                .await;
        }
        let now = self.state.clock.now_ms();
        let challenge = match destination.confirm {
            Confirmation::Digits => {
                let made = digits::new_challenge(&roster, uuid, &person, now);
                Some(made.ok_or(LoginError::Unavailable)?)
            }
            Confirmation::Reply | Confirmation::None => None,
        };
        let advanced = self.state.scan_sessions.advance(uuid, |session| match &session.progress {
            ScanProgress::Pending if !is_permitted => {
                let reason = DeclineReason::NotStaff;
                Some(ScanProgress::Declined { person: person.clone(), reason })
            }
            ScanProgress::Pending => {
                session.expires_at = session.expires_at.max(now + CONFIRMATION_TIMEOUT_MS);
                Some(ScanProgress::AwaitingConfirmation {
                    person: person.clone(),
                    challenge: challenge.clone(),
                    unionid: unionid.clone(),
                })
            }
            _ => None,
        });
        Ok(outcome_for(&advanced.await?, &person))
    }

    /// Handles a normalised text as the answer to the login question, if one was asked.
    pub(super) async fn handle_login_answer(&self, text: &str) -> Option<Reply> {
        // What WeChat hears of a voice may be a number in words.
        let is_approval = match text {
            "1" | "一" => true,
            "0" | "零" => false,
            _ => return None,
        };
        let roster = self.state.roster.now();
        let person = self.person_tag(&roster).ok()?;
        let key = streams::login_prompt_key(self.account_name, &person);
        let uuid_bytes =
            timeout_at(self.deadline, self.state.cache.get(&key)).await.ok()?.ok()??;
        let uuid = Uuid::try_parse_ascii(&uuid_bytes).ok()?;
        let found = timeout_at(self.deadline, self.state.scan_sessions.find(uuid)).await.ok()?;
        let session = match found {
            Ok(session) => session,
            Err(SessionError::Unknown | SessionError::Expired) => {
                return Some(self.text_reply(prompt::answer_too_late()));
            }
            Err(_) => return None,
        };
        let ScanPurpose::Login(request) = &session.purpose else { return None };
        let target = self.state.login_destination(&request.target)?;
        let decision = async {
            match &session.progress {
                // The digits are entered at the page, where a stranger's code has none.
                ScanProgress::AwaitingConfirmation { challenge: None, unionid, .. }
                    if is_approval =>
                {
                    let unionid = unionid.clone();
                    login_approval::approve(self.state, uuid, &request.target, &person, unionid)
                        .await
                }
                _ if is_approval => Ok(outcome_for(&session, &person)),
                _ => self.decline(uuid, &person).await,
            }
        };
        let result =
            timeout_at(self.deadline, decision).await.unwrap_or(Err(LoginError::Unavailable));
        Some(match result {
            // It expired between the two reads.
            Err(LoginError::Expired) => self.text_reply(prompt::answer_too_late()),
            result => self.login_reply(result, &target, request).0,
        })
    }

    async fn decline(&self, uuid: Uuid, person: &str) -> Result<LoginOutcome, LoginError> {
        let advanced = self.state.scan_sessions.advance(uuid, |session| match &session.progress {
            ScanProgress::AwaitingConfirmation { person: asked_person, .. }
                if asked_person == person =>
            {
                let reason = DeclineReason::ByPerson;
                Some(ScanProgress::Declined { person: person.to_owned(), reason })
            }
            _ => None,
        });
        Ok(outcome_for(&advanced.await?, person))
    }

    /// Asks WeChat for the unionid of the person. `None` if the account belongs to no open
    /// platform, and if WeChat does not answer in time: the login does not depend on it.
    async fn unionid(&self) -> Option<UnionId> {
        let person = &self.message.from_user;
        let asked = self.state.wechat.user_info(self.account_name, person);
        match timeout(UNIONID_TIMEOUT, asked).await {
            Ok(Ok(user)) => user.unionid.map(|unionid| UnionId::new(unionid.expose())),
            Ok(Err(error)) => {
                tracing::warn!(account = self.account_name, %error, "cannot read a unionid, logging in without");
                None
            }
            Err(_) => {
                tracing::warn!(
                    account = self.account_name,
                    "no unionid in time, logging in without"
                );
                None
            }
        }
    }

    fn login_reply(
        &self,
        result: Result<LoginOutcome, LoginError>,
        target: &LoginDestination,
        request: &LoginRequest,
    ) -> (Reply, &'static str) {
        let LoginDestination { name, unionid, .. } = target;
        match result {
            Ok(LoginOutcome::AwaitingConfirmation(challenge)) => {
                let at = challenge.as_ref().map_or(self.state.clock.now_ms(), |asked| asked.at);
                let time = local_time(self.state, self.account_name, at);
                let digits = challenge.as_ref().map(|DigitChallenge { digits, .. }| &**digits);
                let text = prompt::confirmation_prompt(name, *unionid, request, &time, digits);
                (self.text_reply(text), "asked")
            }
            Ok(LoginOutcome::LoggedIn) => {
                (self.text_reply(prompt::login_succeeded(name, *unionid, request)), "logged_in")
            }
            Ok(LoginOutcome::RefusedByPerson) => {
                (self.text_reply(prompt::login_refused()), "refused")
            }
            Ok(LoginOutcome::NotStaff) => (self.text_reply(prompt::not_staff()), "refused"),
            Ok(LoginOutcome::TakenByAnother) => {
                (self.text_reply(prompt::code_already_scanned()), "refused")
            }
            Err(LoginError::Expired) => (self.text_reply(replies::expired_code_reply()), "refused"),
            Err(LoginError::Unavailable) => {
                (self.failure_reply(replies::REQUEST_FAILED), "not_now")
            }
        }
    }

    /// Stores the session that the person was asked about last.
    async fn remember_question(&self, uuid: Uuid) {
        let Some(person) = self.person_tag(&self.state.roster.now()).ok() else { return };
        let key = streams::login_prompt_key(self.account_name, &person);
        let uuid = Bytes::from(uuid.to_string());
        let stored = self.state.cache.put(&key, uuid, QUESTION_RETENTION);
        if !matches!(timeout_at(self.deadline, stored).await, Ok(Ok(()))) {
            tracing::warn!("cannot store the login question");
        }
    }

    pub(super) fn person_tag(&self, roster: &Roster) -> Result<String, LoginError> {
        roster
            .person_hash(self.account_name, self.message.from_user.expose())
            .ok_or(LoginError::Unavailable)
    }
}
