//! Acts that are allowed for a ticket or at a counter, by the rules of the decisions, for those who
//! show them.

use super::call::{MIN_RECALL_INTERVAL_MS, PUT_BACK_WINDOW_MS};
use super::undo::UNDO_WINDOW_MS;
use super::{Decider, wrong_state};
use crate::model::actor::Actor;
use crate::model::counter_act::CounterAct;
use crate::model::ids::CounterId;
use crate::model::rules::Rules;
use crate::model::site::{CounterState, Site};
use crate::model::ticket::{Ticket, TicketState, TicketStatus};
use crate::model::ticket_act::TicketAct;
use crate::model::time::{DecisionInput, Timestamp};
use crate::protocol::command::{Act, CounterTicket, LetPassLimit, Mark};
use crate::protocol::refusal::Refusal;

/// End of a ticket that may be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoOption {
    /// Status of the ticket after undoing.
    pub to: TicketStatus,
    /// Time of the step that would be undone.
    pub since: Timestamp,
    /// Time until which this actor may undo it; `None` for the rest of the day.
    pub until: Option<Timestamp>,
}

/// Acts that are possible in a state, whoever takes them.
fn acts_of_state(state: &TicketState) -> &'static [TicketAct] {
    use TicketAct::{
        Arrive, Call, Come, Finish, Hold, Leave, LetPass, LiftLimit, Miss, NotifyAhead, Prioritise,
        PutBack, Recall, Resume, ResumeAtCounter, Return, SetParty, Start, Suspend, Transfer, Undo,
    };
    match state {
        TicketState::Waiting => &[
            Come,
            LetPass,
            NotifyAhead,
            Leave,
            Arrive,
            SetParty,
            LiftLimit,
            Call,
            Hold,
            Transfer,
            Prioritise,
        ],
        TicketState::Called { .. } => &[
            Come, Leave, Arrive, SetParty, LiftLimit, Recall, Start, PutBack, Finish, Miss,
            Transfer, Prioritise,
        ],
        TicketState::Serving { .. } => {
            &[Arrive, SetParty, LiftLimit, Finish, Suspend, Transfer, Prioritise]
        }
        TicketState::Held { .. } => {
            &[Resume, Leave, Arrive, SetParty, LiftLimit, ResumeAtCounter, Prioritise]
        }
        TicketState::Missed { until: Some(_), .. } => {
            &[Return, Leave, Arrive, SetParty, LiftLimit, Call, Prioritise, Undo]
        }
        TicketState::Missed { until: None, .. }
        | TicketState::Done { .. }
        | TicketState::Closed { .. } => &[LiftLimit, Undo],
    }
}

impl Ticket {
    /// Time from which the ticket may be recalled; `None` unless it is called and has a recall
    /// left.
    pub fn recall_allowed_from(&self, rules: &Rules) -> Option<Timestamp> {
        let TicketState::Called { round, last, .. } = &*self.state else { return None };
        let max_calls = rules.queues.get(&self.queue)?.calls;
        (*round < max_calls).then(|| last.plus_ms(MIN_RECALL_INTERVAL_MS))
    }

    /// Time until which the call may be taken back; `None` unless the ticket is called.
    pub fn put_back_allowed_until(&self) -> Option<Timestamp> {
        match &*self.state {
            TicketState::Called { at, .. } => Some(at.plus_ms(PUT_BACK_WINDOW_MS)),
            _ => None,
        }
    }
}

impl Site {
    /// End that this actor may undo now; `None` if there is none.
    pub fn undo_option(
        &self,
        rules: &Rules,
        actor: &Actor,
        ticket: &Ticket,
        now: &DecisionInput,
    ) -> Option<UndoOption> {
        if self.day != Some(now.day()) {
            return None;
        }
        let decider = Decider { before: self, site: self, rules, now, actor };
        decider.authorize(&Act::Undo(ticket.id)).ok()?;
        let (_, before) = decider.undo_target(ticket.id).ok()?;
        let until = (!actor.is_manager()).then(|| before.at.plus_ms(UNDO_WINDOW_MS));
        Some(UndoOption { to: before.ticket.status(), since: before.at, until })
    }

    /// Acts that this actor may take with a ticket now, at one of their counters if the act is for
    /// a counter. A decision allows these, with the details that they need, and no others.
    pub fn permitted_acts(
        &self,
        rules: &Rules,
        actor: &Actor,
        ticket: &Ticket,
        now: &DecisionInput,
    ) -> Vec<TicketAct> {
        let decider = Decider { before: self, site: self, rules, now, actor };
        let acts = acts_of_state(&ticket.state).iter().copied();
        acts.filter(|act| decider.permits(*act, ticket)).collect()
    }

    /// Acts at a counter that this actor may take now and that would change it.
    pub fn permitted_counter_acts(
        &self,
        rules: &Rules,
        actor: &Actor,
        counter: &CounterId,
        now: &DecisionInput,
    ) -> Vec<CounterAct> {
        let decider = Decider { before: self, site: self, rules, now, actor };
        let acts = CounterAct::ALL.into_iter();
        acts.filter(|act| decider.permits_at_counter(*act, counter)).collect()
    }
}

impl Decider<'_> {
    /// Returns `true` if a decision allows the act at a counter and changes the counter by it.
    fn permits_at_counter(&self, act: CounterAct, id: &CounterId) -> bool {
        let counter = self.site.counter(id);
        let is_open = counter.state == CounterState::Open;
        let allows = |act: Act| self.dispatch(&act).is_ok();
        match act {
            CounterAct::CallNext => allows(Act::CallNext(id.clone())),
            CounterAct::Open => !is_open && allows(Act::OpenCounter(id.clone())),
            CounterAct::TakeOver => counter.login.is_some_and(|from| {
                !allows(Act::OpenCounter(id.clone()))
                    && allows(Act::TakeOver { counter: id.clone(), from })
            }),
            CounterAct::Break => is_open && allows(Act::BreakCounter(id.clone())),
            CounterAct::Close => {
                counter.state != CounterState::Offline && allows(Act::CloseCounter(id.clone()))
            }
        }
    }

    /// Returns `true` if a decision allows the act for a ticket, with some details.
    fn permits(&self, act: TicketAct, ticket: &Ticket) -> bool {
        let id = ticket.id;
        let own_counter = ticket.at_counter();
        let at_own_counter = |act: fn(CounterTicket) -> Act| {
            let counter = own_counter.ok_or_else(|| wrong_state(ticket))?.clone();
            self.authorize(&act(CounterTicket { counter, number: None }))
        };
        let at_some_counter = |check: &dyn Fn(&CounterId) -> Result<(), Refusal>| {
            let mut counters = self.rules.counters.iter();
            let serving = |queues: &[_]| queues.contains(&ticket.queue);
            counters.any(|(id, rules)| serving(&rules.queues) && check(id).is_ok())
        };
        let reason = || "?".into();
        let checked = match act {
            TicketAct::LetPass => {
                let until = LetPassLimit::OnRequest;
                let let_pass = Act::LetPass { ticket: id, until };
                self.authorize(&let_pass).and_then(|()| self.check_let_pass(ticket).map(drop))
            }
            TicketAct::Return => {
                self.authorize(&Act::Return(id)).and_then(|()| self.check_return(ticket).map(drop))
            }
            TicketAct::Resume => {
                self.authorize(&Act::Resume(id)).and_then(|()| self.check_resume(ticket))
            }
            TicketAct::NotifyAhead => {
                let mark = Mark::NotifyAhead(None);
                let tell_me = Act::Mark { ticket: id, mark };
                self.authorize(&tell_me).and_then(|()| self.check_mark(ticket, mark))
            }
            TicketAct::Arrive => {
                let mark = Mark::Arrived;
                let arrive = Act::Mark { ticket: id, mark };
                self.authorize(&arrive).and_then(|()| self.check_mark(ticket, mark))
            }
            TicketAct::Come => {
                let mark = Mark::Coming;
                let come = Act::Mark { ticket: id, mark };
                self.authorize(&come).and_then(|()| self.check_mark(ticket, mark))
            }
            TicketAct::SetParty => {
                let mark = Mark::Party(1);
                let set_party = Act::Mark { ticket: id, mark };
                self.authorize(&set_party).and_then(|()| self.check_mark(ticket, mark))
            }
            TicketAct::LiftLimit => {
                let mark = Mark::LimitLifted;
                let lift = Act::Mark { ticket: id, mark };
                self.authorize(&lift).and_then(|()| self.check_mark(ticket, mark))
            }
            TicketAct::Leave => {
                let leave = Act::Leave { ticket: id, reason: None };
                self.authorize(&leave).and_then(|()| self.check_leave(ticket))
            }
            TicketAct::Hold => {
                let hold = Act::Hold { ticket: id, reason: reason(), minutes: None };
                self.authorize(&hold).and_then(|()| self.check_waiting(ticket))
            }
            TicketAct::Prioritise => {
                let prioritise = Act::Prioritise { ticket: id, class: 0, reason: reason() };
                self.authorize(&prioritise).and_then(|()| self.check_live(ticket))
            }
            TicketAct::Transfer => {
                let queue = ticket.queue.clone();
                let transfer = Act::Transfer { ticket: id, queue };
                let is_open = || {
                    let mut queues = self.rules.queues.keys();
                    queues.any(|queue| self.check_transfer(ticket, queue).is_ok())
                };
                self.authorize(&transfer)
                    .and_then(|()| if is_open() { Ok(()) } else { Err(wrong_state(ticket)) })
            }
            TicketAct::Undo => {
                self.authorize(&Act::Undo(id)).and_then(|()| self.undo_target(id).map(drop))
            }
            TicketAct::Recall => {
                at_own_counter(Act::Recall).and_then(|()| self.check_recall(ticket).map(drop))
            }
            TicketAct::Start => {
                at_own_counter(Act::Start).and_then(|()| self.check_called(ticket).map(drop))
            }
            TicketAct::PutBack => {
                at_own_counter(Act::PutBack).and_then(|()| self.check_put_back(ticket))
            }
            TicketAct::Finish => at_own_counter(Act::Finish),
            TicketAct::Miss => {
                at_own_counter(Act::Miss).and_then(|()| self.check_called(ticket).map(drop))
            }
            TicketAct::Suspend => at_own_counter(|served| Act::Suspend {
                served,
                reason: "?".into(),
                affinity: false,
            })
            .and_then(|()| self.check_serving(ticket).map(drop)),
            TicketAct::Call => {
                let check = |counter: &CounterId| {
                    let counter = counter.clone();
                    let call =
                        Act::CallTicket { counter: counter.clone(), ticket: id, reason: None };
                    self.authorize(&call)?;
                    self.check_call(&counter, ticket).map(drop)
                };
                return at_some_counter(&check);
            }
            TicketAct::ResumeAtCounter => {
                let check = |counter: &CounterId| {
                    let resume = Act::ResumeAtCounter { counter: counter.clone(), ticket: id };
                    self.authorize(&resume)?;
                    self.check_resume_at_counter(counter, ticket)
                };
                return at_some_counter(&check);
            }
        };
        checked.is_ok()
    }
}
