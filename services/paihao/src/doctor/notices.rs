//! Through which channels each kind of notice can go out, and whether its template is as WeChat's
//! console has it.

use super::report::Finding;
use super::wechat_refusals::refusal_finding;
use super::{ProbeContext, finding, findings};
use crate::config::ResolvedConfig;
use paihao_contracts::notice::Channel;
use paihao_notifier::{AccountPolicies, NoticePolicy};
use paihao_wechat::AccessToken;
use paihao_wechat::template::Template;
use paihao_wechat::template::list::{TemplateFault, check_binding};

/// Without a token, what the configuration says by itself.
pub(super) async fn check(
    setup: &ResolvedConfig,
    name: &str,
    token: Option<&AccessToken>,
    ward: &ProbeContext,
) -> Vec<Finding> {
    let Some(says) = setup.notifier.accounts.get(name) else { return Vec::new() };
    let mut found = Vec::new();
    let mut own = None;
    if let Some(token) = token
        && says.values().any(|manner| active_channels(manner).contains(&Channel::Template))
    {
        match ward.client.list_templates(token).await {
            Ok(templates) => own = Some(templates),
            Err(error) => {
                let call = "get_all_private_template";
                found.push(refusal_finding(name, call, &error, findings::WECHAT_REFUSED));
            }
        }
    }
    found.extend(template_findings(name, says, own.as_deref()));
    found
}

/// The channels that bring something by themselves. What an earlier answer has said is no way out
/// for a notice that comes later.
fn active_channels(manner: &NoticePolicy) -> Vec<Channel> {
    manner.usable_channels().filter(|channel| *channel != Channel::PassiveReply).collect()
}

/// `own` are the account's templates, if WeChat told them.
fn template_findings(name: &str, says: &AccountPolicies, own: Option<&[Template]>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (kind, manner) in says {
        let mut ways = active_channels(manner);
        let bound = manner.template.as_ref().filter(|_| ways.contains(&Channel::Template));
        if let (Some(bound), Some(own)) = (bound, own) {
            let keys = bound.fields.iter().map(|(key, _)| key.as_str());
            let faults = check_binding(own, &bound.template_id, keys);
            if faults.is_empty() {
                found.push(finding(name, findings::TEMPLATES_OK, *kind));
            }
            let told = |fault| finding(name, findings::TEMPLATE_FAULT, format!("{kind}: {fault}"));
            found.extend(faults.iter().map(told));
            let refuses = |fault: &TemplateFault| {
                matches!(fault, TemplateFault::NoTemplate(_) | TemplateFault::MissingField(_))
            };
            ways.retain(|way| *way != Channel::Template || !faults.iter().any(refuses));
        }
        // A call has to be heard; of everything else an owner may choose to say less.
        if *kind != "called" && manner.template.is_none() {
            continue;
        }
        let names: Vec<&str> = ways.iter().map(|way| way.name()).collect();
        let detail = format!("{kind}: {}", names.join(", "));
        found.push(match (ways.is_empty(), bound) {
            (true, _) => finding(name, findings::NO_CHANNEL, *kind),
            (false, None) => finding(name, findings::TEMPLATE_UNBOUND, detail),
            (false, Some(_)) => finding(name, findings::CHANNELS_OK, detail),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_notifier::render::Binding;

    #[test]
    fn what_remains_is_told_and_nothing_remaining_is_a_warning() {
        use Channel::{CustomerService, PassiveReply, Subscription, Template as Card};
        let own = Template {
            id: "T".into(),
            title: "叫号".into(),
            content: "地点：{{thing1.DATA}}".into(),
        };
        let bind = |id: &str, key: &str| {
            Some(Binding { template_id: id.into(), fields: vec![(key.into(), "{site}".into())] })
        };
        let usual = [Card, CustomerService, Subscription];
        for (channels, template, subscription, text, expected) in [
            (
                &usual[..],
                bind("T", "thing1"),
                None,
                "到您了",
                &["templates_ok called", "channels_ok called: template, customer-service"][..],
            ),
            (&usual, None, None, "到您了", &["template_unbound called: customer-service"]),
            (&usual, None, bind("S", "x"), "", &["template_unbound called: subscription"]),
            (&usual, None, None, "", &["no_channel called"]),
            (&[PassiveReply], None, None, "到您了", &["no_channel called"]),
            (
                &[CustomerService],
                bind("gone", "thing1"),
                None,
                "到您了",
                &["template_unbound called: customer-service"],
            ),
            (
                &usual,
                bind("gone", "thing1"),
                None,
                "到您了",
                &[
                    "template_fault called: the account has no template gone",
                    "channels_ok called: customer-service",
                ],
            ),
            (
                &usual,
                bind("gone", "thing1"),
                None,
                "",
                &["template_fault called: the account has no template gone", "no_channel called"],
            ),
        ] {
            let manner = NoticePolicy {
                channels: channels.into(),
                template,
                subscription,
                text: text.into(),
            };
            let found = template_findings(
                "shop",
                &[("called", manner)].into(),
                Some(std::slice::from_ref(&own)),
            );
            let found: Vec<String> =
                found.iter().map(|found| format!("{} {}", found.kind.code, found.detail)).collect();
            assert_eq!(found, expected);
        }
    }
}
