//! Value that is the usual one in almost every owner, and takes the room of a pointer there.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Type of which almost all values are the same one.
pub trait HasUsual: Clone + PartialEq + 'static {
    /// That value.
    const USUAL: &'static Self;
}

/// Value that is rarely another than the usual one.
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

impl<T: HasUsual> Rare<T> {
    /// Gives back the room of a value that has become the usual one.
    pub(crate) fn shrink(&mut self) {
        if self.0.as_deref().is_some_and(|value| value == T::USUAL) {
            self.0 = None;
        }
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Rare(None)
    }
}

impl<T: HasUsual> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Rare((value != *T::USUAL).then(|| Box::new(value)))
    }
}

impl<T: HasUsual> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::USUAL)
    }
}

impl<T: HasUsual> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::USUAL.clone()))
    }
}

/// Values are equal, whatever room they take.
impl<T: HasUsual> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: HasUsual + Eq> Eq for Rare<T> {}

impl<T: HasUsual> PartialEq<T> for Rare<T> {
    fn eq(&self, other: &T) -> bool {
        **self == *other
    }
}

impl<T: HasUsual + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ticket::TicketCounts;

    #[test]
    fn a_rare_value_reads_the_same_whatever_room_it_takes() {
        let mut counts = Rare::<TicketCounts>::default();
        let usual = counts.clone();
        counts.calls += 1;
        assert_eq!((counts.calls, usual.calls), (1, 0));
        assert_ne!(counts, usual);
        assert_eq!(counts, Rare::from(TicketCounts { calls: 1, ..TicketCounts::default() }));
        counts.calls = 0;
        assert_eq!((&counts, format!("{counts:?}")), (&usual, format!("{usual:?}")));
        assert!(counts.0.is_some());
        counts.shrink();
        assert!(counts.0.is_none() && Rare::from(TicketCounts::default()).0.is_none());
    }
}
