//! Logging in, as heard from the phone: a scan, and the answer to the question that follows it.

use super::hear::{Hearing, Reply};
use crate::http::refusals::{self, Problem};
use crate::http::wording;
use crate::identity::login::{self, words};
use crate::identity::roster::Roster;
use crate::scan::sessions::SessionError;
use bytes::Bytes;
use paihao_contracts::names;
use paihao_contracts::session::{
    Declined, Invitation, LoginTo, LoginWish, Progress, Purpose, ScanSession,
};
use paihao_contracts::staff::{Member, StaffEvent, StaffRole};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout_at;
use uuid::Uuid;

/// How long somebody may take to answer, and their browser to come for what they said.
const TO_ANSWER_MS: i64 = 3 * 60 * 1000;

/// What a scan or an answer did.
enum Did {
    Asked,
    In,
    Refused,
    NotStaff,
    Taken,
    Joined(Member),
    Already,
}

/// Why nothing was done.
enum Stuck {
    Gone,
    NotNow,
}

impl From<SessionError> for Stuck {
    fn from(error: SessionError) -> Stuck {
        match error {
            SessionError::Cache(error) => {
                tracing::warn!(%error, "a login could not be looked at");
                Stuck::NotNow
            }
            _ => Stuck::Gone,
        }
    }
}

impl From<Problem> for Stuck {
    fn from(_: Problem) -> Stuck {
        Stuck::NotNow
    }
}

impl Hearing<'_> {
    /// Somebody scanned a browser's code to log it in.
    pub(super) async fn login(&self, uuid: Uuid, wish: LoginWish) -> (Reply, &'static str) {
        let Some(target) = login::target(&self.door.settings.login, &wish.to) else {
            return (self.say(wording::dead_code()), "refused");
        };
        if target.account != self.name {
            return (self.say(wording::dead_code()), "refused");
        }
        let scanned = timeout_at(self.deadline, self.scanned(uuid, &wish, target.staff_only));
        let did = scanned.await.unwrap_or(Err(Stuck::NotNow));
        if let Ok(Did::Asked) = did {
            self.expect_answer(uuid).await;
        }
        self.tell(did, &target.name, &wish)
    }

    async fn scanned(&self, uuid: Uuid, wish: &LoginWish, staff_only: bool) -> Result<Did, Stuck> {
        let roster = self.door.staff.known().await?;
        let person = self.tag(&roster)?;
        let may = match wish.to {
            LoginTo::First => !roster.has_begun() || roster.of_person(&person).is_some(),
            _ => !staff_only || roster.of_person(&person).is_some(),
        };
        if may && !wish.confirm {
            return self.approve(uuid, wish, &person).await;
        }
        let now = self.door.clock.now_ms();
        let moved = self.door.sessions.advance(uuid, |session| match &session.progress {
            Progress::Pending if !may => {
                let (person, why) = (person.clone(), Declined::NotStaff);
                Some(Progress::Declined { person, why })
            }
            Progress::Pending => {
                session.expires_at = session.expires_at.max(now + TO_ANSWER_MS);
                Some(Progress::Asked { person: person.clone() })
            }
            _ => None,
        });
        Ok(self.standing(&moved.await?, &person))
    }

    /// What an answer means that is one of the two, if something was asked.
    pub(super) async fn answered(&self, text: &str) -> Option<Reply> {
        let yes = match text {
            "1" | "１" => true,
            "0" | "０" => false,
            _ => return None,
        };
        let roster = self.door.staff.now();
        let person = self.tag(&roster).ok()?;
        let key = names::login_asked(self.name, &person);
        let asked = timeout_at(self.deadline, self.door.cache.get(&key)).await.ok()?.ok()??;
        let uuid = Uuid::try_parse_ascii(&asked).ok()?;
        let session = timeout_at(self.deadline, self.door.sessions.find(uuid)).await.ok()?.ok()?;
        let Purpose::Login(wish) = &session.purpose else { return None };
        let target = login::target(&self.door.settings.login, &wish.to)?;
        let answered = async {
            match yes {
                true => self.approve(uuid, wish, &person).await,
                false => self.decline(uuid, &person).await,
            }
        };
        let did = timeout_at(self.deadline, answered).await.unwrap_or(Err(Stuck::NotNow));
        Some(self.tell(did, &target.name, wish).0)
    }

    async fn decline(&self, uuid: Uuid, person: &str) -> Result<Did, Stuck> {
        let moved = self.door.sessions.advance(uuid, |session| match &session.progress {
            Progress::Asked { person: asked } if asked == person => {
                let (person, why) = (person.to_owned(), Declined::ByPerson);
                Some(Progress::Declined { person, why })
            }
            _ => None,
        });
        Ok(self.standing(&moved.await?, person))
    }

    /// Lets the browser in, as whoever this is. Who is the first of all is written down before.
    async fn approve(&self, uuid: Uuid, wish: &LoginWish, person: &str) -> Result<Did, Stuck> {
        if wish.to == LoginTo::First {
            // Only whom the browser may be let in for: the code on the screen is not enough.
            let session = self.door.sessions.find(uuid).await?;
            let free = match &session.progress {
                Progress::Pending => !wish.confirm,
                Progress::Asked { person: asked } => asked == person,
                _ => return Ok(self.standing(&session, person)),
            };
            if !free {
                return Ok(Did::Taken);
            }
            self.become_first(person).await?;
        }
        let roster = self.door.staff.known().await?;
        let member = roster.of_person(person).map(|member| member.id.clone());
        let target = login::target(&self.door.settings.login, &wish.to);
        if member.is_none() && target.is_none_or(|target| target.staff_only) {
            return Ok(Did::NotStaff);
        }
        let now = self.door.clock.now_ms();
        let moved = self.door.sessions.advance(uuid, |session| {
            let mine = match &session.progress {
                Progress::Pending => !wish.confirm,
                Progress::Asked { person: asked } => asked == person,
                _ => false,
            };
            session.expires_at = session.expires_at.max(now + TO_ANSWER_MS);
            let approved =
                Progress::Approved { person: person.to_owned(), member: member.clone(), at: now };
            mine.then_some(approved)
        });
        Ok(self.standing(&moved.await?, person))
    }

    async fn become_first(&self, person: &str) -> Result<Arc<Roster>, Problem> {
        let member = Member {
            id: login::fresh_member(),
            name: "管理员".into(),
            role: StaffRole::Manager,
            sites: None,
            counters: [].into(),
        };
        self.door
            .staff
            .change(login::FIRST, |roster| match roster.has_begun() {
                true if roster.of_person(person).is_some() => Ok(None),
                true => Err(Problem::new(&refusals::FIRST_CODE_USED)),
                false => Ok(Some(StaffEvent::Joined {
                    member: member.clone(),
                    person: person.to_owned(),
                    invitation: login::FIRST.into(),
                })),
            })
            .await
    }

    /// What a person is told of a session that stands like this; the same on every repeat.
    fn standing(&self, session: &ScanSession, person: &str) -> Did {
        match &session.progress {
            Progress::Asked { person: asked } if asked == person => Did::Asked,
            Progress::Approved { person: whose, .. } | Progress::Redeemed { person: whose }
                if whose == person =>
            {
                Did::In
            }
            Progress::Declined { person: whose, why } if whose == person => match why {
                Declined::NotStaff => Did::NotStaff,
                Declined::ByPerson => Did::Refused,
                Declined::Already => Did::Already,
            },
            _ => Did::Taken,
        }
    }

    /// Somebody scanned an invitation.
    pub(super) async fn invited(
        &self,
        uuid: Uuid,
        invitation: Invitation,
    ) -> (Reply, &'static str) {
        if self.door.settings.login.account.as_deref() != Some(self.name) {
            return (self.say(wording::dead_code()), "refused");
        }
        let joined = timeout_at(self.deadline, self.join(uuid, &invitation));
        match joined.await.unwrap_or(Err(Stuck::NotNow)) {
            Ok(Did::Joined(member)) => {
                let manager = member.role == StaffRole::Manager;
                (self.say(words::joined(&member.name, manager)), "joined")
            }
            Ok(_) => (self.say(words::already()), "refused"),
            Err(Stuck::Gone) => (self.say(wording::dead_code()), "refused"),
            Err(Stuck::NotNow) => (self.fail(wording::TRY_AGAIN), "not_now"),
        }
    }

    async fn join(&self, uuid: Uuid, invitation: &Invitation) -> Result<Did, Stuck> {
        let (roster, id) = (self.door.staff.known().await?, uuid.to_string());
        let person = self.tag(&roster)?;
        let Invitation { by, member } = invitation;
        let roster = self.door.staff.change(by, |roster| {
            if roster.of_person(&person).is_some() || roster.is_used(&id) {
                return Ok(None);
            }
            Ok(Some(StaffEvent::Joined {
                member: member.clone(),
                person: person.clone(),
                invitation: id.clone(),
            }))
        });
        let theirs = roster.await?.of_person(&person).cloned().filter(|m| m.id == member.id);
        let moved = self.door.sessions.advance(uuid, |session| match &theirs {
            Some(member) if session.progress == Progress::Pending => {
                let (person, member) = (person.clone(), Some(member.id.clone()));
                Some(Progress::Approved { person, member, at: 0 })
            }
            _ => None,
        });
        moved.await?;
        Ok(theirs.map_or(Did::Already, Did::Joined))
    }

    fn tell(
        &self,
        did: Result<Did, Stuck>,
        target: &str,
        wish: &LoginWish,
    ) -> (Reply, &'static str) {
        match did {
            Ok(Did::Asked) => (self.say(words::ask(target, wish)), "asked"),
            Ok(Did::In) => (self.say(words::done(target, wish)), "logged_in"),
            Ok(Did::Refused) => (self.say(words::refused()), "refused"),
            Ok(Did::NotStaff) => (self.say(words::not_staff()), "refused"),
            Ok(Did::Taken | Did::Joined(_) | Did::Already) => (self.say(words::taken()), "refused"),
            Err(Stuck::Gone) => (self.say(wording::dead_code()), "refused"),
            Err(Stuck::NotNow) => (self.fail(wording::TRY_AGAIN), "not_now"),
        }
    }

    /// Remembers what the person was asked last.
    async fn expect_answer(&self, uuid: Uuid) {
        let Some(person) = self.tag(&self.door.staff.now()).ok() else { return };
        let key = names::login_asked(self.name, &person);
        let span = Duration::from_millis(TO_ANSWER_MS.unsigned_abs());
        let noted = self.door.cache.put(&key, Bytes::from(uuid.to_string()), span);
        if !matches!(timeout_at(self.deadline, noted).await, Ok(Ok(()))) {
            tracing::warn!("a question about a login could not be remembered");
        }
    }

    fn tag(&self, roster: &Roster) -> Result<String, Stuck> {
        roster.person(self.name, self.message.from_user.expose()).ok_or(Stuck::NotNow)
    }
}
