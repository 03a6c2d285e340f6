//! Queue rules of a site: pure decisions, state and forecasts.
//!
//! A **site** (a shop, a hall) has queues, counters and the day's tickets. Every change goes
//! through two pure functions:
//!
//! - [`decide()`] turns a [`Command`] for a [`Site`] into a [`Decision`], which is a list of
//!   events, or into a [`Refusal`], which changes nothing.
//! - [`Site::apply`] folds a decision into the site.
//!
//! Changes that come with time alone are commands too: [`due_commands`] lists those that are due,
//! and [`next_due_at`] gives the next time to check.
//!
//! Two replicas that apply the same decisions in the same order hold the same site, to the byte.
//! The crate has no clock, no randomness, no I/O and no async code; time comes in through
//! [`DecisionInput`].

mod model;
mod protocol;

mod estimate;

mod evolve;
mod forecasts;
mod line_simulation;
mod parts;
mod position_history;
mod visit_records;

mod auto_call;
mod batches;
mod day_rollover;
mod next_ticket;

mod decide;
mod notifications;
mod timers;

pub use batches::day_close_command;
pub use decide::{DecisionResult, UndoOption, decide};
pub use estimate::{
    Accuracy, AccuracyScore, AheadBand, ClosingRisk, DisplayedRange, Estimate, EstimatePhrase,
    Forecast, ForecastInput, ForecastMethod, ForecastModel, LiveCounter, MIN_LENGTHEN_DELAY_MS,
    Observation, ObservationEnd, is_near, is_slipped,
};
pub use model::actor::{Actor, ActorRef, ApiScope, Role};
pub use model::counter_act::CounterAct;
pub use model::ids::{
    CommandId, CounterId, Number, Person, QueueId, ScanSessionRef, TicketId, TicketKey,
};
pub use model::line::{Line, Overtake};
pub use model::notification::{
    MAX_PROGRESS_TEMPLATES, MAX_TEMPLATES_PER_TICKET, NotificationHistory, NotificationKind,
    NotificationTrigger, QueueEnd, ReturnCause,
};
pub use model::position_changes::{PositionChange, PositionChangeCause, TicketPositionChange};
pub use model::quoted_wait::QuotedWait;
pub use model::rank::Rank;
pub use model::rare::{HasUsual, Rare};
pub use model::recent_commands::{COMMAND_RETENTION_MS, RecordedAnswer};
pub use model::remainder::{MAX_BATCH_TICKETS, Remainder};
pub use model::rules::{
    CallPolicy, CounterRules, MISSED_LANE_CLASS, MissedPolicy, MissedRules, ORDINARY_CLASS,
    Placement, QueueRules, Rules,
};
pub use model::site::{Counter, CounterState, QueueAvailability, RecentCall, Site, SpentDays};
pub use model::standing::{StandingState, TicketStanding};
pub use model::ticket::{
    CloseReason, Hold, HoldKind, LaterQuotes, Marks, Ticket, TicketCounts, TicketPast, TicketState,
    TicketStatus, UndoPoint,
};
pub use model::ticket_act::TicketAct;
pub use model::time::{BusinessDay, Day, DecisionInput, Interval, OpeningStatus, Timestamp};
pub use model::visit::{VisitOutcome, VisitRecord};
pub use model::visit_progress::{ForecastBasis, OvertakeCounts, VisitProgress, VisitSteps};
pub use notifications::MAX_NOTIFY_AHEAD;
pub use parts::{CounterParts, LineParts, SiteParts};
pub use protocol::command::{Act, Command, CounterTicket, LetPassLimit, Mark, QueueState};
pub use protocol::event::{Decision, Event};
pub use protocol::outcome::Outcome;
pub use protocol::refusal::Refusal;
pub use timers::{due_commands, next_due_after, next_due_at};
