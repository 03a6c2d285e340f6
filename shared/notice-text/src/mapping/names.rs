//! Names of an account's sites that may stand in a notice, and sample notices with them.

use crate::sample::{self, SITE_NOTICE_KINDS, SampleContext, usual_context};
use paihao_contracts::commit::{
    HoldNotice, NewReturnCause, QueueEnd, QuotedWait, ReturnCause, ReturnDetail,
};
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_contracts::settings::{MAX_NAME_CHARS, MAX_PREFIX_CHARS, SiteSetup};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Serial of the longest number that a queue usually comes to.
const LONGEST_SERIAL: u32 = 9999;

/// Names that may stand in the notices of an account.
#[derive(Debug, Clone)]
pub struct Names {
    /// Names of the first site, or usual ones.
    pub(super) first: SampleContext,
    sites: BTreeSet<Arc<str>>,
    queues: BTreeSet<Arc<str>>,
    prefixes: BTreeSet<Arc<str>>,
    counters: BTreeSet<Arc<str>>,
}

/// Sample notice.
pub(super) struct Sample {
    pub(super) notice: Notice,
    /// True if its names are those of a site, which have to be shown whole where they count.
    pub(super) is_real: bool,
}

impl Names {
    /// Names of an account's sites.
    pub fn of_sites<'a>(sites: impl IntoIterator<Item = (&'a str, &'a SiteSetup)>) -> Names {
        let mut names = Names {
            first: usual_context(),
            sites: BTreeSet::new(),
            queues: BTreeSet::new(),
            prefixes: BTreeSet::new(),
            counters: BTreeSet::new(),
        };
        for (index, (id, site)) in sites.into_iter().enumerate() {
            names.sites.insert(site.name.as_str().into());
            names.queues.extend(site.queues.values().map(|queue| queue.name.as_str().into()));
            names.prefixes.extend(site.queues.values().map(|queue| queue.prefix.as_str().into()));
            let counters = site.counters.values().map(|counter| counter.name.as_str().into());
            names.counters.extend(counters);
            if index == 0 {
                names.first = names.first.of_site(id, site);
            }
        }
        names
    }

    /// Notice of this kind at this time with the names of the first site, for a test.
    pub fn test_notice(&self, notice: &str, at: i64) -> Option<Notice> {
        let context = SampleContext { at, ..self.first.clone() };
        triggers(notice).find_map(|kind| sample::notice(kind, &context))
    }

    /// One notice of each trigger of this kind.
    pub(super) fn usual(&self, notice: &str) -> Vec<Notice> {
        triggers(notice).filter_map(|kind| sample::notice(kind, &self.first)).collect()
    }

    /// Notices of this kind with every name that a placeholder of the wording stands for, and with
    /// the longest ones.
    pub(super) fn notices(&self, notice: &str, wording: &str) -> Vec<Sample> {
        let mut contexts = vec![(self.first.clone(), true), (longest(), false)];
        let stands = |name: &str| wording.contains(name) || wording.contains("{news}");
        let mut add = |names: &BTreeSet<Arc<str>>, set: fn(&mut SampleContext, Arc<str>)| {
            for name in names {
                let mut context = self.first.clone();
                set(&mut context, name.clone());
                contexts.push((context, true));
            }
        };
        if stands("{site}") {
            add(&self.sites, |context, name| context.site_name = name);
        }
        if stands("{queue}") {
            add(&self.queues, |context, name| context.queue_name = name);
        }
        if stands("{number}") {
            add(&self.prefixes, |context, name| context.prefix = name);
        }
        if stands("{counter}") {
            add(&self.counters, |context, name| context.counter_name = name);
        }
        let notices = contexts.iter().flat_map(|(context, is_real)| {
            let variants = variants(notice, context).into_iter();
            variants.map(|notice| Sample { notice, is_real: *is_real })
        });
        notices.collect()
    }
}

/// Triggers of a kind of notice.
fn triggers(notice: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    let group = SITE_NOTICE_KINDS.iter().filter(move |(_, group)| *group == notice);
    group.map(|(kind, _)| *kind)
}

/// The longest names that a site may have; counters are checked by their own.
fn longest() -> SampleContext {
    let name: Arc<str> = "号".repeat(MAX_NAME_CHARS).into();
    SampleContext {
        site_name: name.clone(),
        queue_name: name,
        prefix: "W".repeat(MAX_PREFIX_CHARS).into(),
        ..usual_context()
    }
}

/// Notices of every form that this kind may have.
fn variants(notice: &str, context: &SampleContext) -> Vec<Notice> {
    let mut notices: Vec<Notice> =
        triggers(notice).filter_map(|kind| sample::notice(kind, context)).collect();
    let usual = notices.first().cloned();
    let more = match notice {
        "missed" => vec![
            NoticeContent::Missed { until: None, places: None },
            NoticeContent::Missed { until: Some(context.at + 60_000), places: None },
        ],
        "progress" => progress_variants(context),
        _ => Vec::new(),
    };
    if let Some(usual) = usual {
        let variant = |content| Notice { content, ..usual.clone() };
        notices.extend(more.into_iter().map(variant));
        let mut last = usual.clone();
        last.number.serial = LONGEST_SERIAL;
        notices.push(last);
    }
    notices
}

fn progress_variants(context: &SampleContext) -> Vec<NoticeContent> {
    let quoted = |minutes| QuotedWait { ahead: 128, minutes, cold: false };
    let returned = |cause, because, at_counter: bool| NoticeContent::Returned {
        cause,
        quoted: quoted(None),
        detail: ReturnDetail {
            because,
            reason: None,
            counter_name: at_counter.then(|| context.counter_name.clone()),
        },
    };
    let hold = |suspended, until| NoticeContent::Halted {
        quoted: quoted(None),
        hold: Some(HoldNotice {
            suspended, reason: "去补材料并且复印身份证件".into(), until
        }),
    };
    vec![
        NoticeContent::Near { quoted: quoted(None) },
        NoticeContent::Slipped { quoted: quoted(Some((180, 240))) },
        returned(ReturnCause::Transfer, None, false),
        returned(ReturnCause::PutBack, None, false),
        returned(ReturnCause::Return, Some(NewReturnCause::Prioritised), false),
        returned(ReturnCause::Return, Some(NewReturnCause::Resumed), true),
        returned(ReturnCause::Return, Some(NewReturnCause::Restored), true),
        hold(true, None),
        hold(false, Some(context.at + 600_000)),
        NoticeContent::QueueClosed { end: Some(QueueEnd::Closed), removed: None },
    ]
}
