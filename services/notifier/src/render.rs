//! Puts a notice into the words of an account's template: a pure function.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use paihao_contracts::notice::{Notice, Saying};
use paihao_wechat::template::{fit, list::check_texts};
use paihao_wechat::{OpenId, TemplateMessage};
use sha2::{Digest, Sha256};

/// The templates of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    /// For a call.
    pub called: Option<Binding>,
}

/// One template and what goes into its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// WeChat's id of the template in this account.
    pub template_id: String,
    /// Field key (`thing1`) and wording, in which `{site}`, `{queue}`, `{number}`, `{counter}` and
    /// `{time}` are replaced.
    pub fields: Vec<(String, String)>,
}

/// The notice cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unspeakable {
    /// The account says nothing of the kind.
    #[error("no template is bound for \"{0}\" in account {1}")]
    Unbound(&'static str, String),
    /// WeChat would refuse it, or show something else.
    #[error("what the account's template is to say for \"{0}\" does not fit: {1}")]
    Misfit(&'static str, String),
}

/// The message that says the notice.
pub fn render(
    notice: &Notice,
    bindings: Option<&Bindings>,
) -> Result<TemplateMessage, Unspeakable> {
    let Saying::Called { counter_name, .. } = &notice.saying;
    let binding = bindings
        .and_then(|bindings| bindings.called.as_ref())
        .ok_or_else(|| Unspeakable::Unbound("called", notice.account.to_string()))?;
    let words = [
        ("{site}", notice.site_name.to_string()),
        ("{queue}", notice.queue_name.to_string()),
        ("{number}", notice.number.to_string()),
        ("{counter}", counter_name.to_string()),
        ("{time}", local_time(notice)),
    ];
    let fields = binding.fields.iter().map(|(key, wording)| {
        let said = words.iter().fold(wording.clone(), |said, (from, to)| said.replace(from, to));
        (key.clone(), fit(key, &said))
    });
    let fields: Vec<_> = fields.collect();
    if let Some(fault) = check_texts(&fields).first() {
        return Err(Unspeakable::Misfit("called", fault.to_string()));
    }
    Ok(TemplateMessage {
        to: OpenId::new(&*notice.person),
        template_id: binding.template_id.clone(),
        url: None,
        client_msg_id: Some(client_msg_id(notice)),
        fields,
    })
}

/// By this WeChat itself knows a message that it was already given, for ten minutes: 32 hexadecimal
/// digits derived from account and key.
pub fn client_msg_id(notice: &Notice) -> String {
    let hash = Sha256::digest(format!("{}\0{}", notice.account, notice.key));
    hex::encode(&hash[..16])
}

fn local_time(notice: &Notice) -> String {
    let zone = TimeZone::get(&notice.zone).unwrap_or(TimeZone::UTC);
    let instant = Timestamp::from_millisecond(notice.at).unwrap_or(Timestamp::UNIX_EPOCH);
    instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_contracts::commit::Number;

    fn notice() -> Notice {
        Notice {
            v: 1,
            key: "hall/20779/17/called#1".into(),
            account: "demo".into(),
            site_name: "城南街道政务服务中心综合业务办事大厅一楼东区".into(),
            zone: "Asia/Shanghai".into(),
            person: "openid".into(),
            number: Number { prefix: "A".into(), serial: 12 },
            queue_name: "户籍".into(),
            saying: Saying::Called { counter_name: "3号窗口".into(), call: 1 },
            at: 1_767_579_600_000,
            valid_until: 1_767_579_780_000,
        }
    }

    fn bindings() -> Bindings {
        let field = |key: &str, wording: &str| (key.to_owned(), wording.to_owned());
        let fields = vec![
            field("thing1", "{site}"),
            field("character_string2", "{number}"),
            field("thing3", "请到{counter}"),
            field("time4", "{time}"),
        ];
        Bindings { called: Some(Binding { template_id: "T".into(), fields }) }
    }

    #[test]
    fn the_words_stand_in_the_fields() {
        let message = render(&notice(), Some(&bindings())).unwrap();
        let said: Vec<_> = message.fields.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(said[1..], ["A012", "请到3号窗口", "2026-01-05 10:20"]);
    }

    #[test]
    fn a_name_too_long_is_cut_where_people_can_see_it() {
        let message = render(&notice(), Some(&bindings())).unwrap();
        assert_eq!(message.fields[0].1.chars().count(), 20);
        assert!(message.fields[0].1.ends_with('…'));
    }

    #[test]
    fn the_message_id_is_the_keys_and_fits_wechat() {
        let id = client_msg_id(&notice());
        assert_eq!(id.len(), 32);
        assert_eq!(id, client_msg_id(&notice()));
        let other = Notice { key: "hall/20779/17/called#2".into(), ..notice() };
        assert_ne!(id, client_msg_id(&other));
    }

    #[test]
    fn what_can_only_be_said_wrongly_is_not_said() {
        let mut bindings = bindings();
        let called = bindings.called.as_mut().unwrap();
        called.fields.push(("number5".into(), "{number}".into()));
        let told = render(&notice(), Some(&bindings)).unwrap_err().to_string();
        assert!(told.contains("number5") && !told.contains("A012"), "{told}");
    }

    #[test]
    fn without_a_template_nothing_can_be_said() {
        assert!(render(&notice(), None).is_err());
        assert!(render(&notice(), Some(&Bindings::default())).is_err());
    }
}
