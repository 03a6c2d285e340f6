//! The rules of the line, and nothing else.
//!
//! A **site** (a shop, a hall) has queues, counters and the day's tickets. Everything that happens
//! to it goes through two pure functions:
//!
//! - [`decide`]: what a [`Command`] means for a [`Site`] now: a [`Decision`] made of events, or a
//!   [`Refusal`] that changes nothing;
//! - [`Site::apply`]: what the site is after a decision.
//!
//! What time alone brings about is a command too: [`due`] says which, [`next_due`] when to look.
//!
//! Whoever applies the same decisions in the same order holds the same site, to the byte. There is
//! no clock, no randomness, no I/O and no async here; time comes in through [`Now`].

mod ids;
mod time;

mod actor;
mod rules;
mod ticket;
mod visit;

mod command;
mod event;
mod refusal;

mod estimate;
mod lane;
mod line;
mod memory;
mod moves;
mod notices;
mod site;

mod evolve;

mod chooser;
mod pieces;

mod decide;
mod due;
mod milestones;

pub use actor::{Actor, By, Role, Scope};
pub use command::{Act, Command, Mark, QueueState, Served, Until};
pub use decide::{Answer, Undoable, decide};
pub use due::{due, next_due};
pub use estimate::{
    Accuracy, Band, Chooser, Closing, Estimate, Forecast, LiveCounter, Method, Model, Next, Phrase,
    RUN_LIMIT, SETTLED_FOR_MS, Score, Shown, Situation, Snapshot, Visit, VisitEnd, is_near,
    is_slipped,
};
pub use event::{Decision, Event, Outcome};
pub use ids::{CommandId, CounterId, Number, Person, QueueId, TicketId, TicketKey, Via};
pub use line::Line;
pub use memory::{REMEMBERED_FOR_MS, Remembered};
pub use milestones::FARTHEST;
pub use moves::{Cause, Move, Moved};
pub use notices::{Milestone, MilestoneKind, Notices, TEMPLATES, Through};
pub use pieces::{PIECE, first_of_all};
pub use refusal::Refusal;
pub use rules::{
    CounterRules, MISSED_LANE, MissedPolicy, MissedRules, ORDINARY, Placement, Policy, QueueRules,
    Rules,
};
pub use site::{Counter, CounterState, RecentCall, Site, Standing};
pub use ticket::{
    Before, CloseReason, Counts, Hold, HoldWhy, Marks, Rank, Stage, State, Ticket, Told,
};
pub use time::{Day, Hours, Interval, Now, Timestamp, Today};
pub use visit::{Basis, EndedVisit, Ending, Overtaken, Trail};
