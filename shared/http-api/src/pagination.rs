//! Pages of lists: their size and the cursor of the next one.

use crate::{ApiState, Problem};

/// Items of a page if the request names no limit.
const DEFAULT_PAGE_SIZE: usize = 100;

/// Largest limit that a request may name.
const MAX_PAGE_SIZE: usize = 500;

/// Number of items that a page has at most, as requested or 100.
///
/// # Errors
/// Unless it is 1 to 500.
pub fn limit<S: ApiState>(requested: Option<usize>) -> Result<usize, Problem> {
    let limit = requested.unwrap_or(DEFAULT_PAGE_SIZE);
    if (1..=MAX_PAGE_SIZE).contains(&limit) {
        Ok(limit)
    } else {
        let detail = format!("limit: 1 to {MAX_PAGE_SIZE}");
        Err(Problem::new(S::MALFORMED_REQUEST).with_detail(detail))
    }
}

/// The first page of what is left, with the cursor of its last item if there are more: the next
/// page begins after it.
pub fn page<T, C>(
    left: impl Iterator<Item = T>,
    limit: usize,
    cursor: impl FnOnce(&T) -> C,
) -> (Vec<T>, Option<C>) {
    let mut page: Vec<T> = left.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(cursor);
    (page, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_state::TestState;

    #[test]
    fn pages_join_without_gap_or_repeat_and_the_last_one_leads_nowhere() {
        let mut items = Vec::new();
        let mut after = Some(0);
        while let Some(from) = after {
            let (page, next) = page((1..=10).filter(|one| *one > from), 3, |last| *last);
            assert!(page.len() <= 3 && (next.is_none() || page.len() == 3));
            items.extend(page);
            after = next;
        }
        assert_eq!(items, (1..=10).collect::<Vec<_>>());
        assert_eq!(page(1..=3, 3, |last| *last), (vec![1, 2, 3], None));
        let limit = limit::<TestState>;
        assert_eq!(limit(None).unwrap(), 100);
        assert!(limit(Some(0)).is_err() && limit(Some(501)).is_err());
    }
}
