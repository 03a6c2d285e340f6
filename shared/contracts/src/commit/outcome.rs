//! Stored form of the outcome of a command.

use super::event::QueueState;
use super::standing::Standing;
use super::ticket::{Number, QuotedWait, TicketStatus};
use crate::tagged::tagged_enum;
use std::sync::Arc;

tagged_enum! { "outcome", "Outcome",
    /// Outcome of a command: the answer to its requester.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[allow(missing_docs, reason = "each field is documented at the domain's outcome of the same name")]
    pub enum Outcome {
        Holding {
            ticket: u32,
            number: Number,
            queue: Arc<str>,
            #[serde(rename = "told")]
            quoted: QuotedWait,
            #[serde(skip_serializing_if = "Option::is_none", default)]
            called_to: Option<Arc<str>>,
            new: bool,
            #[serde(skip_serializing_if = "TicketStatus::is_usual", default)]
            state: TicketStatus,
            /// Rest of what was told; absent in the entries of older programs.
            #[serde(skip_serializing_if = "Option::is_none", default)]
            standing: Option<Standing>,
        },
        Called {
            ticket: u32,
            number: Number,
            queue: Arc<str>,
            counter: Arc<str>,
            deadline: i64,
        },
        Finished {
            ticket: u32,
            number: Number,
            counter: Arc<str>,
        },
        Missed {
            ticket: u32,
            number: Number,
            counter: Arc<str>,
        },
        Left {
            ticket: u32,
            number: Number,
        },
        #[serde(rename = "stands")]
        TicketChanged {
            ticket: u32,
            number: Number,
            queue: Arc<str>,
            state: TicketStatus,
            ahead: u32,
            /// Rest of what was told; absent in the entries of older programs.
            #[serde(skip_serializing_if = "Option::is_none", default)]
            standing: Option<Standing>,
        },
        Forgotten,
        CounterOpen {
            counter: Arc<str>,
        },
        CounterPaused {
            counter: Arc<str>,
        },
        CounterClosed {
            counter: Arc<str>,
        },
        #[serde(rename = "queue_is")]
        QueueSet {
            queue: Arc<str>,
            state: QueueState,
        },
        QueueCleared {
            queue: Arc<str>,
            voided: u32,
        },
        #[serde(rename = "day_begun")]
        DayOpened {
            day: i32,
        },
        #[serde(rename = "day_turning")]
        DayRollover {
            #[serde(rename = "left")]
            remaining: u32,
        },
        #[serde(rename = "told")]
        HoldersNotified {
            people: u32,
        },
    }
}
