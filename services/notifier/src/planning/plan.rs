//! Plan of notices: a pure function from a commit to its notices.

use paihao_contracts::commit::{Commit, Decision, Event, NotificationKind, NotificationTrigger};
use paihao_contracts::notice::{Notice, NoticeContent};
use paihao_contracts::ticket_link::TicketLink;

/// Returns the notices of a commit. Their keys are deterministic, so replanning produces the same
/// keys.
pub fn plan(commit: &Commit) -> Vec<Notice> {
    commit.decisions.iter().flat_map(|decision| plan_decision(commit, decision)).collect()
}

/// Returns the notices of one decision of a commit.
pub(crate) fn plan_decision(commit: &Commit, decision: &Decision) -> Vec<Notice> {
    let triggers = decision.events.iter().filter_map(|event| match event {
        Event::NotificationTriggered(trigger) => Some(trigger),
        _ => None,
    });
    triggers.filter_map(|trigger| notice_for(commit, trigger)).collect()
}

/// Returns the content for a notification. `None` for one that the reply to the scan already
/// contained.
fn notice_content(kind: &NotificationKind) -> Option<NoticeContent> {
    Some(match kind {
        NotificationKind::Joined { .. } => return None,
        NotificationKind::Near { quoted } => NoticeContent::Near { quoted: *quoted },
        NotificationKind::Next { quoted } => NoticeContent::Next { quoted: *quoted },
        NotificationKind::Called { counter_name, call } => {
            NoticeContent::Called { counter_name: counter_name.clone(), call: *call }
        }
        NotificationKind::Recalled { counter_name, call } => {
            NoticeContent::Recalled { counter_name: counter_name.clone(), call: *call }
        }
        NotificationKind::Missed { until, places } => {
            NoticeContent::Missed { until: *until, places: *places }
        }
        NotificationKind::Returned { cause, quoted, detail } => {
            NoticeContent::Returned { cause: *cause, quoted: *quoted, detail: detail.clone() }
        }
        NotificationKind::Slipped { quoted } => NoticeContent::Slipped { quoted: *quoted },
        NotificationKind::Halted { quoted, hold } => {
            NoticeContent::Halted { quoted: *quoted, hold: hold.clone() }
        }
        NotificationKind::QueueClosed { end, removed } => {
            NoticeContent::QueueClosed { end: *end, removed: removed.clone() }
        }
    })
}

fn notice_for(commit: &Commit, trigger: &NotificationTrigger) -> Option<Notice> {
    let content = notice_content(&trigger.kind)?;
    // Version 1 had only calls, whose ordinal is in the kind alone.
    let occurrence = match &trigger.kind {
        NotificationKind::Called { call, .. } => *call,
        _ => trigger.occurrence,
    };
    let name = trigger.kind.name();
    let NotificationTrigger { ticket, day, key, .. } = trigger;
    let link = key.map(|key| TicketLink { day: *day, ticket: *ticket, key }.path(&commit.site.id));
    Some(Notice {
        v: 1,
        key: format!("{}/{day}/{ticket}/{name}#{occurrence}", commit.site.id),
        account: commit.site.account.clone(),
        site_name: commit.site.name.clone(),
        zone: commit.site.zone.clone(),
        person: trigger.person.clone(),
        number: trigger.number.clone(),
        queue_name: trigger.queue_name.clone(),
        content,
        order: trigger.order,
        at: trigger.at,
        valid_until: trigger.valid_until,
        link: link.map(Into::into),
        replied: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::commit::{Number, Outcome, QuotedWait, SiteFacts};
    use paihao_contracts::ticket_link::TicketKey;

    fn commit(events: Vec<Event>) -> Commit {
        let decision = Decision {
            command: [0; 16],
            fingerprint: [0; 8],
            at: 1000,
            by: None,
            outcome: Outcome::CounterOpen { counter: "1".into() },
            events,
        };
        let site = SiteFacts {
            account: "demo".into(),
            id: "hall".into(),
            name: "示例大厅".into(),
            zone: "Asia/Shanghai".into(),
        };
        Commit { v: 2, site, decisions: vec![decision] }
    }

    fn called(ticket: u32, call: u32) -> Event {
        Event::NotificationTriggered(NotificationTrigger {
            ticket,
            day: 20779,
            person: "openid".into(),
            key: None,
            number: Number { prefix: "A".into(), serial: ticket },
            queue_name: "存取款".into(),
            kind: NotificationKind::Called { counter_name: "3号窗口".into(), call },
            occurrence: call,
            order: call,
            at: 1000,
            valid_until: 181_000,
        })
    }

    #[test]
    fn only_a_call_becomes_a_notice() {
        let opened = Event::CounterOpened { counter: "1".into(), login: None };
        let notices = plan(&commit(vec![opened, called(17, 1)]));
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].key, "hall/20779/17/called#1");
        assert_eq!(&*notices[0].person, "openid");
        assert_eq!(notices[0].valid_until, 181_000);
    }

    #[test]
    fn a_notification_in_the_reply_to_the_scan_is_not_a_notice() {
        let Event::NotificationTriggered(trigger) = called(17, 1) else { unreachable!() };
        let quoted = QuotedWait { ahead: 3, minutes: Some((15, 25)), cold: false };
        let triggered =
            |kind| Event::NotificationTriggered(NotificationTrigger { kind, ..trigger.clone() });
        let joined = triggered(NotificationKind::Joined { quoted });
        assert_eq!(plan(&commit(vec![joined])), []);
        let near = plan(&commit(vec![triggered(NotificationKind::Near { quoted })]));
        assert_eq!(
            (&*near[0].key, near[0].ticket_prefix()),
            ("hall/20779/17/near#1", "hall/20779/17")
        );
    }

    #[test]
    fn a_notice_links_to_the_page_of_its_ticket() {
        let Event::NotificationTriggered(trigger) = called(17, 1) else { unreachable!() };
        let key = Some(TicketKey([0xab; 16]));
        let notices = plan(&commit(vec![
            Event::NotificationTriggered(NotificationTrigger { key, ..trigger }),
            called(18, 1),
        ]));
        let path = format!("/t/hall/20779-17-{}", "ab".repeat(16));
        assert_eq!((notices[0].link.as_deref(), &notices[1].link), (Some(&*path), &None));
    }

    #[test]
    fn keys_are_unique_by_ticket_and_call_and_deterministic() {
        let commit = commit(vec![called(17, 1), called(17, 2), called(18, 1)]);
        let keys = |commit| plan(commit).into_iter().map(|n| n.key).collect::<Vec<_>>();
        assert_eq!(
            keys(&commit),
            ["hall/20779/17/called#1", "hall/20779/17/called#2", "hall/20779/18/called#1"]
        );
        assert_eq!(keys(&commit), keys(&commit));
    }
}
