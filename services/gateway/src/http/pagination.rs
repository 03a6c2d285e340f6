//! Lists that come in pages: how many at once, and where the next page begins.

use crate::http::refusals::{self, Problem};

/// In a page, unless fewer or more are asked for.
const DEFAULT_PAGE_SIZE: usize = 100;

/// The most that can be asked for.
const MAX_PAGE_SIZE: usize = 500;

/// How many are asked for.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(DEFAULT_PAGE_SIZE) {
        limit @ 1..=MAX_PAGE_SIZE => Ok(limit),
        _ => {
            let detail = format!("limit: 1 to {MAX_PAGE_SIZE}");
            Err(Problem::new(&refusals::MALFORMED_REQUEST).with_detail(detail))
        }
    }
}

/// The first of what is left, and the cursor of the last of them if there is more: the next page is
/// what comes after it.
pub(super) fn page<T, C>(
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

    #[test]
    fn pages_join_without_gap_or_repeat_and_the_last_one_leads_nowhere() {
        let (mut seen, mut after) = (Vec::new(), Some(0));
        while let Some(from) = after {
            let (page, next) = page((1..=10).filter(|one| *one > from), 3, |last| *last);
            assert!(page.len() <= 3 && (next.is_none() || page.len() == 3));
            seen.extend(page);
            after = next;
        }
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
        assert_eq!(page(1..=3, 3, |last| *last), (vec![1, 2, 3], None));
        assert_eq!(limit(None).unwrap(), 100);
        assert!(limit(Some(0)).is_err() && limit(Some(501)).is_err());
    }
}
