//! Acts at a counter by their names, as they are listed for its staff.

/// Acts at a counter that need no ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterAct {
    /// Call the next ticket, and finish the one in service.
    CallNext,
    /// Log in and open it.
    Open,
    /// Take it over from another login.
    TakeOver,
    /// Begin a break.
    Break,
    /// Log out and close it.
    Close,
}

impl CounterAct {
    /// Every act, in the order in which they are listed.
    pub const ALL: [CounterAct; 5] = [
        CounterAct::CallNext,
        CounterAct::Open,
        CounterAct::TakeOver,
        CounterAct::Break,
        CounterAct::Close,
    ];

    /// Stable name of the act.
    pub fn name(self) -> &'static str {
        match self {
            CounterAct::CallNext => "next",
            CounterAct::Open => "open",
            CounterAct::TakeOver => "take_over",
            CounterAct::Break => "break",
            CounterAct::Close => "close",
        }
    }
}
