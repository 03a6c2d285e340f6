//! The rules of the line, and nothing else.
//!
//! A **site** (a shop, a hall) has queues, counters and the day's tickets. Everything that happens
//! to it goes through two pure functions:
//!
//! - [`decide`]: what a [`Command`] means for a [`Site`] now: a [`Decision`] made of events, or a
//!   [`Refusal`] that changes nothing;
//! - [`Site::apply`]: what the site is after a decision.
//!
//! Whoever applies the same decisions in the same order holds the same site, to the byte. There is
//! no clock, no randomness, no I/O and no async here; time comes in through [`Now`].

mod ids;
mod time;

mod rules;
mod ticket;

mod command;
mod event;
mod refusal;

mod estimate;
mod memory;
mod site;

mod decide;

pub use command::{Act, Command, Served};
pub use decide::{Answer, decide};
pub use estimate::{
    Accuracy, Band, Chooser, Closing, Estimate, Forecast, LiveCounter, Method, Model, Next, Phrase,
    RUN_LIMIT, SETTLED_FOR_MS, Score, Shown, Situation, Snapshot, Visit, VisitEnd, is_near,
    is_slipped,
};
pub use event::{Decision, Event, Milestone, MilestoneKind, Outcome};
pub use ids::{CommandId, CounterId, Number, Person, QueueId, TicketId, Via};
pub use memory::{REMEMBERED_FOR_MS, Remembered};
pub use refusal::Refusal;
pub use rules::{CounterRules, QueueRules, Rules};
pub use site::{Counter, Line, RecentCall, Site};
pub use ticket::{CloseReason, Rank, Stage, Ticket, Told};
pub use time::{Day, Now, Timestamp};
