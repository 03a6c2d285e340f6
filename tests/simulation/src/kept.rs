//! Seeds that are kept: each found a fault once.

use crate::checks::findings::FindingKind;
use crate::faults::FaultKind;

/// Seed that found a fault.
pub struct KeptSeed {
    /// The seed.
    pub seed: u64,
    /// Kinds of faults in place of those that it draws, if any.
    pub faults: &'static [FaultKind],
    /// Kind of its finding.
    pub kind: FindingKind,
    /// The fault.
    pub fault: &'static str,
}

/// Seeds that are kept.
pub const KEPT: &[KeptSeed] = &[KeptSeed {
    seed: 8715,
    faults: &[],
    kind: FindingKind::NotServing,
    fault: "after a closure of days, a gateway that learned late that all entries of a site had aged \
            out forgot the entry that another one had written meanwhile, and gave no number there",
}];
