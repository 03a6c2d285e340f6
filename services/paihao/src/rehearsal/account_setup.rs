//! Settings of an account as they go into a rehearsal and come back. Its templates, and the systems
//! that its pushes are forwarded to, belong to the account at WeChat: a rehearsal has the
//! simulator's templates and forwards nothing, and the account gets its own back.

use paihao_contracts::settings::{AccountSetup, NoticeSetup};
use std::collections::BTreeSet;
use wechat_sim::SimTemplate;

/// Returns the settings with which an account is rehearsed. `sample` has the simulator's templates.
pub(super) fn rehearsed(mut setup: AccountSetup, sample: &AccountSetup) -> AccountSetup {
    take_templates(&mut setup, sample, |_| true);
    setup.forward.clear();
    setup
}

/// Returns the settings with which an account goes on after a rehearsal. `own` are those that it
/// had before.
pub(super) fn taken_over(mut setup: AccountSetup, own: &AccountSetup) -> AccountSetup {
    let simulated = SimTemplate::demo().into_iter().chain(SimTemplate::demo_subscriptions());
    let simulated: BTreeSet<_> = simulated.map(|template| template.template_id).collect();
    take_templates(&mut setup, own, |id| id.is_empty() || simulated.contains(id));
    if setup.forward.is_empty() {
        setup.forward.clone_from(&own.forward);
    }
    setup
}

/// Puts the other's templates in the place of those whose ids are to be replaced.
fn take_templates(
    setup: &mut AccountSetup,
    other: &AccountSetup,
    is_replaced: impl Fn(&str) -> bool,
) {
    for (notice, other) in [
        (&mut setup.called, &other.called),
        (&mut setup.missed, &other.missed),
        (&mut setup.progress, &other.progress),
    ] {
        let mut taken = notice.take().unwrap_or_else(empty_notice);
        let other = other.clone().unwrap_or_else(empty_notice);
        if is_replaced(&taken.template_id) {
            taken.template_id = other.template_id;
            taken.fields = other.fields;
            taken.miniprogram = other.miniprogram;
        }
        let subscription = taken.subscription.as_ref().map(|notice| &*notice.template_id);
        if is_replaced(subscription.unwrap_or_default()) {
            taken.subscription = other.subscription;
        }
        *notice = (taken != empty_notice()).then_some(taken);
    }
}

fn empty_notice() -> NoticeSetup {
    NoticeSetup {
        template_id: String::new(),
        fields: Default::default(),
        miniprogram: None,
        text: None,
        subscription: None,
        channels: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn setup(value: Value) -> AccountSetup {
        serde_json::from_value(value).unwrap()
    }

    fn template(id: &str) -> Value {
        json!({ "template_id": id, "fields": { "thing1": "{site}" } })
    }

    /// Notice with a template message and a subscription notice, of which either may be missing.
    fn notice(message: Option<&str>, subscription: Option<&str>, text: Option<&str>) -> Value {
        let mut notice = message.map_or_else(|| json!({}), template);
        if let Some(id) = subscription {
            notice["subscription"] = template(id);
        }
        if let Some(text) = text {
            notice["text"] = json!(text);
        }
        notice
    }

    fn sample() -> AccountSetup {
        let account = crate::simulated::accounts(&["shop".to_owned()].into()).unwrap().remove(0);
        account.1.setup()
    }

    #[test]
    fn an_account_gets_its_own_templates_back_whatever_it_had_of_each_kind() {
        let ids = [None, Some("OWN")];
        let every_own = || ids.iter().flat_map(|message| ids.map(|other| (*message, other)));
        for (message, subscription) in every_own() {
            for text in [None, Some("请到{counter}")] {
                let called = notice(message, subscription, text);
                let forward = json!([{ "name": "crm", "url": "https://crm.example.com/wechat", "pushes": ["texts"] }]);
                let own = json!({ "greeting": "您好", "called": called, "forward": forward });
                let own = taken_over(setup(own), &AccountSetup::default());
                let in_rehearsal = rehearsed(own.clone(), &sample());
                let called = in_rehearsal.called.as_ref().unwrap();
                assert_eq!(called.template_id, SimTemplate::DEMO_CALLED);
                assert_eq!((&called.subscription, called.text.as_deref()), (&None, text));
                assert_eq!(in_rehearsal.forward, []);
                assert_eq!(in_rehearsal.missed, sample().missed);
                assert_eq!(taken_over(in_rehearsal.clone(), &own), own);
                // Other words, and templates that were chosen or removed, change nothing of it.
                let mut edited = in_rehearsal;
                edited.greeting = Some("欢迎".to_owned());
                edited.called = serde_json::from_value(notice(
                    None,
                    Some(SimTemplate::DEMO_SUBSCRIPTION_CALLED),
                    text,
                ))
                .unwrap();
                edited.progress = None;
                let mut expected = own.clone();
                expected.greeting = edited.greeting.clone();
                assert_eq!(taken_over(edited, &own), expected);
            }
        }
    }

    #[test]
    fn a_first_account_gets_no_template_of_the_simulator() {
        let rehearsed = json!({
            "greeting": "您好",
            "called": notice(Some(SimTemplate::DEMO_CALLED), None, Some("请到{counter}")),
            "missed": notice(Some(SimTemplate::DEMO_MISSED), None, None),
            "progress": notice(Some("IMPORTED"), None, None),
        });
        let taken = taken_over(setup(rehearsed), &AccountSetup::default());
        assert_eq!(taken.greeting.as_deref(), Some("您好"));
        let called = taken.called.as_ref().unwrap();
        assert_eq!((&*called.template_id, called.text.as_deref()), ("", Some("请到{counter}")));
        assert_eq!(taken.missed, None);
        assert_eq!(taken.progress.unwrap().template_id, "IMPORTED");
    }
}
