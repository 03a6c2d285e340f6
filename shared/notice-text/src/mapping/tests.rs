//! Tests of the mapping, over kinds of notices, types of fields and labels.

use super::*;
use crate::policy;
use crate::render::template;
use paihao_contracts::settings::{AccountSetup, SiteSetup};
use serde_json::json;

/// Types of fields of WeChat's table.
const TYPES: [&str; 16] = [
    "thing",
    "short_thing",
    "character_string",
    "number",
    "letter",
    "symbol",
    "time",
    "date",
    "amount",
    "phone_number",
    "car_number",
    "name",
    "phrase",
    "const",
    "enum",
    "enum_string",
];

/// Labels of the library, with the type that they usually have and what they mean in each kind of
/// notice: called, progress, missed. An empty text is left to the owner.
const LABELS: [(&str, &str, [&str; 3]); 30] = [
    ("排队号码", "character_string", ["{number}", "{number}", "{number}"]),
    ("当前叫号", "character_string", ["{number}", "{number}", "{number}"]),
    ("取号号码", "thing", ["{number}", "{number}", "{number}"]),
    ("排队编号", "character_string", ["{number}", "{number}", "{number}"]),
    ("门店名称", "thing", ["{site}", "{site}", "{site}"]),
    ("商家名称", "thing", ["{site}", "{site}", "{site}"]),
    ("就诊医院", "thing", ["{site}", "{site}", "{site}"]),
    ("前方等待人数", "number", ["{ahead}", "{ahead}", ""]),
    ("前面人数", "short_thing", ["{ahead}", "{ahead}", ""]),
    ("等待人数", "character_string", ["{ahead}", "{ahead}", ""]),
    ("等待桌数", "thing", ["{ahead}", "{ahead}", ""]),
    ("预计等待时间", "thing", ["{wait}", "{wait}", ""]),
    ("预计等待", "short_thing", ["{wait}", "{wait}", ""]),
    ("预计等待分钟", "number", ["{wait}", "{wait}", ""]),
    ("叫号时间", "time", ["{time}", "{time}", "{time}"]),
    ("过号时间", "date", ["{time}", "{time}", "{time}"]),
    ("取号时间", "time", ["", "", ""]),
    ("预约时间", "time", ["", "", ""]),
    ("办理窗口", "thing", ["{counter}", "", ""]),
    ("就诊科室", "thing", ["{queue}", "{queue}", "{queue}"]),
    ("诊室", "thing", ["{counter}", "", ""]),
    ("排队项目", "thing", ["{queue}", "{queue}", "{queue}"]),
    ("排队状态", "phrase", ["{news}", "{news}", "{news}"]),
    ("温馨提示", "thing", ["{news}", "{news}", "{news}"]),
    ("截止时间", "time", ["", "", "{until}"]),
    ("顺延位数", "number", ["", "", ""]),
    ("顾客姓名", "name", ["顾客", "顾客", "顾客"]),
    ("联系电话", "phone_number", ["", "", ""]),
    ("车牌号码", "car_number", ["", "", ""]),
    ("办理地点", "thing", ["{counter}", "{site}", "{site}"]),
];

fn field(key: &str, label: &str) -> TemplateField {
    TemplateField { key: key.to_owned(), label: label.to_owned(), values: Vec::new() }
}

fn site(name: &str, queue: &str, prefix: &str, counter: &str) -> SiteSetup {
    serde_json::from_value(json!({
        "account": "shop",
        "name": name,
        "queues": {"a": {"name": queue, "prefix": prefix}},
        "counters": {"1": {"name": counter, "queues": ["a"]}},
    }))
    .unwrap()
}

fn names() -> Names {
    let hall = site("城南街道政务服务中心综合业务办事大厅一楼东区", "户籍 😀", "AB", "3号窗口");
    Names::of_sites([("hall", &hall), ("shop", &site("老街面馆", "小桌", "S", "迎宾台 1"))])
}

#[test]
fn labels_of_the_library_get_what_they_mean_in_each_kind_of_notice() {
    for (label, kind, meant) in LABELS {
        for (notice, expected) in ["called", "progress", "missed"].into_iter().zip(meant) {
            let fields = [field(&format!("{kind}1"), label)];
            let proposed = propose(notice, &fields, &names());
            let found = proposed[&fields[0].key].as_deref().unwrap_or_default();
            // 位数 is the places that a missed number loses.
            let expected = match (label, notice) {
                ("顺延位数", "missed") => "{places}",
                _ => expected,
            };
            assert_eq!(found, expected, "{label} {kind} in {notice}");
        }
    }
}

#[test]
fn every_proposal_is_a_choice_for_every_kind_label_and_type() {
    let names = names();
    let labels = LABELS.iter().map(|(label, ..)| *label).chain(["", "随便什么"]);
    for label in labels {
        for kind in TYPES.into_iter().chain(["first", "keyword"]) {
            for notice in NOTICES {
                let field = field(&format!("{kind}7"), label);
                let proposed = propose(notice, std::slice::from_ref(&field), &names);
                let Some(wording) = &proposed[&field.key] else { continue };
                let shown = check_field(notice, &field, wording, &names);
                assert!(shown.is_ok(), "{label} {kind} {notice}: {wording} {shown:?}");
            }
        }
    }
}

/// True if WeChat accepts every notice of every site of this kind with this field, and shows the
/// value of each placeholder.
fn is_sent(notice: &str, key: &str, wording: &str) -> bool {
    let setup = json!({ notice: {"template_id": "T", "fields": { key: wording }} });
    let setup: AccountSetup = serde_json::from_value(setup).unwrap();
    let policy = policy::account_policies(&setup).remove(notice).unwrap();
    names().notices(notice, wording).iter().all(|sample| template(&sample.notice, &policy).is_ok())
}

#[test]
fn a_choice_is_sent_by_the_notifier_and_what_it_cannot_send_is_no_choice() {
    for notice in NOTICES {
        for kind in TYPES {
            let field = field(&format!("{kind}1"), "");
            for option in options(notice, &field, &names()) {
                let sent = is_sent(notice, &field.key, &option.wording);
                assert!(
                    sent || option.shown.is_err(),
                    "{notice} {kind} {}: {:?}",
                    option.wording,
                    option.shown
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_said_has_its_reason() {
    for (notice, key, wording, fault) in [
        ("called", "first", "{site}", "untyped"),
        ("called", "keyword1", "{site}", "untyped"),
        ("called", "character_string1", "{site}", "forbidden_character"),
        ("called", "number1", "{number}", "forbidden_character"),
        ("called", "time1", "{number}", "invalid_format"),
        ("called", "short_thing1", "{time}", "too_long"),
        ("called", "phrase1", "{counter}", "forbidden_character"),
        ("called", "short_thing1", "请到{counter}", "too_long"),
        ("called", "thing1", "{until}", "silent"),
        ("progress", "thing1", "{counter}", "silent"),
        ("progress", "time1", "{until}", "silent"),
        ("missed", "number1", "{ahead}", "silent"),
        ("missed", "thing1", "{nubmer}", "unknown_placeholder"),
        ("missed", "const1", "{news}", "not_listed"),
        ("missed", "car_number1", "{site}", "too_long"),
        ("missed", "phrase1", "六个字以上的", "too_long"),
        ("missed", "thing1", " ", "empty"),
        ("missed", "thing1", "一\n二", "control_character"),
        ("missed", "thing1", "好😀", "forbidden_character"),
    ] {
        let shown = check_field(notice, &field(key, ""), wording, &names());
        let found = shown.err().map(FieldFault::code);
        assert_eq!(found, Some(fault), "{notice} {key} {wording}");
    }
}

#[test]
fn listed_values_are_the_only_ones() {
    let mut field = field("enum2", "状态");
    field.values = vec!["叫号中".into(), "已过号".into()];
    let possible: Vec<_> = options("missed", &field, &names())
        .into_iter()
        .filter(|option| option.shown.is_ok())
        .map(|option| option.wording)
        .collect();
    assert_eq!(possible, ["叫号中", "已过号"]);
    assert_eq!(propose("missed", &[field], &names())["enum2"], None);
}

#[test]
fn a_whole_template_says_each_thing_once() {
    let fields = [
        field("thing1", "门店名称"),
        field("character_string2", "排队号码"),
        field("thing3", "办理窗口"),
        field("time4", "叫号时间"),
        field("thing5", "随便什么"),
    ];
    let proposed = propose("called", &fields, &names());
    let said: Vec<_> = proposed.values().map(|wording| wording.as_deref().unwrap()).collect();
    assert_eq!(said, ["{number}", "{site}", "{counter}", "{queue}", "{time}"]);
    assert!(missing("called", said).is_empty());
    assert_eq!(missing("progress", ["{site}", "{number}"]), ["{news}"]);
    let wordings: BTreeMap<_, _> =
        proposed.into_iter().filter_map(|(key, wording)| Some((key, wording?))).collect();
    let cards = cards("called", &fields, &wordings, &names());
    assert_eq!(cards.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), ["called", "recalled"]);
    let lines = &cards[0].1;
    assert_eq!((&*lines[1].label, &*lines[1].text), ("排队号码", "AB012"));
    assert_eq!(&*lines[0].text, "城南街道政务服务中心综合业务办事大厅一…");
}

#[test]
fn keywords_of_the_library_are_those_that_say_something() {
    let keyword = |kid, name: &str, rule: &str| LibraryKeyword {
        kid,
        name: name.to_owned(),
        rule: rule.to_owned(),
    };
    let keywords = [
        keyword(1, "门店名称", "thing"),
        keyword(2, "预约时间", "time"),
        keyword(3, "排队号码", "character_string"),
        keyword(4, "前方等待人数", "number"),
        keyword(5, "温馨提示", "thing"),
        keyword(6, "联系电话", "phone_number"),
    ];
    assert_eq!(choose_keywords("progress", &keywords, &names()), Some(vec![3, 5, 4, 1]));
    assert_eq!(choose_keywords("progress", &keywords[..2], &names()), None);
    assert!(fits_title("missed", "过号提醒") && !fits_title("missed", "叫号提醒"));
}

proptest::proptest! {
    #[test]
    fn no_words_of_an_owner_lead_to_a_message_that_wechat_refuses(
        kind in proptest::sample::select(&TYPES[..]),
        notice in proptest::sample::select(&NOTICES[..]),
        wording in "(\\{(site|queue|number|counter|time|ahead|wait|until|places|news|x)\\}|[ -~]|[一-龥]|\\PC|[\u{1}\n]){0,6}",
    ) {
        let field = field(&format!("{kind}1"), "");
        if check_field(notice, &field, &wording, &names()).is_ok() {
            proptest::prop_assert!(is_sent(notice, &field.key, &wording), "{notice} {kind} {wording:?}");
        }
    }
}
