//! Handlers of tags: the account's own, and those of its followers.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answers::{Answer, json as answer, ok, respond};
use crate::api::Parameters;
use crate::world::{AccountState, SharedState};

/// Most people who are tagged by one call.
const MAX_TAGGED_PEOPLE: usize = 50;
/// Most tags of one person.
const MAX_TAGS_OF_PERSON: usize = 20;

#[derive(Deserialize)]
struct TagRequest {
    tag: TagFields,
}

#[derive(Deserialize)]
struct TagFields {
    #[serde(default)]
    id: u32,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct PeopleRequest {
    tagid: u32,
    #[serde(default)]
    openid_list: Vec<String>,
    #[serde(default)]
    next_openid: String,
}

#[derive(Deserialize)]
struct PersonRequest {
    openid: String,
}

/// Account of the query's token, and the body of the call.
fn opened<'a, T: DeserializeOwned>(
    world: &'a SharedState,
    token: Option<&str>,
    body: &[u8],
) -> Result<(&'a AccountState, T), i64> {
    let account = world.account_of_token(token)?;
    Ok((account, serde_json::from_slice(body).map_err(|_| 47001)?))
}

pub(crate) async fn create(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let create = || -> Answer {
        let (account, TagRequest { tag }) = opened(&world, query.access_token.as_deref(), &body)?;
        let id = account.tags.lock().create(&tag.name)?;
        Ok(answer(&json!({ "tag": { "id": id, "name": tag.name } })))
    };
    respond(create())
}

pub(crate) async fn list(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    let list = || -> Answer {
        let account = world.account_of_token(query.access_token.as_deref())?;
        let people = world.people.lock();
        let tags = account.tags.lock();
        let tags = tags.all().map(|(id, name)| {
            json!({ "id": id, "name": name, "count": people.tagged(account.index, id).len() })
        });
        Ok(answer(&json!({ "tags": tags.collect::<Vec<_>>() })))
    };
    respond(list())
}

pub(crate) async fn update(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let update = || -> Answer {
        let (account, TagRequest { tag }) = opened(&world, query.access_token.as_deref(), &body)?;
        account.tags.lock().rename(tag.id, &tag.name)?;
        Ok(ok())
    };
    respond(update())
}

pub(crate) async fn delete(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let delete = || -> Answer {
        let (account, TagRequest { tag }) = opened(&world, query.access_token.as_deref(), &body)?;
        account.tags.lock().delete(tag.id)?;
        world.people.lock().untag_all(account.index, tag.id);
        Ok(ok())
    };
    respond(delete())
}

pub(crate) async fn tag(state: State<SharedState>, query: Parameters, body: Bytes) -> Response {
    respond(change_tags(&state, &query.access_token, &body, |tags, id| {
        if !tags.contains(&id) {
            if tags.len() >= MAX_TAGS_OF_PERSON {
                return Err(45059);
            }
            tags.push(id);
        }
        Ok(())
    }))
}

pub(crate) async fn untag(state: State<SharedState>, query: Parameters, body: Bytes) -> Response {
    respond(change_tags(&state, &query.access_token, &body, |tags, id| {
        tags.retain(|other| *other != id);
        Ok(())
    }))
}

/// Changes the tags of followers, of all or of none.
fn change_tags(
    world: &SharedState,
    token: &Option<String>,
    body: &[u8],
    change: impl Fn(&mut Vec<u32>, u32) -> Result<(), i64>,
) -> Answer {
    let (account, request): (_, PeopleRequest) = opened(world, token.as_deref(), body)?;
    if !(1..=MAX_TAGGED_PEOPLE).contains(&request.openid_list.len()) {
        return Err(40032);
    }
    account.tags.lock().check(request.tagid)?;
    let mut people = world.people.lock();
    let mut changed = Vec::new();
    for openid in &request.openid_list {
        let person = people.get(account.index, openid).ok_or(40003)?;
        let mut tags = person.tags.clone();
        change(&mut tags, request.tagid)?;
        changed.push(tags);
    }
    for (openid, tags) in request.openid_list.iter().zip(changed) {
        people.get_or_insert(account.index, openid).tags = tags;
    }
    Ok(ok())
}

pub(crate) async fn of_person(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let list = || -> Answer {
        let (account, request): (_, PersonRequest) =
            opened(&world, query.access_token.as_deref(), &body)?;
        let people = world.people.lock();
        let person = people.get(account.index, &request.openid).ok_or(40003)?;
        Ok(answer(&json!({ "tagid_list": person.tags })))
    };
    respond(list())
}

/// Followers with a tag, from the one behind `next_openid` on. The documents name GET with a body,
/// and libraries use POST.
pub(crate) async fn members(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let list = || -> Answer {
        let (account, request): (_, PeopleRequest) =
            opened(&world, query.access_token.as_deref(), &body)?;
        account.tags.lock().check(request.tagid)?;
        let mut members = world.people.lock().tagged(account.index, request.tagid);
        if let Some(last) = members.iter().position(|openid| **openid == *request.next_openid) {
            members.drain(..=last);
        }
        let mut list = json!({
            "count": members.len(),
            "next_openid": "",
        });
        if let Some(last) = members.last() {
            list["next_openid"] = json!(last);
            list["data"] = json!({ "openid": members });
        }
        Ok(answer(&list))
    };
    respond(list())
}
