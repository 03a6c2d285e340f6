//! Checks of the channels of each kind of notice, and of its template against WeChat's.

use super::report::Finding;
use super::wechat_refusals::refusal_finding;
use super::{ProbeContext, finding, findings};
use crate::config::ResolvedConfig;
use paihao_contracts::notice::Channel;
use paihao_notifier::{AccountPolicies, NoticePolicy};
use paihao_wechat::AccessToken;
use paihao_wechat::template::Template;
use paihao_wechat::template::list::{TemplateFault, check_binding};

/// Checks the notices of an account. Without a token it checks the configuration alone.
pub(super) async fn check(
    resolved: &ResolvedConfig,
    name: &str,
    token: Option<&AccessToken>,
    context: &ProbeContext,
) -> Vec<Finding> {
    let Some(policies) = resolved.notifier.accounts.get(name) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut existing = None;
    if let Some(token) = token
        && policies.values().any(|policy| active_channels(policy).contains(&Channel::Template))
    {
        match context.client.list_templates(token).await {
            Ok(templates) => existing = Some(templates),
            Err(error) => {
                let call = "get_all_private_template";
                findings.push(refusal_finding(name, call, &error, findings::WECHAT_REFUSED));
            }
        }
    }
    findings.extend(template_findings(name, policies, existing.as_deref()));
    findings
}

/// Channels that send a message. A passive reply is none: it carries only notices that exist at the
/// time of the scan.
fn active_channels(policy: &NoticePolicy) -> Vec<Channel> {
    policy.usable_channels().filter(|channel| *channel != Channel::PassiveReply).collect()
}

/// Findings per kind of notice. `existing` are the account's templates at WeChat, if they are
/// known.
fn template_findings(
    name: &str,
    policies: &AccountPolicies,
    existing: Option<&[Template]>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (kind, policy) in policies {
        let mut channels = active_channels(policy);
        let bound = policy.template.as_ref().filter(|_| channels.contains(&Channel::Template));
        if let (Some(bound), Some(existing)) = (bound, existing) {
            let keys = bound.fields.iter().map(|(key, _)| key.as_str());
            let faults = check_binding(existing, &bound.template_id, keys);
            if faults.is_empty() {
                findings.push(finding(name, findings::TEMPLATES_OK, *kind));
            }
            let fault_finding =
                |fault| finding(name, findings::TEMPLATE_FAULT, format!("{kind}: {fault}"));
            findings.extend(faults.iter().map(fault_finding));
            let refuses = |fault: &TemplateFault| {
                matches!(fault, TemplateFault::NoTemplate(_) | TemplateFault::MissingField(_))
            };
            channels.retain(|channel| *channel != Channel::Template || !faults.iter().any(refuses));
        }
        // A call must reach its customer; the owner may turn the other kinds off.
        if *kind != "called" && policy.template.is_none() {
            continue;
        }
        let names: Vec<&str> = channels.iter().map(|channel| channel.name()).collect();
        let detail = format!("{kind}: {}", names.join(", "));
        findings.push(match (channels.is_empty(), bound) {
            (true, _) => finding(name, findings::NO_CHANNEL, *kind),
            (false, None) => finding(name, findings::TEMPLATE_UNBOUND, detail),
            (false, Some(_)) => finding(name, findings::CHANNELS_OK, detail),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_notifier::render::Binding;

    #[test]
    fn the_usable_channels_are_listed_and_none_is_a_finding() {
        use Channel::{CustomerService, PassiveReply, Subscription, Template as Card};
        let existing = Template {
            id: "T".into(),
            title: "叫号".into(),
            content: "地点：{{thing1.DATA}}".into(),
            values: std::collections::BTreeMap::new(),
        };
        let bind = |id: &str, key: &str| {
            let fields = vec![(key.into(), "{site}".into())];
            Some(Binding { template_id: id.into(), fields, mini_program: None })
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
            let policy = NoticePolicy {
                channels: channels.into(),
                template,
                subscription,
                text: text.into(),
            };
            let findings = template_findings(
                "shop",
                &[("called", policy)].into(),
                Some(std::slice::from_ref(&existing)),
            );
            let findings: Vec<String> = findings
                .iter()
                .map(|finding| format!("{} {}", finding.kind.code, finding.detail))
                .collect();
            assert_eq!(findings, expected);
        }
    }
}
