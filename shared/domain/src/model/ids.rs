//! Identifiers inside a site.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

macro_rules! string_id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Makes the identifier from its text.
            pub fn new(text: &str) -> Self {
                $type(Arc::from(text))
            }

            /// Text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Text of the identifier, as a shared string.
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
    /// Identifier of a queue (业务), chosen by the owner: `queue_a`, `deposit`. In the order in
    /// which people count.
    QueueId
}
string_id! {
    /// Identifier of a counter (窗口), chosen by the owner: `1`, `desk-2`. In the order in which
    /// people count: 1, 2, 10.
    CounterId
}

macro_rules! natural_order {
    ($type:ident) => {
        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                // Most maps have one key or few, and most searches find theirs.
                if self.0 == other.0 {
                    return Ordering::Equal;
                }
                natural_order(&self.0, &other.0)
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

natural_order!(QueueId);
natural_order!(CounterId);

/// Compares texts by their bytes, and runs of digits in them by their value: `w2` before `w10`.
/// Texts are equal only if their bytes are.
fn natural_order(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (of_a, of_b) = (take_digits(&mut a), take_digits(&mut b));
            of_a.len().cmp(&of_b.len()).then_with(|| of_a.cmp(of_b))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    // Numbers with zeros before them are equal by value.
    a.len().cmp(&b.len()).then_with(|| left.cmp(right))
}

/// Takes a run of digits off the start, without the zeros before the number.
fn take_digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

string_id! {
    #[derive(PartialOrd, Ord)]
    /// Holder of a ticket; for WeChat customers the openid. Never shown or logged.
    Person
}
string_id! {
    #[derive(PartialOrd, Ord)]
    /// Identifier of the scan session through which a ticket was requested. The session's browser
    /// page gets the result.
    ScanSessionRef
}

/// Identifier of a ticket, unique within its site and business day: its ordinal of the day, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TicketId(pub u32);

/// Secret that opens a ticket for its bearer: 128 random bits, made where the ticket was requested.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TicketKey(pub [u8; 16]);

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

/// Identifier of a command, the same for every delivery: a hash of the parts that identify it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub [u8; 16]);

impl CommandId {
    /// Derives the id of a command that the system itself proposes. Every replica derives the same
    /// id from the same text, which names what the command ends (`noshow/17/1/1795384474775`).
    /// FNV-1a, 128 bits.
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

/// Number printed on a ticket: the queue's prefix and a daily serial, `A001`.
///
/// The serial has at least three digits. Past 999 it grows instead of wrapping, so that no number
/// is live twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// Leading letters, from the queue's rules.
    pub prefix: Arc<str>,
    /// Serial of the day, from 1.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_in_the_order_in_which_people_count() {
        let mut ids = ["10", "w2", "2", "1", "b-10", "w10", "b-9", "01", "w", "b-9a", "100"];
        ids.sort_by_key(|id| CounterId::new(id));
        assert_eq!(ids, ["01", "1", "2", "10", "100", "b-9", "b-9a", "b-10", "w", "w2", "w10"]);
    }

    proptest! {
        #[test]
        fn the_order_of_ids_is_total(ids in proptest::array::uniform3("[a-b0-1-]{0,4}")) {
            let [a, b, c] = ids.map(|id| QueueId::new(&id));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}
