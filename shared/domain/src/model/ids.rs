//! What things are called inside a site.

use std::fmt;
use std::sync::Arc;

macro_rules! string_id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// From its text.
            pub fn new(text: &str) -> Self {
                $type(Arc::from(text))
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its text, shared.
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl From<Arc<str>> for $type {
            fn from(text: Arc<str>) -> Self {
                $type(text)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id! {
    /// A queue (业务) of the site, as the owner named it: `queue_a`, `deposit`.
    QueueId
}
string_id! {
    /// A counter (窗口) of the site, as the owner named it: `1`, `desk-2`.
    CounterId
}
string_id! {
    /// The person who holds a ticket; for WeChat customers their openid. Never shown or logged.
    Person
}
string_id! {
    /// Identifier of the scan session through which a ticket was requested. The session's browser page
    /// gets the result.
    ScanSessionRef
}

/// A ticket, unique within its site and business day: the how-manieth it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub u32);

/// What opens a ticket to whoever shows it: 128 random bits, made where the ticket was asked for. A
/// secret of its holder.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TicketKey(pub [u8; 16]);

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

/// One command, however often it is delivered: a hash of what identifies it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub [u8; 16]);

impl CommandId {
    /// The identity of what the system itself proposes: the same at every replica for the same text,
    /// which names what the command ends (`noshow/17/1/1795384474775`). FNV-1a, 128 bits.
    pub fn derived(text: &str) -> Self {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let step = |hash: u128, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        CommandId(text.bytes().fold(BASIS, step).to_be_bytes())
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The number on a ticket: the queue's prefix and a daily serial, `A001`.
///
/// At least three digits; past 999 it grows instead of wrapping, so that no number is live twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// Letters in front, from the queue's rules.
    pub prefix: Arc<str>,
    /// 1 for the day's first ticket of the queue.
    pub serial: u32,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:03}", self.prefix, self.serial)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
