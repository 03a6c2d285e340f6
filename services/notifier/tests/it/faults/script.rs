//! Script of one case: the notices of a ticket, on a queue that the script plays itself.

use crate::faults::steps::{Fault, SteppedCache, SteppedLedger, SteppedTokens, Steps};
use crate::support::{
    CUSTOM_SEND_PATH, START_MS, SUBSCRIPTION_SEND_PATH, TEMPLATE_SEND_PATH, TestEnv, delivery,
    open_id, person_tag,
};
use bytes::Bytes;
use paihao_cache::Cache;
use paihao_chassis::clock::{Clock, ManualClock};
use paihao_contracts::commit::Commit;
use paihao_contracts::notice::{Channel, Notice};
use paihao_contracts::send_window::{SendWindow, SendWindowKind};
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES, send_window_key};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{Disposition, Entry, ExpectedPosition, Handler, Ledger, Subject};
use paihao_notifier::planning::plan::plan;
use paihao_notifier::{Handlers, Ports};
use paihao_wechat::{AccessToken, AccountClient, Client};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use wechat_sim::{Effect, Fault as WeChatFault, SimTemplate};

/// Time in milliseconds after which a delivery without an acknowledgement is made again.
const ACK_WAIT_MS: i64 = 31_000;

/// Most deliveries of a case. One that needs more never ends.
const MAX_DELIVERIES: usize = 500;

/// Answer of WeChat to the requests of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accepts,
    /// Accepts the first request and does not say so.
    Silent,
    /// Refuses the first request as it is too busy.
    BusyOnce,
    /// Refuses every request, for a mistake that an operator has to mend.
    Misconfigured,
}

impl Answer {
    pub const ALL: [Answer; 4] =
        [Answer::Accepts, Answer::Silent, Answer::BusyOnce, Answer::Misconfigured];
}

/// Notices of the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tickets {
    /// One notice.
    Alone,
    /// Two notices, of which the later one is taken first.
    LaterFirst,
    /// Two notices, of which the later one is planned after a delivery of the earlier one.
    LaterComes,
}

/// One case of the product.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Number of the ticket and of its person.
    pub ticket: u32,
    /// Channels in their order. All but the last refuse the person.
    pub channels: &'static [Channel],
    pub answer: Answer,
    pub tickets: Tickets,
    pub fault: Option<(usize, Fault)>,
}

/// Parts that all cases share.
pub struct Stage<'a> {
    pub env: &'a TestEnv,
    pub handlers: &'a Handlers,
    pub client: Client,
    pub token: AccessToken,
}

/// Delivery that the script holds.
struct Waiting {
    notice: Notice,
    due: i64,
}

type Handling<'a> = Pin<Box<dyn Future<Output = (Notice, Disposition)> + Send + 'a>>;

fn send_path(channel: Channel) -> &'static str {
    match channel {
        Channel::CustomerService => CUSTOM_SEND_PATH,
        Channel::Subscription => SUBSCRIPTION_SEND_PATH,
        _ => TEMPLATE_SEND_PATH,
    }
}

impl Stage<'_> {
    /// Runs a case to its end and returns its steps.
    pub async fn run(&self, case: Case) -> Vec<&'static str> {
        let steps = Steps::new(case.fault);
        let clock = ManualClock::at(START_MS);
        let ports = Ports {
            ledger: Arc::new(SteppedLedger {
                inner: self.env.ledger.clone(),
                steps: steps.clone(),
            }),
            cache: Arc::new(SteppedCache(steps.clone())),
            wechat: AccountClient::new(
                self.client.clone(),
                Arc::new(SteppedTokens { token: self.token.clone(), steps: steps.clone() }),
            ),
            clock: Arc::new(clock.clone()),
        };
        self.prepare(&case, &steps).await;
        let running = RunningHandlers {
            stage: self,
            case,
            planner: self.handlers.planner(&ports),
            worker: self.handlers.delivery(ports),
            steps: steps.clone(),
            clock,
        };
        running.run().await;
        steps.names()
    }

    /// Sets the stage at WeChat and opens a send window.
    async fn prepare(&self, case: &Case, steps: &Steps) {
        let Case { ticket, channels, answer, .. } = *case;
        let wechat = &self.env.wechat;
        let person = open_id(ticket);
        self.env.add_followers(ticket..ticket + 1);
        wechat.grant_notices(None, &person, SimTemplate::DEMO_PROGRESS, 9);
        let Some((last, refusing)) = channels.split_last() else { panic!("no channel") };
        for channel in refusing {
            let refusal = WeChatFault::errcode(send_path(*channel), 43101);
            wechat.add_fault(refusal.containing(&format!("\"{person}\"")));
        }
        let path = send_path(*last);
        let fault = match answer {
            Answer::Accepts => None,
            Answer::Silent => Some(WeChatFault::new(path, Effect::Drop).after().times(1)),
            Answer::BusyOnce => Some(WeChatFault::errcode(path, -1).times(1)),
            Answer::Misconfigured => Some(WeChatFault::errcode(path, 40037)),
        };
        if let Some(fault) = fault {
            wechat.add_fault(fault.containing(&format!("\"{person}\"")));
        }
        if channels.contains(&Channel::CustomerService) {
            wechat.send_text(None, &person, "你好", Default::default()).await.unwrap();
            let kind = SendWindowKind::Message;
            let opened = SendWindow::open(kind, START_MS / 1000);
            let value = Bytes::from(serde_json::to_vec(&opened).unwrap());
            let key = send_window_key("shop", &person_tag(ticket), kind.name());
            steps.cache().put(&key, value, kind.duration()).await.unwrap();
        }
    }
}

/// Case under way.
struct RunningHandlers<'a, P, W> {
    stage: &'a Stage<'a>,
    case: Case,
    planner: P,
    worker: W,
    steps: Arc<Steps>,
    clock: ManualClock,
}

impl<P: Handler<Message = Commit>, W: Handler<Message = Notice>> RunningHandlers<'_, P, W> {
    async fn run(&self) {
        let mut stalled = Vec::new();
        let mut waiting = vec![self.plan(1).await];
        match self.case.tickets {
            Tickets::Alone => {}
            Tickets::LaterFirst => waiting.insert(0, self.plan(2).await),
            Tickets::LaterComes => {
                let first = waiting.remove(0);
                waiting.extend(self.deliver(first, &mut stalled).await);
                waiting.insert(0, self.plan(2).await);
            }
        }
        self.settle(waiting, &mut stalled).await;
        // Workers that stood still go on, and what they give back is delivered again.
        self.steps.resume();
        let mut late = Vec::new();
        for handling in stalled {
            let (notice, disposition) = handling.await;
            late.extend(self.after(notice, disposition).await);
        }
        self.settle(late, &mut Vec::new()).await;
    }

    /// Delivers what waits until nothing does.
    async fn settle<'b>(&'b self, mut waiting: Vec<Waiting>, stalled: &mut Vec<Handling<'b>>) {
        for _ in 0..MAX_DELIVERIES {
            waiting.sort_by_key(|waiting| waiting.due);
            if waiting.is_empty() {
                return;
            }
            let next = waiting.remove(0);
            waiting.extend(self.deliver(next, stalled).await);
        }
        panic!("{:?} never ends: {:?}", self.case, self.steps.names());
    }

    /// Plans a notice, however often it takes.
    async fn plan(&self, call: u32) -> Waiting {
        let env = self.stage.env;
        let commit = env.commit("shop", vec![env.call_event(self.case.ticket, call)]);
        let payload = serde_json::to_vec(&commit).unwrap();
        for _ in 0..MAX_DELIVERIES {
            let delivery = delivery("shop", payload.clone());
            let planning = self.planner.handle(commit.clone(), &delivery);
            let disposition = tokio::select! {
                biased;
                disposition = planning => disposition.unwrap(),
                // A planner that stands still is as good as dead: another one plans.
                () = self.steps.interrupted() => continue,
            };
            match disposition {
                Disposition::Ack => {
                    let notice = plan(&commit).remove(0);
                    return Waiting { notice, due: self.clock.now_ms() };
                }
                Disposition::RetryAfter(delay) => {
                    self.clock.advance(delay);
                }
                Disposition::DeadLetter(reason) => panic!("a buried commit: {reason}"),
            }
        }
        panic!("{:?} is never planned", self.case);
    }

    /// Delivers a notice once, when it is due. Returns it if it is to be delivered again.
    async fn deliver<'b>(
        &'b self,
        Waiting { notice, due }: Waiting,
        stalled: &mut Vec<Handling<'b>>,
    ) -> Option<Waiting> {
        let wait = u64::try_from(due - self.clock.now_ms()).unwrap_or(0);
        self.clock.advance(Duration::from_millis(wait));
        let again = notice.clone();
        let mut handling: Handling<'b> = Box::pin(async move {
            let delivery = delivery("notices", serde_json::to_vec(&notice).unwrap());
            let disposition = self.worker.handle(notice.clone(), &delivery).await;
            (notice, disposition.unwrap())
        });
        tokio::select! {
            biased;
            (notice, disposition) = &mut handling => self.after(notice, disposition).await,
            () = self.steps.interrupted() => {
                let stalls = matches!(self.case.fault, Some((_, Fault::Stalls)));
                // A dead worker's connection gives the notice back at once; one that stands still
                // keeps it until the queue loses patience.
                let wait = if stalls { ACK_WAIT_MS } else { 0 };
                if stalls {
                    stalled.push(handling);
                }
                Some(Waiting { notice: again, due: self.clock.now_ms() + wait })
            }
        }
    }

    /// Does what a queue does after a disposition.
    async fn after(&self, notice: Notice, disposition: Disposition) -> Option<Waiting> {
        match disposition {
            Disposition::Ack => None,
            Disposition::RetryAfter(delay) => {
                let due = self.clock.now_ms() + delay.as_millis() as i64;
                Some(Waiting { notice, due })
            }
            Disposition::DeadLetter(reason) => {
                let origin = NOTICES.name.to_owned();
                let cause = Cause { reason, origin, key: notice.key.clone() };
                let letter =
                    cause.to_dead_letter(&Entry::new(serde_json::to_vec(&notice).unwrap()));
                let subject = Subject::new(&[NOTICES.name]).unwrap();
                let ledger = &self.stage.env.ledger;
                ledger
                    .append(&DEAD_LETTERS, &subject, ExpectedPosition::Any, letter)
                    .await
                    .unwrap();
                None
            }
        }
    }
}
