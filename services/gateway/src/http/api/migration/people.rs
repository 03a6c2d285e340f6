//! People with tickets of an account that has migrated: their tickets name them by their openids at
//! the new account.
//!
//! A request looks at the people of a hundred openids, which is one call of WeChat, and tells where
//! the next one begins.

use super::accounts::{log_progress, new_openids, require_account, validate_former};
use crate::engine::SubmitError;
use crate::http::access::Owner;
use crate::http::errors::wechat_problem;
use crate::http::idempotency::derived_command_id;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use futures::{StreamExt, TryStreamExt, stream};
use paihao_contracts::commit::MIGRATION_GENERATION;
use paihao_domain::{Act, Actor, Command, Day, Person, Refusal, Site, Ticket, TicketId};
use paihao_http_api::body;
use paihao_wechat::OpenId;
use paihao_wechat::migration::MAX_CHANGED_OPENIDS;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// Lookups of people at WeChat at the same time.
const LOOKUP_CONCURRENCY: usize = 8;

/// Commands to the sites at the same time.
const COMMAND_CONCURRENCY: usize = 64;

/// WeChat's codes for an openid that is none of the account's.
const FOREIGN_OPENID: [i64; 2] = [40003, 46004];

/// A part of the people with tickets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MigratePeopleRequest {
    /// AppID or original id of the former account.
    from: String,
    /// The `next` of the request before; absent in the first one.
    after: Option<String>,
    /// True to count only.
    #[serde(default)]
    dry_run: bool,
}

/// Numbers of people of this part, each counted once a site.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct MigratedPeopleView {
    account: String,
    /// Number of sites of the account.
    sites: u32,
    /// People whose tickets are theirs at the new account from now on.
    migrated: u32,
    /// Of these, people with a ticket that has not ended.
    live: u32,
    /// People who are known at the new account already, by an earlier request or from the start.
    current: u32,
    /// People for whom WeChat gives no new openid: they keep their tickets, and get no message.
    unreachable: u32,
    /// Place at which the next request goes on; `null` after the last one.
    next: Option<String>,
}

/// Place among the tickets of an account: behind a ticket of a site on a business day.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    site: String,
    day: Option<Day>,
    ticket: TicketId,
}

impl Cursor {
    fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.rsplitn(3, '/');
        let ticket = TicketId(parts.next()?.parse().ok()?);
        let day = Some(Day(parts.next()?.parse().ok()?));
        let site = parts.next()?.to_owned();
        Some(Cursor { site, day, ticket })
    }

    fn text(&self) -> String {
        format!("{}/{}/{}", self.site, self.day.map_or(0, |day| day.0), self.ticket.0)
    }
}

/// Person at a site whose openid may be one of the former account.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    place: Cursor,
    person: Person,
    has_live_ticket: bool,
}

/// People of one request.
#[derive(Debug, Default, PartialEq, Eq)]
struct HolderBatch {
    holders: Vec<Holder>,
    /// Number of people on the way who were migrated before.
    migrated_before: u32,
    next: Option<Cursor>,
}

/// Selects the people behind a place, of as many openids as one call of WeChat takes. Each person
/// of a site stands at their newest ticket.
fn select_holders<'a>(
    sites: impl IntoIterator<Item = (&'a str, &'a Site)>,
    after: Option<&Cursor>,
) -> HolderBatch {
    let mut batch = HolderBatch::default();
    let mut openids = BTreeSet::new();
    let mut last = after.cloned();
    let is_left = |site: &str| after.is_none_or(|after| site >= after.site.as_str());
    for (id, site) in sites.into_iter().filter(|(id, _)| is_left(id)) {
        let people = people_of(site);
        let mut by_ticket: Vec<_> =
            people.iter().map(|(person, found)| (found.newest, *person, found)).collect();
        by_ticket.sort_unstable_by_key(|(newest, ..)| *newest);
        // The ids of tickets begin again each day.
        let same = after.filter(|after| after.site == id && after.day == site.day());
        let begin = same.map_or(TicketId(0), |after| after.ticket);
        for (newest, person, found) in by_ticket.into_iter().filter(|(newest, ..)| *newest > begin)
        {
            let place = Cursor { site: id.to_owned(), day: site.day(), ticket: newest };
            if found.is_migrated {
                batch.migrated_before += 1;
            } else {
                if openids.len() == MAX_CHANGED_OPENIDS && !openids.contains(person) {
                    batch.next = last;
                    return batch;
                }
                openids.insert(person);
                let has_live_ticket = site.live_ticket_of(person).is_some();
                let (person, place) = (person.clone(), place.clone());
                batch.holders.push(Holder { place, person, has_live_ticket });
            }
            last = Some(place);
        }
    }
    batch
}

/// Tickets of a person at a site.
struct PersonTickets {
    newest: TicketId,
    /// True if one of them tells the former openid of the person.
    is_migrated: bool,
}

fn people_of(site: &Site) -> BTreeMap<&Person, PersonTickets> {
    let mut people = BTreeMap::new();
    for Ticket { id, person, past, .. } in site.tickets() {
        let Some(person) = person else { continue };
        let found =
            people.entry(person).or_insert(PersonTickets { newest: *id, is_migrated: false });
        found.newest = found.newest.max(*id);
        found.is_migrated |= past.former_person.is_some();
    }
    people
}

pub(super) async fn migrate(
    State(state): State<AppState>,
    Path(account): Path<String>,
    owner: Owner,
    body: Body,
) -> Result<Json<MigratedPeopleView>, Problem> {
    require_account(&state, &account)?;
    let MigratePeopleRequest { from, after, dry_run } =
        body::read_json::<AppState, _>(body, MAX_BODY_BYTES).await?;
    let from = validate_former(&from)?;
    let after = after.map(|text| {
        Cursor::parse(&text).ok_or_else(|| refusals::malformed("after is no next of an answer"))
    });
    let after = after.transpose()?;
    if !dry_run && !state.settings.write_version.allows(MIGRATION_GENERATION) {
        return Err(Problem::new(&refusals::FORMS_HELD_BACK));
    }
    state.engine.until_current().await?;
    let snapshots = account_snapshots(&state, &account)?;
    let sites = snapshots.iter().map(|(id, site)| (&**id, &**site));
    let HolderBatch { holders, migrated_before, next } = select_holders(sites, after.as_ref());
    let mut view = MigratedPeopleView {
        account,
        sites: snapshots.len() as u32,
        current: migrated_before,
        next: next.as_ref().map(Cursor::text),
        ..MigratedPeopleView::default()
    };
    let openids: BTreeSet<_> =
        holders.iter().map(|holder| OpenId::new(holder.person.as_str())).collect();
    let openids: Vec<_> = openids.into_iter().collect();
    let new = new_openids(&state, &view.account, from, &openids).await?;
    let unknown: Vec<_> = openids.into_iter().filter(|openid| !new.contains_key(openid)).collect();
    let own = own_openids(&state, &view.account, unknown).await?;
    let mut migrating = Vec::new();
    for holder in holders {
        let openid = OpenId::new(holder.person.as_str());
        match new.get(&openid) {
            Some(new) => migrating.push((holder, Person::new(new.expose()))),
            None if own.contains(&openid) => view.current += 1,
            None => view.unreachable += 1,
        }
    }
    let (state, actor) = (&state, &owner.principal.actor);
    let commands = stream::iter(migrating).map(|(holder, to)| async move {
        let is_new = dry_run || migrate_holder(state, actor, from, &holder, to).await?;
        Ok::<_, Problem>((is_new, holder.has_live_ticket))
    });
    let migrated: Vec<_> = commands.buffer_unordered(COMMAND_CONCURRENCY).try_collect().await?;
    for (is_new, has_live_ticket) in migrated {
        view.migrated += u32::from(is_new);
        view.live += u32::from(is_new && has_live_ticket);
        view.current += u32::from(!is_new);
    }
    log_progress(&owner, &view.account, "people", view.migrated, dry_run);
    Ok(Json(view))
}

/// States of the account's sites, by id.
fn account_snapshots(
    state: &AppState,
    account: &str,
) -> Result<BTreeMap<Arc<str>, Arc<Site>>, SubmitError> {
    let sites = state.engine.all_settings().filter(|site| &*site.facts.account == account);
    sites
        .map(|settings| {
            let id = settings.facts.id.clone();
            let snapshot = state.engine.snapshot(&id).ok_or(SubmitError::UnknownSite)?;
            if snapshot.unreadable { Err(SubmitError::Unreadable) } else { Ok((id, snapshot.site)) }
        })
        .collect()
}

/// Returns which of these openids are of the account itself, of people who follow it.
async fn own_openids(
    state: &AppState,
    account: &str,
    openids: Vec<OpenId>,
) -> Result<BTreeSet<OpenId>, Problem> {
    let lookups = stream::iter(openids).map(|openid| async move {
        match state.wechat.user_info(account, &openid).await {
            Ok(user) => Ok(user.follows.then_some(openid)),
            Err(error) if error.code().is_some_and(|code| FOREIGN_OPENID.contains(&code)) => {
                Ok(None)
            }
            Err(error) => Err(wechat_problem(error, &refusals::MIGRATION_REFUSED)),
        }
    });
    let own: Vec<_> = lookups.buffer_unordered(LOOKUP_CONCURRENCY).try_collect().await?;
    Ok(own.into_iter().flatten().collect())
}

/// Returns false if nothing of the site names the person any more.
async fn migrate_holder(
    state: &AppState,
    actor: &Actor,
    from: &str,
    holder: &Holder,
    to: Person,
) -> Result<bool, Problem> {
    let Holder { place, person, .. } = holder;
    let tags = state.person_tags().await?;
    let id = derived_command_id(format!(
        "migration\0{from}\0{}\0{}\0{}",
        place.text(),
        tags.tag(from, &OpenId::new(person.as_str())),
        tags.tag("", &OpenId::new(to.as_str())),
    ));
    let act = Act::MigrateHolder { from: person.clone(), to };
    let command = Command { id, fingerprint: 0, actor: actor.clone(), act, day: None };
    match state.engine.submit(&place.site, command).await {
        Ok(_) => Ok(true),
        Err(SubmitError::Refused(Refusal::PersonUnknown)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_domain::{
        CommandId, DecisionInput, DecisionResult, QueueId, QueueRules, Rules, Timestamp, decide,
    };

    const DAY: Day = Day(20_000);

    /// Lets acts happen one after the other.
    fn apply(site: &mut Site, acts: impl IntoIterator<Item = Act>) {
        let queues = [(QueueId::new("a"), QueueRules::new("存取款", "A"))].into();
        let rules = Rules { queues, ..Rules::default() };
        let now = DecisionInput::on_day(DAY, Timestamp(1_000));
        for act in acts {
            let actor = match &act {
                Act::Take { person: Some(person), .. } | Act::Withdraw { person } => {
                    Actor::Customer(person.clone())
                }
                _ => Actor::Manager("boss".into()),
            };
            let id = CommandId(paihao_chassis::entropy::bytes());
            let command = Command { id, fingerprint: 0, actor, act, day: site.day() };
            match decide(site, &rules, &command, &now) {
                Ok(DecisionResult::Decided(_, after)) => *site = *after,
                other => panic!("{other:?}"),
            }
        }
    }

    fn person(n: usize) -> Person {
        Person::new(&format!("o{n:03}"))
    }

    fn take(n: usize) -> Act {
        let person = Some(person(n));
        Act::Take { queue: QueueId::new("a"), person, scan_session: None, class: None, key: None }
    }

    fn site_of(people: std::ops::Range<usize>) -> Site {
        let mut site = Site::default();
        apply(&mut site, people.map(take));
        site
    }

    fn cursor(site: &str, ticket: u32) -> Cursor {
        Cursor { site: site.to_owned(), day: Some(DAY), ticket: TicketId(ticket) }
    }

    /// People of all parts, one after the other.
    fn all_parts(sites: &[(&str, &Site)]) -> Vec<Vec<Person>> {
        let mut parts = Vec::new();
        let mut after = None;
        loop {
            let batch = select_holders(sites.iter().copied(), after.as_ref());
            parts.push(batch.holders.into_iter().map(|holder| holder.person).collect());
            match batch.next {
                Some(next) => after = Some(Cursor::parse(&next.text()).unwrap()),
                None => return parts,
            }
        }
    }

    #[test]
    fn each_person_of_a_site_is_in_one_part() {
        let (one, two) = (site_of(0..150), site_of(100..160));
        let parts = all_parts(&[("one", &one), ("two", &two)]);
        let sizes: Vec<_> = parts.iter().map(Vec::len).collect();
        // The second part has 50 people of the first site, the same at the second, and its others.
        assert_eq!(sizes, [100, 110]);
        let all: Vec<_> = parts.concat();
        let expected: Vec<_> = (0..150).chain(100..160).map(person).collect();
        assert_eq!(all, expected);
        assert_eq!(
            all_parts(&[("one", &site_of(0..100))]),
            [(0..100).map(person).collect::<Vec<_>>()]
        );
        assert_eq!(all_parts(&[]), [vec![]]);
    }

    #[test]
    fn a_person_stands_at_their_newest_ticket_and_once_they_have_migrated_no_more() {
        let mut site = site_of(0..3);
        apply(&mut site, [Act::Withdraw { person: person(0) }, take(0)]);
        let (from, to) = (person(1), Person::new("oNew"));
        apply(&mut site, [Act::MigrateHolder { from, to: to.clone() }]);
        // A ticket after the migration is one of somebody who is known at the new account.
        apply(&mut site, [Act::Withdraw { person: to.clone() }]);
        let again = Act::Take {
            queue: QueueId::new("a"),
            person: Some(to),
            scan_session: None,
            class: None,
            key: None,
        };
        apply(&mut site, [again, Act::Withdraw { person: person(2) }]);
        let batch = select_holders([("hall", &site)], None);
        let holder = |ticket, n, has_live_ticket| Holder {
            place: cursor("hall", ticket),
            person: person(n),
            has_live_ticket,
        };
        let holders = vec![holder(3, 2, false), holder(4, 0, true)];
        assert_eq!(batch, HolderBatch { holders, migrated_before: 1, next: None });
    }

    #[test]
    fn a_place_of_another_day_is_the_beginning_of_its_site() {
        let (one, two) = (site_of(0..3), site_of(3..6));
        let sites = [("one", &one), ("two", &two)];
        let people = |after: Cursor| {
            let batch = select_holders(sites, Some(&after));
            batch.holders.into_iter().map(|holder| holder.person).collect::<Vec<_>>()
        };
        let expected = |range: std::ops::Range<usize>| range.map(person).collect::<Vec<_>>();
        assert_eq!(people(cursor("one", 2)), expected(2..6));
        assert_eq!(people(cursor("two", 1)), expected(4..6));
        let yesterday = Cursor { day: Some(Day(DAY.0 - 1)), ..cursor("two", 1) };
        assert_eq!(people(yesterday), expected(3..6));
        assert_eq!(people(cursor("zoo", 1)), expected(0..0));
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = cursor("a/b", 7);
        assert_eq!(Cursor::parse(&place.text()), Some(place));
        for text in ["", "hall", "hall/7", "hall/x/7", "hall/7/-1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
