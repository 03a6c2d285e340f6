//! OAuth codes of customers who open a web page. Each works once, within five minutes.

use std::collections::{HashMap, VecDeque};

const CODE_LIFETIME_MS: u64 = 5 * 60 * 1000;
const MAX_CODES: usize = 10_000;

/// Visit of a customer to a web page of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageVisit {
    pub(crate) account: usize,
    pub(crate) openid: String,
    /// True for a preview, whose openid belongs to no customer.
    pub(crate) preview: bool,
    pub(crate) at: u64,
}

/// The newest codes, with their visits.
#[derive(Debug, Default)]
pub(crate) struct PageVisits {
    by_code: HashMap<String, (PageVisit, bool)>,
    order: VecDeque<String>,
}

impl PageVisits {
    pub(crate) fn add(&mut self, code: String, visit: PageVisit) {
        if self.order.len() >= MAX_CODES
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_code.remove(&oldest);
        }
        self.order.push_back(code.clone());
        self.by_code.insert(code, (visit, false));
    }

    /// Exchanges a code for its visit, or returns the error code that refuses it.
    pub(crate) fn exchange(
        &mut self,
        code: &str,
        account: usize,
        now: u64,
    ) -> Result<PageVisit, i64> {
        let (visit, used) = self
            .by_code
            .get_mut(code)
            .filter(|(visit, _)| visit.account == account)
            .ok_or(40029)?;
        if std::mem::replace(used, true) {
            return Err(40163);
        }
        if now >= visit.at + CODE_LIFETIME_MS { Err(42003) } else { Ok(visit.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once_for_its_account_and_five_minutes() {
        let mut visits = PageVisits::default();
        let visit = PageVisit { account: 0, openid: "oA".into(), preview: false, at: 0 };
        visits.add("a".into(), visit.clone());
        visits.add("b".into(), visit.clone());
        assert_eq!(visits.exchange("a", 1, 0), Err(40029));
        assert_eq!(visits.exchange("a", 0, CODE_LIFETIME_MS - 1), Ok(visit));
        assert_eq!(visits.exchange("a", 0, CODE_LIFETIME_MS - 1), Err(40163));
        assert_eq!(visits.exchange("b", 0, CODE_LIFETIME_MS), Err(42003));
        assert_eq!(visits.exchange("c", 0, 0), Err(40029));
    }
}
