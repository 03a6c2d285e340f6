//! Values that a template's field has to show as they are: numbers and names of counters.
//!
//! Each type of field filters and cuts texts ([`FieldType::fit`]). A number without its digits, or
//! a counter without the one in its name, sends people to the wrong place.

use crate::field_text::{is_short, news_text};
use crate::policy::{self, AccountPolicies};
use crate::render::{self, fill_placeholders, placeholder_values};
use crate::sample::{self, SITE_NOTICE_KINDS, SampleContext};
use paihao_chassis::config::ConfigProblems;
use paihao_contracts::notice::Notice;
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use paihao_contracts::validation_error::ALTERED_FIELD;
use paihao_wechat::template::fields::FieldType;

/// Serial of the longest number that a queue usually comes to: four digits.
const LONGEST_SERIAL: u32 = 9999;

/// Types that show the most, in the order in which they are proposed.
const PROPOSED_TYPES: [(&str, FieldType); 2] =
    [("character_string", FieldType::CharacterString), ("thing", FieldType::Thing)];

/// Values that the placeholders of a notice have to show as they are in a field. The summary of a
/// call names the counter; that of another change at a counter, and a short one, may leave it out.
fn exact_values(field: &str, notice: &Notice) -> Vec<(&'static str, String)> {
    let is_short = FieldType::from_key(field).is_some_and(is_short);
    let mut values = vec![("{number}", notice.number.to_string())];
    if let Some(counter_name) = render::counter_name(&notice.content) {
        values.push(("{counter}", counter_name.to_owned()));
        if !is_short && news_text(notice).contains(counter_name) {
            values.push(("{news}", counter_name.to_owned()));
        }
    }
    values
}

/// Placeholder of a wording whose value the field's text does not contain.
pub(crate) fn altered(
    field: &str,
    wording: &str,
    shown: &str,
    notice: &Notice,
) -> Option<(&'static str, String)> {
    let is_altered = |(name, value): &(&str, String)| {
        let words = value.split_whitespace().collect::<Vec<_>>().join(" ");
        wording.contains(name) && !shown.contains(&words)
    };
    exact_values(field, notice).into_iter().find(is_altered)
}

/// Placeholder of a wording that the field's text does not show truly: a number that is not whole,
/// or the name of a counter that was changed without a mark. A visible cut of a name stays true.
pub(crate) fn untrue(
    field: &str,
    wording: &str,
    shown: &str,
    notice: &Notice,
) -> Option<&'static str> {
    let (name, _) = altered(field, wording, shown, notice)?;
    let is_marked = shown.ends_with('…') || shown.ends_with("..");
    (name == "{number}" || !is_marked).then_some(name)
}

/// Checks that the templates of an account show every number and counter of these sites as it is.
/// Without sites, usual ones are taken.
pub(crate) fn check<'a>(
    at: &str,
    setup: &AccountSetup,
    sites: impl IntoIterator<Item = (&'a str, &'a SiteSetup)>,
    problems: &mut ConfigProblems,
) {
    let policies = policy::account_policies(setup);
    let mut fields = fields_of(at, &policies);
    // One notice at a time: a deployment has thousands of sites.
    let mut of_sites = sites.into_iter().flat_map(|(id, site)| of_site(id, site)).peekable();
    if of_sites.peek().is_none() {
        usual().for_each(|(notice, site)| fields.iter_mut().for_each(|f| f.check(&notice, site)));
    }
    for (notice, site) in of_sites {
        fields.iter_mut().for_each(|field| field.check(&notice, site));
    }
    for CheckedField { key, fault, .. } in fields {
        if let Some((description, advice)) = fault {
            problems.add_with_code(ALTERED_FIELD.code, &key, description, advice);
        }
    }
}

/// Field of a template, with the first notice that it alters.
struct CheckedField<'a> {
    /// Key in the configuration.
    key: String,
    kind: &'static str,
    field: &'a str,
    wording: &'a str,
    /// Description and advice.
    fault: Option<(String, String)>,
}

impl CheckedField<'_> {
    fn check(&mut self, notice: &Notice, site: Option<&SiteSetup>) {
        if self.fault.is_none() && render::kind(notice) == self.kind {
            let wording = wording_at(self.field, self.wording, site, notice);
            self.fault = describe_alteration(self.field, &wording, notice);
        }
    }
}

/// Fields of all templates of an account.
fn fields_of<'a>(at: &str, policies: &'a AccountPolicies) -> Vec<CheckedField<'a>> {
    let mut fields = Vec::new();
    for (kind, policy) in policies {
        let bindings =
            [("fields", &policy.template), ("subscription.fields", &policy.subscription)];
        for (key, binding) in bindings {
            let bound = binding.iter().flat_map(|binding| &binding.fields);
            fields.extend(bound.map(|(field, wording)| {
                let key = format!("{at}.{kind}.{key}.{field}");
                CheckedField { key, kind, field, wording, fault: None }
            }));
        }
    }
    fields
}

/// Wording of a field, with the summary of a site in it.
fn wording_at(field: &str, wording: &str, site: Option<&SiteSetup>, notice: &Notice) -> String {
    let texts = site.and_then(|site| site.wording.get(sample::site_kind(notice)));
    match texts.and_then(|texts| texts.news.as_ref()) {
        Some(news) => policy::with_news(field, wording, news),
        None => wording.to_owned(),
    }
}

/// Description and advice about a field that alters a value; `None` if it does not.
fn describe_alteration(field: &str, wording: &str, notice: &Notice) -> Option<(String, String)> {
    FieldType::from_key(field)?;
    let shown = render::field_text(field, wording, notice);
    let (name, value) = altered(field, wording, &shown, notice)?;
    let description =
        format!("{}: {field} = {wording:?} {shown:?} ≠ {name} {value:?}", ALTERED_FIELD.message());
    let text = fill_placeholders(wording, &placeholder_values(notice));
    let shows = |(_, field_type): &&(&str, FieldType)| {
        let fitted = field_type.fit(&text);
        field_type.check(&fitted).is_ok() && altered(field, wording, &fitted, notice).is_none()
    };
    let advice = match PROPOSED_TYPES.iter().find(shows) {
        Some((fitting, _)) => format!("use a field of the type {fitting}"),
        None => "use fewer words or a shorter name: no type of field shows it whole".to_owned(),
    };
    Some((description, advice))
}

/// Notices of each kind with every number and every counter of a site.
fn of_site<'a>(
    id: &str,
    site: &'a SiteSetup,
) -> impl Iterator<Item = (Notice, Option<&'a SiteSetup>)> + use<'a> {
    let mut context = SampleContext {
        account: site.account.as_str().into(),
        site: id.to_owned(),
        site_name: site.name.as_str().into(),
        zone: site.time_zone.as_str().into(),
        ..sample::usual_context()
    };
    // A site's own names beside each other, not the usual ones.
    if let Some(queue) = site.queues.values().next() {
        context.prefix = queue.prefix.as_str().into();
    }
    if let Some(counter) = site.counters.values().next() {
        context.counter_name = counter.name.as_str().into();
    }
    let of_queues = site.queues.values().map({
        let context = context.clone();
        move |queue| SampleContext {
            queue_name: queue.name.as_str().into(),
            prefix: queue.prefix.as_str().into(),
            ..context.clone()
        }
    });
    let of_counters = site.counters.values().map(move |counter| SampleContext {
        counter_name: counter.name.as_str().into(),
        ..context.clone()
    });
    of_queues.chain(of_counters).flat_map(notices).map(move |notice| (notice, Some(site)))
}

fn usual<'a>() -> impl Iterator<Item = (Notice, Option<&'a SiteSetup>)> {
    notices(sample::usual_context()).map(|notice| (notice, None))
}

fn notices(context: SampleContext) -> impl Iterator<Item = Notice> {
    SITE_NOTICE_KINDS.iter().filter_map(move |(kind, _)| {
        let mut notice = sample::notice(kind, &context)?;
        notice.number.serial = LONGEST_SERIAL;
        Some(notice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::notice::NoticeContent;
    use paihao_contracts::settings::Wording;
    use serde_json::json;

    /// Every type of field, with what it shows whole: the number, and the name of a counter.
    const TYPES: [(&str, bool, bool); 16] = [
        ("thing1", true, true),
        ("short_thing1", true, true),
        ("character_string1", true, false),
        ("number1", true, true),
        ("letter1", false, false),
        ("symbol1", false, false),
        ("time1", true, true),
        ("date1", true, true),
        ("amount1", true, true),
        ("phone_number1", true, true),
        ("car_number1", true, true),
        ("name1", true, true),
        ("phrase1", false, false),
        ("const1", true, true),
        ("enum1", true, true),
        ("enum_string1", true, true),
    ];

    fn setup(field: &str, wording: &str, subscription: bool) -> AccountSetup {
        let template = json!({ "template_id": "T", "fields": { field: wording } });
        let called = if subscription { json!({ "subscription": template }) } else { template };
        serde_json::from_value(json!({ "called": called })).unwrap()
    }

    fn problems_of(setup: &AccountSetup, sites: &[(&str, &SiteSetup)]) -> String {
        let mut problems = ConfigProblems::new();
        check("accounts.shop", setup, sites.iter().copied(), &mut problems);
        problems.into_result().err().map_or(String::new(), |error| error.to_string())
    }

    fn site(prefix: &str, counter: &str) -> SiteSetup {
        serde_json::from_value(json!({
            "account": "shop",
            "name": "大厅",
            "queues": { "cash": { "name": "存取款", "prefix": prefix } },
            "counters": { "1": { "name": counter, "queues": ["cash"] } },
        }))
        .unwrap()
    }

    /// Either the check refuses a binding, or what it shows contains the value.
    #[test]
    fn every_type_shows_what_must_be_exact_or_is_refused() {
        for (field, number, counter) in TYPES {
            for subscription in [false, true] {
                for (wording, whole) in
                    [("{number}", number), ("{counter}", counter), ("{site}", true)]
                {
                    let problems = problems_of(&setup(field, wording, subscription), &[]);
                    assert_eq!(problems.is_empty(), whole, "{field} {wording}: {problems}");
                    if !whole {
                        let at = if subscription { "subscription.fields" } else { "fields" };
                        assert!(
                            problems.contains(&format!("accounts.shop.called.{at}.{field}"))
                                && problems.contains("use a field of the type"),
                            "{problems}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_numbers_and_names_of_the_sites_count() {
        for (prefix, counter, field, wording, refused) in [
            ("A", "3号窗口", "short_thing1", "{number}", false),
            ("AB", "3号窗口", "short_thing1", "{number}", true),
            ("A", "3号窗口", "short_thing1", "{counter}", false),
            ("A", "103号窗口", "short_thing1", "{counter}", true),
            ("A", "Counter 3", "character_string1", "{counter}", false),
            ("A", "3号窗口", "character_string1", "{counter}", true),
            ("A", "Window", "letter1", "{counter}", false),
            ("A", "Window 3", "letter1", "{counter}", true),
            ("A", "3号窗口", "thing1", "{news}", false),
            ("A", "三楼东区综合业务一号窗口", "thing1", "{news}", false),
            ("A", "三楼东区综合业务办理处第一号窗口", "thing1", "{news}", true),
            ("A", "☕ 1", "thing1", "{counter}", true),
            ("A", "3  号", "thing1", "{counter}", false),
        ] {
            let hall = site(prefix, counter);
            let problems = problems_of(&setup(field, wording, false), &[("hall", &hall)]);
            assert_eq!(!problems.is_empty(), refused, "{counter} {field} {wording}: {problems}");
        }
    }

    #[test]
    fn the_texts_of_a_site_count() {
        let mut hall = site("A", "3号窗口");
        let texts = |news: &str| Wording { news: Some(news.into()), text: None };
        hall.wording.insert("called".into(), texts("{number}请到前面的窗口，谢谢您的耐心等候"));
        let problems = problems_of(&setup("thing1", "{news}", false), &[("hall", &hall)]);
        assert_eq!(problems, "");
        hall.wording.insert("called".into(), texts("请尽快到这里来办理业务啊：{number}"));
        let problems = problems_of(&setup("letter1", "{news}", false), &[("hall", &hall)]);
        assert!(problems.contains("called.fields.letter1"), "{problems}");
        // A type that is too short for them names the call instead.
        let problems = problems_of(&setup("phrase1", "{news}", false), &[("hall", &hall)]);
        assert_eq!(problems, "");
    }

    #[test]
    fn a_visible_cut_of_a_name_is_true_and_a_filtered_number_is_not() {
        let notice = sample::notice("called", &sample::usual_context()).unwrap();
        assert_eq!(untrue("thing1", "{number}", "A012", &notice), None);
        assert_eq!(untrue("thing1", "{number}", "A0…", &notice), Some("{number}"));
        assert_eq!(untrue("thing1", "请到{counter}", "请到3号…", &notice), None);
        assert_eq!(untrue("thing1", "请到{counter}", "请到号窗口", &notice), Some("{counter}"));
        assert_eq!(untrue("thing1", "{site}", "大厅", &notice), None);
    }

    #[test]
    fn a_summary_that_names_no_counter_is_true_at_a_counter() {
        use paihao_contracts::commit::{NewReturnCause, QuotedWait, ReturnCause, ReturnDetail};
        let because = [
            None,
            Some(NewReturnCause::Resumed),
            Some(NewReturnCause::Restored),
            Some(NewReturnCause::Prioritised),
            Some(NewReturnCause::Reopened),
        ];
        let causes = [ReturnCause::Return, ReturnCause::Transfer, ReturnCause::PutBack];
        for (cause, because) in causes.iter().flat_map(|cause| because.map(|it| (*cause, it))) {
            for reason in [None, Some("老人".into())] {
                let counter_name = Some("3号窗口".into());
                let detail = ReturnDetail { because, reason, counter_name };
                let quoted = QuotedWait { ahead: 0, minutes: None, cold: false };
                let content = NoticeContent::Returned { cause, quoted, detail };
                let called = sample::notice("called", &sample::usual_context()).unwrap();
                let notice = Notice { content, ..called };
                let shown = render::field_text("thing1", "{news}", &notice);
                assert_eq!(
                    untrue("thing1", "{news}", &shown, &notice),
                    None,
                    "{cause:?} {because:?}"
                );
                let names_it = shown.contains("3号窗口");
                assert_eq!(
                    untrue("thing1", "{news}", "请到号窗口", &notice).is_some(),
                    names_it,
                    "{shown}"
                );
            }
        }
    }
}
