//! Account checks: compares bound templates with the account's own and reads WeChat's API quotas.

use crate::settings::AccountCheckIntervals;
use crate::templates::{Templates, TemplatesReceiver};
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_ledger::projection::Progress;
use paihao_notice_text::AccountPolicies;
use paihao_notice_text::render::Binding;
use paihao_wechat::template::Template;
use paihao_wechat::template::list::{TemplateFault, check_binding};
use paihao_wechat::{AccountClient, Api, CallPriority};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Starter of the checks: of each account that can send, from when it is added until it is retired.
pub(crate) struct AccountCheckStarter {
    pub(crate) templates: TemplatesReceiver,
    pub(crate) intervals: AccountCheckIntervals,
    pub(crate) wechat: AccountClient,
    pub(crate) requests: watch::Receiver<u64>,
    pub(crate) tasks: Tasks,
}

impl AccountCheckStarter {
    /// Starts and ends checks until the stop, once the settings have been read.
    pub(crate) async fn run(self) {
        let stop = self.tasks.stop().clone();
        let mut changes = self.templates.changes();
        let mut running: BTreeMap<String, CancellationToken> = BTreeMap::new();
        loop {
            let are_others = |progress: &Progress<Arc<Templates>>| {
                progress.caught_up && !progress.view.accounts.keys().eq(running.keys())
            };
            let changed = changes.wait_for(are_others);
            let accounts = match stop.run_until_cancelled(changed).await {
                Some(Ok(progress)) => progress.view.accounts.clone(),
                _ => return,
            };
            running.retain(|name, stop| {
                let stays = accounts.contains_key(name);
                if !stays {
                    stop.cancel();
                }
                stays
            });
            for name in accounts.into_keys() {
                running.entry(name.clone()).or_insert_with(|| self.start(name));
            }
        }
    }

    fn start(&self, name: String) -> CancellationToken {
        let stop = self.tasks.stop().child_token();
        let checks = run(
            name,
            self.templates.clone(),
            self.intervals,
            self.wechat.clone(),
            self.requests.clone(),
            stop.clone(),
        );
        self.tasks.spawn("account", checks);
        stop
    }
}

/// Checks one account until the stop, and immediately after a request or a change of its templates.
async fn run(
    name: String,
    templates: TemplatesReceiver,
    intervals: AccountCheckIntervals,
    wechat: AccountClient,
    mut requests: watch::Receiver<u64>,
    stop: CancellationToken,
) {
    let wechat = wechat.with_priority(CallPriority::Low);
    let checker = AccountChecker { name, templates, wechat };
    let mut bindings = Schedule::new(intervals.bindings_interval);
    let mut quotas = Schedule::new(intervals.quotas_interval);
    let mut can_request = true;
    let mut changes = checker.templates.changes();
    let mut revision = changes.borrow().view.revision;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = requests.changed(), if can_request => match changed {
                Ok(()) => bindings.trigger_now(),
                Err(_) => can_request = false,
            },
            Ok(()) = changes.changed() => {
                let newest = changes.borrow_and_update().view.revision;
                if newest != revision {
                    revision = newest;
                    bindings.trigger_now();
                }
            }
            () = bindings.due() => bindings.reschedule(checker.check_bindings().await),
            () = quotas.due() => quotas.reschedule(checker.read_quotas().await),
        }
    }
}

/// Schedule of one periodic check.
struct Schedule {
    interval: Duration,
    next: Option<Instant>,
    backoff: Backoff,
}

impl Schedule {
    fn new(interval: Duration) -> Schedule {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        Schedule { interval, next: (!interval.is_zero()).then(Instant::now), backoff }
    }

    fn trigger_now(&mut self) {
        self.next = Some(Instant::now());
    }

    async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Sets the next run: after the interval if the check succeeded, otherwise after a back-off.
    fn reschedule(&mut self, succeeded: bool) {
        let wait = if succeeded {
            self.backoff.reset();
            self.interval
        } else {
            self.backoff.next_wait()
        };
        self.next = Some(Instant::now() + wait);
    }
}

struct AccountChecker {
    name: String,
    templates: TemplatesReceiver,
    wechat: AccountClient,
}

impl AccountChecker {
    /// Checks the template bindings. Returns `false` if WeChat did not answer.
    async fn check_bindings(&self) -> bool {
        let account = &*self.name;
        let policies = self.account_policies();
        if bound_templates(&policies).chain(bound_subscriptions(&policies)).next().is_none() {
            return true;
        }
        let templates = if bound_templates(&policies).next().is_some() {
            match self.wechat.list_templates(account).await {
                Ok(templates) => templates,
                Err(error) => {
                    tracing::warn!(
                        account,
                        %error,
                        "cannot read the templates of an account, retrying"
                    );
                    return false;
                }
            }
        } else {
            Vec::new()
        };
        let subscriptions = self.subscription_templates(&policies).await;
        let mut faults = 0;
        let messages = bound_templates(&policies).map(|bound| (bound, &templates));
        let notices = subscriptions
            .as_ref()
            .into_iter()
            .flat_map(|listed| bound_subscriptions(&policies).map(move |bound| (bound, listed)));
        for ((kind, binding), listed) in messages.chain(notices) {
            for fault in binding_faults(listed, binding) {
                faults += 1;
                let advice = advice(&fault);
                tracing::error!(account, kind, %fault, advice, "a template binding is wrong");
            }
        }
        metrics::gauge!("paihao_notifier_binding_faults", "account" => self.name.clone())
            .set(f64::from(faults));
        tracing::info!(account, faults, "checked the bound templates");
        true
    }

    /// Templates of subscription notices, if any is bound and WeChat lists them for this account.
    async fn subscription_templates(&self, policies: &AccountPolicies) -> Option<Vec<Template>> {
        bound_subscriptions(policies).next()?;
        let account = &*self.name;
        let listed = self.wechat.list_subscription_templates(account).await;
        listed
            .inspect_err(|error| {
                tracing::debug!(account, %error, "cannot read the templates of subscription notices");
            })
            .ok()
    }

    /// Returns the policies of the account in force.
    fn account_policies(&self) -> AccountPolicies {
        self.templates.now().accounts.get(&self.name).cloned().unwrap_or_default()
    }

    async fn read_quotas(&self) -> bool {
        let account = &*self.name;
        let apis: BTreeSet<Api> =
            self.account_policies().values().flat_map(|policy| policy.apis()).collect();
        let mut complete = true;
        for api in apis {
            match self.wechat.get_quota(account, api).await {
                Ok(quota) => {
                    let api = api.name();
                    let used = quota.used;
                    let limit = quota.daily_limit;
                    tracing::debug!(account, api, used, limit, "read an API quota");
                }
                Err(error) => {
                    // Some accounts may not read quotas. The local count continues.
                    tracing::debug!(account, api = api.name(), %error, "cannot read an API quota");
                    complete = false;
                }
            }
        }
        complete
    }
}

/// Returns the bound template messages.
fn bound_templates(policies: &AccountPolicies) -> impl Iterator<Item = (&'static str, &Binding)> {
    policies.iter().filter_map(|(kind, policy)| Some((*kind, policy.template.as_ref()?)))
}

/// Returns the bound subscription notices.
fn bound_subscriptions(
    policies: &AccountPolicies,
) -> impl Iterator<Item = (&'static str, &Binding)> {
    policies.iter().filter_map(|(kind, policy)| Some((*kind, policy.subscription.as_ref()?)))
}

fn binding_faults(templates: &[Template], binding: &Binding) -> Vec<TemplateFault> {
    let keys = binding.fields.iter().map(|(key, _)| key.as_str());
    check_binding(templates, &binding.template_id, keys)
}

fn advice(fault: &TemplateFault) -> &'static str {
    match fault {
        TemplateFault::NoTemplate(_) => {
            "choose the template again in WeChat's console and copy its id: changing the account's \
             category deletes all templates"
        }
        TemplateFault::MissingField(_) => {
            "add the field to the binding: WeChat refuses the message without it"
        }
        TemplateFault::UnknownField(_) => {
            "take the field out of the binding, or write its key as WeChat has it"
        }
        TemplateFault::UntypedField(_) => {
            "choose a template of the category library: this one is of the old kind"
        }
        TemplateFault::InvalidText(..) => "shorten the wording",
    }
}
