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

mod model;
mod protocol;

mod estimate;

mod evolve;

mod chooser;
mod pieces;

mod decide;
mod due;
mod milestones;

pub use decide::{Answer, Undoable, decide};
pub use due::{due, next_due};
pub use estimate::{
    Accuracy, Band, Chooser, Closing, Estimate, Forecast, LiveCounter, Method, Model, Next, Phrase,
    RUN_LIMIT, SETTLED_FOR_MS, Score, Shown, Situation, Snapshot, Visit, VisitEnd, is_near,
    is_slipped,
};
pub use milestones::FARTHEST;
pub use model::actor::{Actor, By, Role, Scope};
pub use model::ids::{CommandId, CounterId, Number, Person, QueueId, TicketId, TicketKey, Via};
pub use model::line::Line;
pub use model::memory::{REMEMBERED_FOR_MS, Remembered};
pub use model::moves::{Cause, Move, Moved};
pub use model::notices::{Milestone, MilestoneKind, Notices, TEMPLATES, Through};
pub use model::rules::{
    CounterRules, MISSED_LANE, MissedPolicy, MissedRules, ORDINARY, Placement, Policy, QueueRules,
    Rules,
};
pub use model::site::{Counter, CounterState, RecentCall, Site, Standing};
pub use model::ticket::{
    Before, CloseReason, Counts, Hold, HoldWhy, Marks, Rank, Stage, State, Ticket, Told,
};
pub use model::time::{Day, Hours, Interval, Now, Timestamp, Today};
pub use model::visit::{Basis, EndedVisit, Ending, Overtaken, Trail};
pub use pieces::{PIECE, first_of_all};
pub use protocol::command::{Act, Command, Mark, QueueState, Served, Until};
pub use protocol::event::{Decision, Event, Outcome};
pub use protocol::refusal::Refusal;
