//! Findings of a run: invariants that did not hold.

use serde::{Deserialize, Serialize};

/// Kind of a finding, with the number of its invariant in ARCHITECTURE.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// 1: A number in an answer is not in the ledger.
    NumberNotDurable,
    /// 2: A number is live twice, or a ticket is given out twice.
    NumberTwice,
    /// 2: A person has two live tickets at a site.
    TwoTickets,
    /// 2: A counter has two live calls, or a ticket is at two counters.
    TwoCalls,
    /// 2: A command was decided twice, or one press called two people.
    CommandTwice,
    /// 2b: A repeated request got another answer.
    AnswerChanged,
    /// 2a: A ticket is in no place and had no event that ended it.
    LineLost,
    /// A day was closed before its end.
    DayClosedEarly,
    /// 3, 3a: Replicas, or a replica and a replay of everything, differ.
    StateDiffers,
    /// 4: WeChat accepted a notice twice.
    AcceptedTwice,
    /// 4: A notice has two outcomes.
    TwoOutcomes,
    /// 4: A notification has no end.
    NoEnd,
    /// 4: An outcome says that WeChat has a message, and it has none.
    SentNotAccepted,
    /// 4: An outcome says that WeChat has no message, and it has one.
    EndedThoughAccepted,
    /// 4: An outcome is "unknown", nothing had been sent, and no process had died.
    UnknownUnsent,
    /// 5: A notice was accepted after a later one of its ticket.
    Overtaken,
    /// 5: The same in a run in which the cache was lost.
    OvertakenWithoutCache,
    /// 6: A push that was not rightly signed, or is stale, was not refused, or took a ticket.
    ForgedPush,
    /// 6: A push that had got a number got another reply when it was sent again on the same day.
    ReplayDiffers,
    /// A notice ended for a mistake of ours and has no dead letter.
    DeadLetterLost,
    /// A notice was given up for want of a template that was set.
    NoticeBuried,
    /// A visit that ended is not in the visit log.
    VisitLost,
    /// A consumer or a queue is not emptied although every fault is over.
    Backlog,
    /// A gateway does not serve although every fault is over.
    NotServing,
    /// An essential task failed, or something panicked.
    TaskFailed,
}

/// Finding that is known and not mended yet.
pub struct KnownFinding {
    /// Its kind.
    pub kind: FindingKind,
    /// True if everything after it may be its consequence.
    pub ends_run: bool,
    /// Description of the fault.
    pub fault: &'static str,
}

/// Findings that are known and not mended yet: none. From a mending on, the tests expect that no
/// seed finds the fault.
pub const KNOWN: &[KnownFinding] = &[];

/// Finding of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Kind.
    pub kind: FindingKind,
    /// Time, in Unix milliseconds.
    pub at_ms: i64,
    /// Description.
    pub text: String,
}

impl FindingKind {
    /// Name in reports.
    pub fn name(self) -> String {
        serde_json::to_string(&self).expect("a name").trim_matches('"').to_owned()
    }

    /// Returns what is known of it, if it is known.
    pub fn known(self) -> Option<&'static KnownFinding> {
        KNOWN.iter().find(|known| known.kind == self)
    }
}

/// Returns the findings that are not known, up to the first known one that ends a run.
pub fn unknown(findings: &[Finding]) -> Vec<&Finding> {
    let ends_run = |finding: &&Finding| finding.kind.known().is_some_and(|known| known.ends_run);
    let before = findings.iter().take_while(|finding| !ends_run(finding));
    before.filter(|finding| finding.kind.known().is_none()).collect()
}
