//! The rules of the line, and nothing else.
//!
//! A **site** (a shop, a hall) has queues, counters and the day's tickets. Everything that happens
//! to it goes through two pure functions:
//!
//! - [`decide`]: what a [`Command`] means for a [`Site`] now: a [`Decision`] made of events, or a
//!   [`Refusal`] that changes nothing;
//! - [`Site::apply`]: what the site is after a decision.
//!
//! What time alone brings about is a command too: [`due_commands`] says which, [`next_due_at`] when to look.
//!
//! Whoever applies the same decisions in the same order holds the same site, to the byte. There is
//! no clock, no randomness, no I/O and no async here; time comes in through [`DecisionInput`].

mod model;
mod protocol;

mod estimate;

mod evolve;
mod forecasts;
mod position_history;
mod visit_records;

mod batches;
mod day_rollover;
mod next_ticket;

mod decide;
mod notifications;
mod timers;

pub use batches::day_close_command;
pub use decide::{DecisionResult, UndoOption, decide};
pub use estimate::{
    Accuracy, AccuracyScore, AheadBand, CallOrder, ClosingRisk, DisplayedRange, Estimate,
    EstimatePhrase, Forecast, ForecastInput, ForecastMethod, ForecastModel, LiveCounter,
    MAX_SIMULATED_CALLS, MIN_LENGTHEN_DELAY_MS, ModelSnapshot, Observation, ObservationEnd,
    SimulatedCall, is_near, is_slipped,
};
pub use model::actor::{Actor, ActorRef, ApiScope, Role};
pub use model::ids::{
    CommandId, CounterId, Number, Person, QueueId, ScanSessionRef, TicketId, TicketKey,
};
pub use model::line::Line;
pub use model::notification::{
    MAX_TEMPLATES_PER_TICKET, NotificationHistory, NotificationKind, NotificationTrigger,
    ReturnCause,
};
pub use model::position_changes::{PositionChange, PositionChangeCause, TicketPositionChange};
pub use model::quoted_wait::QuotedWait;
pub use model::rank::Rank;
pub use model::recent_commands::{COMMAND_RETENTION_MS, RecordedAnswer};
pub use model::remainder::MAX_BATCH_TICKETS;
pub use model::rules::{
    CallPolicy, CounterRules, MISSED_LANE_CLASS, MissedPolicy, MissedRules, ORDINARY_CLASS,
    Placement, QueueRules, Rules,
};
pub use model::site::{Counter, CounterState, QueueAvailability, RecentCall, Site};
pub use model::ticket::{
    CloseReason, Hold, HoldKind, Marks, Ticket, TicketCounts, TicketState, TicketStatus, UndoPoint,
};
pub use model::time::{BusinessDay, Day, DecisionInput, Interval, OpeningStatus, Timestamp};
pub use model::visit::{VisitOutcome, VisitRecord};
pub use model::visit_progress::{ForecastBasis, OvertakeCounts, VisitProgress};
pub use notifications::MAX_NOTIFY_AHEAD;
pub use protocol::command::{Act, Command, CounterTicket, LetPassLimit, Mark, QueueState};
pub use protocol::event::{Decision, Event};
pub use protocol::outcome::Outcome;
pub use protocol::refusal::Refusal;
pub use timers::{due_commands, next_due_at};
