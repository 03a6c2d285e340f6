//! Login by phone: the scan, and the answer to the question that follows it.

use super::dispatch::{PushHandler, Reply};
use crate::http::refusals::{self, Problem};
use crate::http::replies;
use crate::identity::error::IdentityError;
use crate::identity::login::{self, LoginDestination, prompt};
use crate::identity::roster::Roster;
use crate::scan::sessions::SessionError;
use bytes::Bytes;
use paihao_contracts::session::{
    DeclineReason, Invitation, LoginRequest, LoginTarget, ScanProgress, ScanPurpose, ScanSession,
    UnionId,
};
use paihao_contracts::staff::{Member, StaffEvent, StaffRole};
use paihao_contracts::streams;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{timeout, timeout_at};
use uuid::Uuid;

/// Time limit for the answer on the phone, and for the browser to redeem it.
const CONFIRMATION_TIMEOUT_MS: i64 = 3 * 60 * 1000;

/// Time for which an answer is taken for one to a login: one that comes too late is told so.
const QUESTION_RETENTION: Duration = Duration::from_secs(30 * 60);

/// Longest wait for a unionid. The person waits for the answer, and the login does without it.
const UNIONID_TIMEOUT: Duration = Duration::from_secs(2);

/// Effect of a scan or an answer.
enum LoginOutcome {
    AwaitingConfirmation,
    LoggedIn,
    RefusedByPerson,
    NotStaff,
    TakenByAnother,
    Joined(Member),
    AlreadyMember,
}

/// Reason for which nothing was done.
enum LoginError {
    Expired,
    Unavailable,
}

impl From<SessionError> for LoginError {
    fn from(error: SessionError) -> LoginError {
        match error {
            SessionError::Cache(error) => {
                tracing::warn!(%error, "cannot read the login session");
                LoginError::Unavailable
            }
            _ => LoginError::Expired,
        }
    }
}

impl From<IdentityError> for LoginError {
    fn from(_: IdentityError) -> LoginError {
        LoginError::Unavailable
    }
}

impl From<Problem> for LoginError {
    fn from(_: Problem) -> LoginError {
        LoginError::Unavailable
    }
}

impl PushHandler<'_> {
    /// Handles the scan of a browser's login code.
    pub(super) async fn handle_login_scan(
        &self,
        uuid: Uuid,
        request: LoginRequest,
    ) -> (Reply, &'static str) {
        let Some(target) = login::login_destination(&self.state.settings.login, &request.target)
        else {
            return (self.text_reply(replies::expired_code_reply()), "refused");
        };
        if target.account != self.account_name {
            return (self.text_reply(replies::expired_code_reply()), "refused");
        }
        let scanned =
            timeout_at(self.deadline, self.advance_on_scan(uuid, &request, target.staff_only));
        let result = scanned.await.unwrap_or(Err(LoginError::Unavailable));
        if let Ok(LoginOutcome::AwaitingConfirmation) = result {
            self.remember_question(uuid).await;
        }
        self.login_reply(result, &target, &request)
    }

    async fn advance_on_scan(
        &self,
        uuid: Uuid,
        request: &LoginRequest,
        staff_only: bool,
    ) -> Result<LoginOutcome, LoginError> {
        let roster = self.state.roster.loaded().await?;
        let person = self.person_tag(&roster)?;
        let is_permitted = match request.target {
            LoginTarget::First => {
                !roster.has_had_members() || roster.member_by_person_hash(&person).is_some()
            }
            _ => !staff_only || roster.member_by_person_hash(&person).is_some(),
        };
        if is_permitted && !request.confirm {
            return self.approve(uuid, request, &person).await;
        }
        let now = self.state.clock.now_ms();
        let advanced = self.state.scan_sessions.advance(uuid, |session| match &session.progress {
            ScanProgress::Pending if !is_permitted => {
                let reason = DeclineReason::NotStaff;
                Some(ScanProgress::Declined { person: person.clone(), reason })
            }
            ScanProgress::Pending => {
                session.expires_at = session.expires_at.max(now + CONFIRMATION_TIMEOUT_MS);
                Some(ScanProgress::AwaitingConfirmation { person: person.clone() })
            }
            _ => None,
        });
        Ok(self.outcome_for(&advanced.await?, &person))
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
        let target = login::login_destination(&self.state.settings.login, &request.target)?;
        let decision = async {
            if is_approval {
                self.approve(uuid, request, &person).await
            } else {
                self.decline(uuid, &person).await
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
            ScanProgress::AwaitingConfirmation { person: asked_person }
                if asked_person == person =>
            {
                let reason = DeclineReason::ByPerson;
                Some(ScanProgress::Declined { person: person.to_owned(), reason })
            }
            _ => None,
        });
        Ok(self.outcome_for(&advanced.await?, person))
    }

    /// Approves the login of the browser. The first manager is recorded before.
    async fn approve(
        &self,
        uuid: Uuid,
        request: &LoginRequest,
        person: &str,
    ) -> Result<LoginOutcome, LoginError> {
        if request.target == LoginTarget::First {
            // Only the person who may approve this login: the code on the screen is not enough.
            let session = self.state.scan_sessions.find(uuid).await?;
            let is_free = match &session.progress {
                ScanProgress::Pending => !request.confirm,
                ScanProgress::AwaitingConfirmation { person: asked_person } => {
                    asked_person == person
                }
                _ => return Ok(self.outcome_for(&session, person)),
            };
            if !is_free {
                return Ok(LoginOutcome::TakenByAnother);
            }
            self.claim_first_manager(person).await?;
        }
        let roster = self.state.roster.loaded().await?;
        let member = roster.member_by_person_hash(person).map(|member| member.id.clone());
        let target = login::login_destination(&self.state.settings.login, &request.target);
        if member.is_none() && target.as_ref().is_none_or(|target| target.staff_only) {
            return Ok(LoginOutcome::NotStaff);
        }
        let is_own = |session: &ScanSession| match &session.progress {
            ScanProgress::Pending => !request.confirm,
            ScanProgress::AwaitingConfirmation { person: asked_person } => asked_person == person,
            _ => false,
        };
        let mut unionid = None;
        if target.is_some_and(|target| target.unionid)
            && is_own(&self.state.scan_sessions.find(uuid).await?)
        {
            unionid = self.unionid().await;
        }
        let now = self.state.clock.now_ms();
        let advanced = self.state.scan_sessions.advance(uuid, |session| {
            session.expires_at = session.expires_at.max(now + CONFIRMATION_TIMEOUT_MS);
            let approved = ScanProgress::Approved {
                person: person.to_owned(),
                member: member.clone(),
                at: now,
                unionid: unionid.clone(),
            };
            is_own(session).then_some(approved)
        });
        Ok(self.outcome_for(&advanced.await?, person))
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

    async fn claim_first_manager(&self, person: &str) -> Result<Arc<Roster>, Problem> {
        let member = Member {
            id: login::new_member_id(),
            name: "管理员".into(),
            role: StaffRole::Manager,
            sites: None,
            counters: [].into(),
        };
        self.state
            .roster
            .update(login::FIRST_MANAGER_AUTHOR, |roster| {
                if roster.member_by_person_hash(person).is_some() {
                    return Ok(None);
                }
                if roster.has_had_members() {
                    return Err(Problem::new(&refusals::FIRST_CODE_USED));
                }
                Ok(Some(StaffEvent::Joined {
                    member: member.clone(),
                    person: person.to_owned(),
                    invitation: login::FIRST_MANAGER_AUTHOR.into(),
                }))
            })
            .await
    }

    /// Outcome for this person of a session in this state, equal at every repetition.
    fn outcome_for(&self, session: &ScanSession, person: &str) -> LoginOutcome {
        match &session.progress {
            ScanProgress::AwaitingConfirmation { person: asked_person }
                if asked_person == person =>
            {
                LoginOutcome::AwaitingConfirmation
            }
            ScanProgress::Approved { person: scanned_by, .. }
            | ScanProgress::Redeemed { person: scanned_by }
                if scanned_by == person =>
            {
                LoginOutcome::LoggedIn
            }
            ScanProgress::Declined { person: scanned_by, reason } if scanned_by == person => {
                match reason {
                    DeclineReason::NotStaff => LoginOutcome::NotStaff,
                    DeclineReason::ByPerson => LoginOutcome::RefusedByPerson,
                    DeclineReason::Already => LoginOutcome::AlreadyMember,
                }
            }
            _ => LoginOutcome::TakenByAnother,
        }
    }

    /// Handles the scan of an invitation.
    pub(super) async fn handle_invitation_scan(
        &self,
        uuid: Uuid,
        invitation: Invitation,
    ) -> (Reply, &'static str) {
        if self.state.settings.login.account.as_deref() != Some(self.account_name) {
            return (self.text_reply(replies::expired_code_reply()), "refused");
        }
        let joined = timeout_at(self.deadline, self.accept_invitation(uuid, &invitation));
        match joined.await.unwrap_or(Err(LoginError::Unavailable)) {
            Ok(LoginOutcome::Joined(member)) => {
                let manager = member.role == StaffRole::Manager;
                (self.text_reply(prompt::welcome_member(&member.name, manager)), "joined")
            }
            Ok(_) => (self.text_reply(prompt::invitation_unusable()), "refused"),
            Err(LoginError::Expired) => (self.text_reply(replies::expired_code_reply()), "refused"),
            Err(LoginError::Unavailable) => {
                (self.failure_reply(replies::REQUEST_FAILED), "not_now")
            }
        }
    }

    async fn accept_invitation(
        &self,
        uuid: Uuid,
        invitation: &Invitation,
    ) -> Result<LoginOutcome, LoginError> {
        let person = self.person_tag(&*self.state.roster.loaded().await?)?;
        let id = uuid.to_string();
        let Invitation { by, member } = invitation;
        let updated = self.state.roster.update(by, |roster| {
            if roster.member_by_person_hash(&person).is_some() || roster.is_invitation_used(&id) {
                return Ok(None);
            }
            Ok::<_, IdentityError>(Some(StaffEvent::Joined {
                member: member.clone(),
                person: person.clone(),
                invitation: id.clone(),
            }))
        });
        let joined =
            updated.await?.member_by_person_hash(&person).cloned().filter(|m| m.id == member.id);
        let advanced = self.state.scan_sessions.advance(uuid, |session| match &joined {
            Some(member) if session.progress == ScanProgress::Pending => {
                let member = Some(member.id.clone());
                Some(ScanProgress::Approved {
                    person: person.clone(),
                    member,
                    at: 0,
                    unionid: None,
                })
            }
            _ => None,
        });
        advanced.await?;
        Ok(joined.map_or(LoginOutcome::AlreadyMember, LoginOutcome::Joined))
    }

    fn login_reply(
        &self,
        result: Result<LoginOutcome, LoginError>,
        target: &LoginDestination,
        request: &LoginRequest,
    ) -> (Reply, &'static str) {
        let LoginDestination { name, unionid, .. } = target;
        match result {
            Ok(LoginOutcome::AwaitingConfirmation) => {
                (self.text_reply(prompt::confirmation_prompt(name, *unionid, request)), "asked")
            }
            Ok(LoginOutcome::LoggedIn) => {
                (self.text_reply(prompt::login_succeeded(name, *unionid, request)), "logged_in")
            }
            Ok(LoginOutcome::RefusedByPerson) => {
                (self.text_reply(prompt::login_refused()), "refused")
            }
            Ok(LoginOutcome::NotStaff) => (self.text_reply(prompt::not_staff()), "refused"),
            Ok(
                LoginOutcome::TakenByAnother
                | LoginOutcome::Joined(_)
                | LoginOutcome::AlreadyMember,
            ) => (self.text_reply(prompt::code_already_scanned()), "refused"),
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

    fn person_tag(&self, roster: &Roster) -> Result<String, LoginError> {
        roster
            .person_hash(self.account_name, self.message.from_user.expose())
            .ok_or(LoginError::Unavailable)
    }
}
