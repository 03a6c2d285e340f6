//! What somebody asks about the tickets they hold, wherever they hold them; and how they leave.

use super::hear::{Hearing, Reply};
use crate::book::SiteBook;
use crate::http::refusals::{self, Problem};
use crate::http::wording;
use crate::lines::{Answered, Declined};
use futures::StreamExt;
use futures::stream;
use paihao_domain::{Act, Person, Refusal};
use std::sync::Arc;
use tokio::time::timeout_at;

/// So many sites at once are told to forget somebody.
const AT_ONCE: usize = 64;

impl Hearing<'_> {
    /// How the tickets stand that somebody holds.
    pub(super) async fn my_ticket(&self) -> Reply {
        self.each(|person| Act::Show { person }, |book, outcome| self.told(book, outcome)).await
    }

    /// Gives up every ticket that somebody holds.
    pub(super) async fn leave(&self) -> Reply {
        self.each(|person| Act::Withdraw { person }, wording::left).await
    }

    /// The same at every site where the person holds a ticket, and all that is said there.
    async fn each(
        &self,
        act: impl Fn(Person) -> Act,
        words: impl Fn(&SiteBook, &paihao_domain::Outcome) -> String,
    ) -> Reply {
        let (mut texts, mut at_s) = (Vec::new(), self.message.create_time);
        for book in self.holding() {
            match self.submit(&book.facts.id, act(self.person()), self.person()).await {
                Ok(Answered { outcome, at }) => {
                    texts.push(words(&book, &outcome));
                    at_s = at_s.max(at.0.div_euclid(1000));
                }
                Err(Declined::Refused(_)) => {}
                Err(declined) => {
                    let site = &*book.facts.id;
                    tracing::warn!(site, %declined, "somebody's ticket could not be looked at");
                    return self.fail(wording::TRY_AGAIN);
                }
            }
        }
        match texts.is_empty() {
            true => self.say(wording::no_ticket()),
            false => Reply::Text { text: texts.join("\n\n"), at_s },
        }
    }

    /// The sites where the person holds a ticket, or did when this push came first.
    fn holding(&self) -> Vec<Arc<SiteBook>> {
        let (person, id) = (self.person(), self.command_id());
        let holds = |book: &Arc<SiteBook>| {
            let view = self.door.lines.view(&book.facts.id);
            view.is_some_and(|view| {
                view.site.held_by(&person).is_some() || view.site.remembered(&id).is_some()
            })
        };
        self.sites().filter(holds).collect()
    }

    /// Has the person leave every line of the account and be named in none any more. WeChat says
    /// this again until it is told that it is done.
    pub(super) async fn forget(&self, person: &Person) -> Result<Reply, Problem> {
        // At every site, whatever this replica's view of it: another one may have just written.
        let told = stream::iter(self.sites()).map(async |book| {
            let act = Act::Forget { person: person.clone() };
            let answer = self.submit(&book.facts.id, act, person.clone()).await;
            match answer {
                Ok(_) | Err(Declined::Refused(Refusal::PersonUnknown)) => true,
                Err(declined) => {
                    let site = &*book.facts.id;
                    tracing::warn!(site, %declined, "somebody could not be forgotten yet");
                    false
                }
            }
        });
        let all = told.buffer_unordered(AT_ONCE).all(async |done| done).await;
        let caches = timeout_at(self.deadline, self.forget_in_caches(person)).await;
        if !matches!(caches, Ok(Ok(()))) {
            tracing::warn!("somebody could not be forgotten in the cache yet");
            return Err(Problem::new(&refusals::CACHE_UNAVAILABLE));
        }
        match all {
            true => Ok(Reply::Nothing),
            false => Err(Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }

    fn sites(&self) -> impl Iterator<Item = Arc<SiteBook>> + '_ {
        let ours = |book: &Arc<SiteBook>| &*book.facts.account == self.name;
        self.door.lines.books().filter(ours)
    }
}
