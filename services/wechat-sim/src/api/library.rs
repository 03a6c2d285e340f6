//! Handlers of the public library of templates, and of the templates of subscription notices.
//!
//! WeChat lists the numbers and keywords of template messages in its console alone; those here
//! stand for it.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{json as answer, refusal};
use crate::api::Parameters;
use crate::templates::SimTemplate;
use crate::world::{AccountState, SharedState};

/// Most templates of an account, of each kind.
const MAX_TEMPLATES: usize = 25;
/// Most titles that one call returns.
const MAX_TITLES: usize = 30;
/// Most characters of the description of a use.
const MAX_SCENE_CHARS: usize = 15;
/// Category of the account.
const CATEGORY: u64 = 307;

/// Title of the library, with types and labels of its keywords; a keyword's number is its place.
struct Title {
    number: u64,
    title: &'static str,
    keywords: &'static [(&'static str, &'static str)],
}

/// Library of template messages.
const TEMPLATES: [Title; 3] = [
    Title {
        number: 43521,
        title: "排队进度提醒",
        keywords: &[
            ("thing", "门店名称"),
            ("thing", "排队项目"),
            ("character_string", "排队号码"),
            ("short_thing", "前面人数"),
            ("short_thing", "预计等待"),
            ("thing", "温馨提示"),
        ],
    },
    Title {
        number: 43522,
        title: "叫号通知",
        keywords: &[
            ("thing", "门店名称"),
            ("thing", "办理窗口"),
            ("character_string", "排队号码"),
            ("time", "叫号时间"),
        ],
    },
    Title {
        number: 43524,
        title: "过号提醒",
        keywords: &[("thing", "门店名称"), ("character_string", "排队号码"), ("thing", "温馨提示")],
    },
];

/// Library of subscription notices in the account's category.
const SUBSCRIPTIONS: [Title; 4] = [
    Title {
        number: 501,
        title: "订单发货提醒",
        keywords: &[("thing", "商品名称"), ("time", "发货时间")],
    },
    Title {
        number: 502,
        title: "排队叫号通知",
        keywords: &[
            ("thing", "门店名称"),
            ("character_string", "排队号码"),
            ("thing", "前往窗口"),
            ("phrase", "排队状态"),
            ("time", "叫号时间"),
            ("phone_number", "联系电话"),
        ],
    },
    Title {
        number: 503,
        title: "排队进度提醒",
        keywords: &[
            ("thing", "门店名称"),
            ("character_string", "排队号码"),
            ("number", "前方等待人数"),
            ("time", "取号时间"),
            ("thing", "温馨提示"),
        ],
    },
    Title {
        number: 504,
        title: "过号通知",
        keywords: &[("character_string", "排队号码"), ("thing", "备注")],
    },
];

fn account<'a>(world: &'a SharedState, token: Option<&str>) -> Result<&'a AccountState, i64> {
    world.account_of_token(token)
}

fn respond(result: Result<Value, i64>) -> Response {
    match result {
        Ok(mut body) => {
            body["errcode"] = json!(0);
            body["errmsg"] = json!("ok");
            answer(&body)
        }
        Err(errcode) => refusal(errcode),
    }
}

/// Adds a template to an account and returns its id.
fn add(
    templates: &Mutex<Vec<SimTemplate>>,
    title: &Title,
    chosen: &[usize],
    prefix: &str,
) -> Result<String, i64> {
    let mut templates = templates.lock();
    if templates.len() >= MAX_TEMPLATES {
        return Err(200_012);
    }
    let id = format!("{prefix}{}_{:0>28}", title.number, templates.len() + 1);
    let fields: Vec<(String, &str)> = chosen
        .iter()
        .map(|index| {
            let (kind, label) = title.keywords[*index];
            (format!("{kind}{}", index + 1), label)
        })
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, label)| (&**key, *label)).collect();
    templates.push(SimTemplate::new(&id, title.title, &fields));
    Ok(id)
}

#[derive(Deserialize)]
struct AddTemplateRequest {
    #[serde(default)]
    template_id_short: String,
    #[serde(default)]
    keyword_name_list: Vec<String>,
}

/// Adds a template of template messages by its number and the names of its keywords.
pub(crate) async fn add_template(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let added = || {
        let account = account(&world, query.access_token.as_deref())?;
        let request: AddTemplateRequest = serde_json::from_slice(&body).map_err(|_| 47001)?;
        let number = request.template_id_short.parse::<u64>().ok();
        let title = TEMPLATES.iter().find(|title| Some(title.number) == number).ok_or(40037)?;
        let place = |name: &String| title.keywords.iter().position(|(_, label)| label == name);
        let chosen: Option<Vec<usize>> = request.keyword_name_list.iter().map(place).collect();
        let chosen = chosen.filter(|chosen| is_choice(chosen, 1)).ok_or(40246)?;
        let id = add(&account.templates, title, &chosen, "SIM")?;
        Ok(json!({ "template_id": id }))
    };
    respond(added())
}

/// True for different keywords of a number that WeChat takes.
fn is_choice(chosen: &[usize], fewest: usize) -> bool {
    let is_repeated = |(at, index): (usize, &usize)| chosen[..at].contains(index);
    (fewest..=5).contains(&chosen.len()) && !chosen.iter().enumerate().any(is_repeated)
}

/// Lists the account's templates of subscription notices.
pub(crate) async fn subscriptions(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    respond(account(&world, query.access_token.as_deref()).map(|account| {
        let templates = account.subscriptions.lock();
        let listed = templates.iter().map(|template| {
            json!({
                "priTmplId": template.template_id,
                "title": template.title,
                "content": template.content(":"),
                "example": "",
                "type": 2,
            })
        });
        json!({ "data": listed.collect::<Vec<_>>() })
    }))
}

/// Lists the account's categories.
pub(crate) async fn categories(
    State(world): State<SharedState>,
    Query(query): Parameters,
) -> Response {
    let data = json!({ "data": [{ "id": CATEGORY, "name": "生活服务" }] });
    respond(account(&world, query.access_token.as_deref()).map(|_| data))
}

/// Query of the calls about the library.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LibraryQuery {
    access_token: Option<String>,
    ids: String,
    start: String,
    limit: String,
    tid: String,
}

/// Lists the titles of categories.
pub(crate) async fn titles(
    State(world): State<SharedState>,
    Query(query): Query<LibraryQuery>,
) -> Response {
    let listed = || {
        account(&world, query.access_token.as_deref())?;
        if !query.ids.split(',').all(|id| id.parse() == Ok(CATEGORY)) {
            return Err(200_018);
        }
        let start: usize = query.start.parse().map_err(|_| 200_016)?;
        let limit: usize = query.limit.parse().map_err(|_| 200_017)?;
        if !(1..=MAX_TITLES).contains(&limit) {
            return Err(200_017);
        }
        let titles = SUBSCRIPTIONS.iter().skip(start).take(limit).map(|title| {
            json!({
                "tid": title.number, "title": title.title, "type": 2,
                "categoryId": CATEGORY.to_string(),
            })
        });
        Ok(json!({ "count": SUBSCRIPTIONS.len(), "data": titles.collect::<Vec<_>>() }))
    };
    respond(listed())
}

fn find_subscription(number: Option<u64>) -> Result<&'static Title, i64> {
    SUBSCRIPTIONS.iter().find(|title| Some(title.number) == number).ok_or(200_014)
}

/// Lists the keywords of a title.
pub(crate) async fn keywords(
    State(world): State<SharedState>,
    Query(query): Query<LibraryQuery>,
) -> Response {
    let listed = || {
        account(&world, query.access_token.as_deref())?;
        let title = find_subscription(query.tid.parse().ok())?;
        let keywords = title.keywords.iter().enumerate().map(|(index, (rule, name))| {
            json!({ "kid": index + 1, "name": name, "example": "", "rule": rule })
        });
        Ok(json!({ "count": title.keywords.len(), "data": keywords.collect::<Vec<_>>() }))
    };
    respond(listed())
}

#[derive(Deserialize)]
struct AddSubscriptionRequest {
    tid: Value,
    #[serde(rename = "kidList", default)]
    keywords: Vec<usize>,
    #[serde(rename = "sceneDesc", default)]
    scene: String,
}

/// Adds a template of subscription notices by its title and the numbers of its keywords.
pub(crate) async fn add_subscription(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let added = || {
        let account = account(&world, query.access_token.as_deref())?;
        let request: AddSubscriptionRequest = serde_json::from_slice(&body).map_err(|_| 47001)?;
        let number = match &request.tid {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let title = find_subscription(number)?;
        if request.scene.chars().count() > MAX_SCENE_CHARS {
            return Err(200_021);
        }
        let place = |kid: &usize| kid.checked_sub(1).filter(|at| *at < title.keywords.len());
        let chosen: Option<Vec<usize>> = request.keywords.iter().map(place).collect();
        let chosen = chosen.ok_or(200_020)?;
        if !is_choice(&chosen, 2) {
            return Err(200_022);
        }
        let id = add(&account.subscriptions, title, &chosen, "SIMsub")?;
        Ok(json!({ "priTmplId": id }))
    };
    respond(added())
}
