//! Words as a person will see them in WeChat, made by what the notifier says them with.

use super::{AT_SITE, BODY_LIMIT, manager};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::openapi::{Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::http::wording;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use paihao_chassis::config::Problems;
use paihao_contracts::notice::{Channel, Notice};
use paihao_contracts::setup::{AccountSetup, SiteSetup};
use paihao_notice_text::render::Binding;
use paihao_notice_text::sample::{self, Scene};
use paihao_notice_text::{Manner, check, manner, render};
use paihao_wechat::template::Template;
use paihao_wechat::{Caller, Value};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an account's templates are taken to be what they were.
const REMEMBERED: Duration = Duration::from_secs(300);

/// How long WeChat is waited for; without it the fields have their keys for names.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/api/v1/book/sites/{site}/preview",
        preview,
        op("preview_notice", "A notice as a person will see it in WeChat", AT_SITE)
            .takes::<PreviewWanted>()
            .repeatable("it changes nothing")
            .refuses(&[
                &refusals::UNSOUND_SETUP,
                &refusals::UNKNOWN_WORDING,
                &refusals::UNKNOWN_ACCOUNT,
            ]),
    )
}

/// What to show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewWanted {
    /// The kind of notice: `joined`, `near`, `called`.
    kind: String,
    /// The site as it might become; as it is, if left out.
    setup: Option<SiteSetup>,
    /// What the account might say; what it says, if left out.
    account: Option<AccountSetup>,
}

/// A notice as it will be seen.
#[derive(Serialize, JsonSchema)]
struct Preview {
    /// The ways, in the order in which they are tried.
    channels: Vec<&'static str>,
    /// The template message.
    template: Option<Card>,
    /// The subscription notice.
    subscription: Option<Card>,
    /// The customer-service text, or the answer to a scan.
    text: Option<String>,
}

/// A card.
#[derive(Serialize, JsonSchema)]
struct Card {
    /// Its head, if WeChat told it.
    title: Option<String>,
    /// Its lines.
    lines: Vec<CardLine>,
}

/// A line of a card.
#[derive(Serialize, JsonSchema)]
struct CardLine {
    /// What stands before it, or the field's key.
    label: String,
    /// What stands in it.
    text: String,
}

async fn preview(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
    body: Body,
) -> Result<Json<Preview>, Problem> {
    manager(&door, &asker, &site)?;
    let wanted: PreviewWanted = body::json(body, BODY_LIMIT).await?;
    let documents = door.setup.now();
    let now = documents.site(&site).cloned();
    let setup = wanted.setup.or(now).ok_or(&refusals::UNKNOWN_SITE)?;
    let known = documents.accounts.get(&setup.account);
    let account = wanted.account.or_else(|| known.and_then(|known| known.setup.clone()));
    let account = account.ok_or(&refusals::UNKNOWN_ACCOUNT)?;
    let mut problems = Problems::new();
    check::account(&format!("accounts.{}", setup.account), &account, &mut problems);
    check::wording(&format!("sites.{site}.wording"), &setup.wording, &mut problems);
    problems.into_result().map_err(|error| Problem::unsound(&error))?;
    if wanted.kind == "joined" {
        let text = Some(wording::joined_sample(&setup));
        let channels = vec![Channel::PassiveReply.name()];
        return Ok(Json(Preview { channels, template: None, subscription: None, text }));
    }
    let notice = sample::notice(&wanted.kind, &scene(&site, &setup, door.clock.now_ms()));
    let notice = notice.ok_or(&refusals::UNKNOWN_WORDING)?;
    let says = manner::account(&account).remove(render::kind(&notice)).unwrap_or_default();
    let says = match setup.wording.get(&wanted.kind) {
        Some(own) => says.worded(own),
        None => says,
    };
    let own = door.templates.of(&setup.account).await;
    Ok(Json(shown(&notice, &says, &own)))
}

fn shown(notice: &Notice, says: &Manner, own: &[Template]) -> Preview {
    let uses = |channel| says.usable().any(|usable| usable == channel);
    let template = render::template(notice, says).ok().filter(|_| uses(Channel::Template));
    let subscription =
        render::subscription(notice, says).ok().filter(|_| uses(Channel::Subscription));
    let template = template.zip(says.template.as_ref());
    let subscription = subscription.zip(says.subscription.as_ref());
    Preview {
        channels: says.usable().map(Channel::name).collect(),
        template: template.map(|(message, bound)| card(&message.fields, bound, own)),
        subscription: subscription.map(|(message, bound)| card(&message.fields, bound, own)),
        text: render::text(notice, says).ok().filter(|_| uses(Channel::CustomerService)),
    }
}

fn card(fields: &[(String, String)], bound: &Binding, own: &[Template]) -> Card {
    let template = own.iter().find(|template| template.id == bound.template_id);
    let mut lines: Vec<_> = fields
        .iter()
        .map(|(key, text)| {
            let label = template.and_then(|template| label(template, key));
            let label = label.unwrap_or_else(|| key.clone());
            (key, CardLine { label, text: text.clone() })
        })
        .collect();
    let place = |key: &str| {
        template.and_then(|template| template.keys().iter().position(|known| *known == key))
    };
    lines.sort_by_key(|(key, _)| place(key).unwrap_or(usize::MAX));
    let lines = lines.into_iter().map(|(_, line)| line).collect();
    Card { title: template.map(|template| template.title.clone()), lines }
}

/// What stands before a field: 排队号码 of `排队号码：{{character_string2.DATA}}`.
fn label(template: &Template, key: &str) -> Option<String> {
    let field = format!("{{{{{key}.DATA}}}}");
    let line = template.content.lines().find(|line| line.contains(&field))?;
    let before = line.split(&field).next().unwrap_or_default();
    let label = before.trim().trim_end_matches(['：', ':']).trim();
    (!label.is_empty()).then(|| label.to_owned())
}

fn scene(site: &str, setup: &SiteSetup, at: i64) -> Scene {
    let queue = setup.queues.values().next();
    let counter = setup.counters.values().next();
    Scene {
        account: setup.account.as_str().into(),
        site: site.to_owned(),
        site_name: setup.name.as_str().into(),
        zone: setup.time_zone.as_str().into(),
        queue_name: queue.map_or("综合业务", |queue| &*queue.name).into(),
        prefix: queue.map_or("A", |queue| &*queue.prefix).into(),
        counter_name: counter.map_or("1号窗口", |counter| &*counter.name).into(),
        at,
    }
}

/// When an account's templates were told, and which they are.
type Known = (Instant, Arc<Vec<Template>>);

/// The accounts' own templates, as WeChat told them a while ago.
pub(crate) struct Templates {
    wechat: Caller,
    known: Mutex<HashMap<String, Known>>,
}

impl Templates {
    /// None yet.
    pub(crate) fn new(wechat: Caller) -> Templates {
        Templates { wechat: wechat.worth(Value::Low), known: Mutex::default() }
    }

    /// Those of an account; none if WeChat does not tell in time.
    async fn of(&self, account: &str) -> Arc<Vec<Template>> {
        let known = self.known.lock().get(account).cloned();
        if let Some((when, templates)) = &known
            && when.elapsed() < REMEMBERED
        {
            return templates.clone();
        }
        let asked = tokio::time::timeout(PATIENCE, self.wechat.list_templates(account)).await;
        let templates = match asked {
            Ok(Ok(templates)) => Arc::new(templates),
            _ => known.map(|(_, templates)| templates).unwrap_or_default(),
        };
        // Whether WeChat told or not: it is not asked with every letter that somebody types.
        self.known.lock().insert(account.to_owned(), (Instant::now(), templates.clone()));
        templates
    }
}
