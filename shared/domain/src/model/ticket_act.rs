//! Acts on a ticket by their names, as they are listed for holders and staff.

/// Acts on a ticket, without their details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TicketAct {
    /// Let others pass.
    LetPass,
    /// Return after a miss.
    Return,
    /// End a hold.
    Resume,
    /// Choose the number ahead of the "near" notice.
    NotifyAhead,
    /// Give up the ticket, or remove it.
    Leave,
    /// Say that one is on the way.
    Come,
    /// Check in.
    Arrive,
    /// Note the size of the party.
    SetParty,
    /// Lift the limit of numbers for its holder.
    LiftLimit,
    /// Call it to a counter.
    Call,
    /// Call it again.
    Recall,
    /// Begin the service.
    Start,
    /// Take the call back.
    PutBack,
    /// End the service.
    Finish,
    /// Mark it as missed.
    Miss,
    /// Take it out of the line for a while.
    Hold,
    /// Interrupt the service.
    Suspend,
    /// Resume the service at a counter.
    ResumeAtCounter,
    /// Transfer it to another queue.
    Transfer,
    /// Change the priority class.
    Prioritise,
    /// Undo its end or miss.
    Undo,
}

impl TicketAct {
    /// Every act, in the order in which they are listed.
    pub const ALL: [TicketAct; 21] = [
        TicketAct::LetPass,
        TicketAct::Return,
        TicketAct::Resume,
        TicketAct::NotifyAhead,
        TicketAct::Leave,
        TicketAct::Come,
        TicketAct::Arrive,
        TicketAct::SetParty,
        TicketAct::LiftLimit,
        TicketAct::Call,
        TicketAct::Recall,
        TicketAct::Start,
        TicketAct::PutBack,
        TicketAct::Finish,
        TicketAct::Miss,
        TicketAct::Hold,
        TicketAct::Suspend,
        TicketAct::ResumeAtCounter,
        TicketAct::Transfer,
        TicketAct::Prioritise,
        TicketAct::Undo,
    ];

    /// Stable name of the act.
    pub fn name(self) -> &'static str {
        match self {
            TicketAct::LetPass => "let_pass",
            TicketAct::Return => "return",
            TicketAct::Resume => "resume",
            TicketAct::NotifyAhead => "tell_me",
            TicketAct::Leave => "leave",
            TicketAct::Come => "coming",
            TicketAct::Arrive => "arrived",
            TicketAct::SetParty => "party",
            TicketAct::LiftLimit => "lift_limit",
            TicketAct::Call => "call",
            TicketAct::Recall => "recall",
            TicketAct::Start => "start",
            TicketAct::PutBack => "put_back",
            TicketAct::Finish => "finish",
            TicketAct::Miss => "missed",
            TicketAct::Hold => "hold",
            TicketAct::Suspend => "suspend",
            TicketAct::ResumeAtCounter => "resume_here",
            TicketAct::Transfer => "transfer",
            TicketAct::Prioritise => "priority",
            TicketAct::Undo => "undo",
        }
    }

    /// Act with this name.
    pub fn from_name(name: &str) -> Option<TicketAct> {
        TicketAct::ALL.into_iter().find(|act| act.name() == name)
    }
}
