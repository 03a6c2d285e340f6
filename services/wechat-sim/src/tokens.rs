//! Access tokens of one account: two channels, each with a current and a former token.

/// Time for which a token works after a newer one was issued on its channel.
const OVERLAP_MS: u64 = 5 * 60 * 1000;
/// Lifetime of a new token unless the simulator is configured otherwise.
#[cfg(test)]
const TOKEN_LIFETIME_MS: u64 = 7200 * 1000;
/// Remaining life below which the stable channel issues a new token.
const ROTATION_THRESHOLD_MS: u64 = 5 * 60 * 1000;

#[derive(Debug, Clone)]
struct Token {
    value: String,
    expires_ms: u64,
    is_dead: bool,
}

/// Rules for issuing a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IssueRules {
    /// Lifetime of the new token.
    pub(crate) life_ms: u64,
    /// True if the former token ends at once.
    pub(crate) invalidate_previous: bool,
}

#[derive(Debug, Default)]
struct Channel {
    current: Option<Token>,
    /// The former token, with the end of its overlap in milliseconds.
    former: Option<(Token, u64)>,
}

/// Token in a response of `token` or `stable_token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuedToken {
    pub(crate) value: String,
    /// Remaining life in seconds.
    pub(crate) expires_in: u64,
    pub(crate) is_new: bool,
}

/// Validity of the token that an API call came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    Valid,
    Expired,
    NotLatest,
}

/// Early invalidation of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenInvalidation {
    /// The next request gets a new token, as if somebody else had forced a refresh.
    Replaced,
    /// The token is refused although requests still return it; only a forced refresh helps.
    StillHandedOut,
}

/// Tokens of one account. Pure: the caller passes in the time and new random values.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    classic: Channel,
    stable: Channel,
    forced_at_ms: Option<u64>,
}

impl Channel {
    fn issue(&mut self, value: String, now: u64, rules: IssueRules) -> IssuedToken {
        let former_dies_at = if rules.invalidate_previous { now } else { now + OVERLAP_MS };
        let expires_ms = now + rules.life_ms;
        let token = Token { value: value.clone(), expires_ms, is_dead: false };
        self.former = self.current.replace(token).map(|old| (old, former_dies_at));
        IssuedToken { value, expires_in: rules.life_ms / 1000, is_new: true }
    }

    fn status(&self, value: &str, now: u64) -> Option<TokenStatus> {
        if let Some(token) = self.current.as_ref().filter(|token| token.value == value) {
            return Some(match token {
                Token { is_dead: true, .. } => TokenStatus::NotLatest,
                Token { expires_ms, .. } if *expires_ms <= now => TokenStatus::Expired,
                _ => TokenStatus::Valid,
            });
        }
        let (token, dies_at) = self.former.as_ref().filter(|(token, _)| token.value == value)?;
        let is_valid = !token.is_dead && now < (*dies_at).min(token.expires_ms);
        Some(if is_valid { TokenStatus::Valid } else { TokenStatus::NotLatest })
    }

    fn invalidate(&mut self) {
        self.current.iter_mut().for_each(|token| token.is_dead = true);
        self.former = None;
    }
}

impl Tokens {
    /// Issues a token on the classic channel: a new one each time.
    pub(crate) fn classic(&mut self, value: String, now: u64, rules: IssueRules) -> IssuedToken {
        self.classic.issue(value, now, rules)
    }

    /// Returns a token of the stable channel in normal mode: the current one until its last five
    /// minutes.
    pub(crate) fn stable(&mut self, value: String, now: u64, life_ms: u64) -> IssuedToken {
        if let Some(token) = &self.stable.current {
            let remaining_ms = token.expires_ms.saturating_sub(now);
            if remaining_ms >= ROTATION_THRESHOLD_MS {
                let value = token.value.clone();
                return IssuedToken { value, expires_in: remaining_ms / 1000, is_new: false };
            }
        }
        self.stable.issue(value, now, IssueRules { life_ms, invalidate_previous: false })
    }

    /// True if the last forced refresh is at least `gap_ms` ago.
    pub(crate) fn may_force(&self, now: u64, gap_ms: u64) -> bool {
        self.forced_at_ms.is_none_or(|at| now >= at + gap_ms)
    }

    /// Issues a new token on the stable channel, in force mode.
    pub(crate) fn force_refresh(
        &mut self,
        value: String,
        now: u64,
        rules: IssueRules,
    ) -> IssuedToken {
        self.forced_at_ms = Some(now);
        self.stable.issue(value, now, rules)
    }

    /// Status of a token; `None` if it never was this account's or is forgotten.
    pub(crate) fn status(&self, value: &str, now: u64) -> Option<TokenStatus> {
        self.stable.status(value, now).or_else(|| self.classic.status(value, now))
    }

    /// Invalidates all tokens that work now.
    pub(crate) fn invalidate(&mut self, invalidation: TokenInvalidation) {
        self.classic.invalidate();
        self.stable.invalidate();
        if invalidation == TokenInvalidation::Replaced {
            self.stable.current = None;
            self.classic.current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_700_000_000_000;
    const S: u64 = 1000;
    const SOFT: IssueRules = IssueRules { life_ms: TOKEN_LIFETIME_MS, invalidate_previous: false };
    const HARD: IssueRules = IssueRules { invalidate_previous: true, ..SOFT };

    fn name(token: &IssuedToken) -> &str {
        &token.value
    }

    #[test]
    fn classic_issues_anew_and_leaves_the_former_five_minutes() {
        let mut tokens = Tokens::default();
        assert_eq!(tokens.classic("a".into(), T, SOFT).expires_in, 7200);
        assert_eq!(name(&tokens.classic("b".into(), T + 60 * S, SOFT)), "b");
        assert_eq!(tokens.status("a", T + 359 * S), Some(TokenStatus::Valid));
        assert_eq!(tokens.status("a", T + 360 * S), Some(TokenStatus::NotLatest));
        assert_eq!(tokens.status("b", T + 7259 * S), Some(TokenStatus::Valid));
        assert_eq!(tokens.status("b", T + 7260 * S), Some(TokenStatus::Expired));
        tokens.classic("c".into(), T + 61 * S, SOFT);
        assert_eq!(tokens.status("a", T + 61 * S), None, "a third token pushes the first out");
    }

    #[test]
    fn stable_stays_the_same_until_its_last_five_minutes() {
        let mut tokens = Tokens::default();
        tokens.stable("a".into(), T, TOKEN_LIFETIME_MS);
        let second = tokens.stable("b".into(), T + 6855 * S, TOKEN_LIFETIME_MS);
        assert_eq!((name(&second), second.expires_in), ("a", 345));
        assert_eq!(tokens.stable("b".into(), T + 6900 * S, TOKEN_LIFETIME_MS).expires_in, 300);
        let rotated = tokens.stable("b".into(), T + 6901 * S, TOKEN_LIFETIME_MS);
        assert_eq!((name(&rotated), rotated.expires_in), ("b", 7200));
        assert_eq!(tokens.status("a", T + 7199 * S), Some(TokenStatus::Valid), "both work");
        assert_eq!(tokens.status("a", T + 7200 * S), Some(TokenStatus::NotLatest));
    }

    #[test]
    fn two_forces_kill_the_leaked_token() {
        let mut tokens = Tokens::default();
        tokens.stable("leaked".into(), T, TOKEN_LIFETIME_MS);
        assert!(tokens.may_force(T, 30 * S));
        assert!(tokens.force_refresh("b".into(), T, SOFT).is_new);
        assert_eq!(tokens.status("leaked", T), Some(TokenStatus::Valid));
        assert!(!tokens.may_force(T + 29 * S, 30 * S) && tokens.may_force(T + 30 * S, 30 * S));
        tokens.force_refresh("c".into(), T + 30 * S, SOFT);
        assert_eq!(tokens.status("leaked", T + 30 * S), None);
        tokens.force_refresh("d".into(), T + 90 * S, HARD);
        assert_eq!(tokens.status("c", T + 90 * S), Some(TokenStatus::NotLatest));
    }

    #[test]
    fn the_channels_do_not_touch_each_other() {
        let mut tokens = Tokens::default();
        tokens.stable("stable".into(), T, TOKEN_LIFETIME_MS);
        tokens.classic("one".into(), T, SOFT);
        tokens.classic("two".into(), T, SOFT);
        tokens.classic("three".into(), T, SOFT);
        assert_eq!(tokens.status("stable", T), Some(TokenStatus::Valid));
        tokens.force_refresh("s2".into(), T, HARD);
        assert_eq!(tokens.status("three", T), Some(TokenStatus::Valid));
    }

    #[test]
    fn early_death_comes_in_two_kinds() {
        let mut tokens = Tokens::default();
        tokens.stable("a".into(), T, TOKEN_LIFETIME_MS);
        tokens.invalidate(TokenInvalidation::StillHandedOut);
        assert_eq!(name(&tokens.stable("b".into(), T, TOKEN_LIFETIME_MS)), "a");
        assert_eq!(tokens.status("a", T), Some(TokenStatus::NotLatest));
        assert!(tokens.force_refresh("b".into(), T, SOFT).is_new);
        assert_eq!(tokens.status("a", T), Some(TokenStatus::NotLatest), "dead stays dead");
        tokens.invalidate(TokenInvalidation::Replaced);
        assert_eq!(name(&tokens.stable("c".into(), T, TOKEN_LIFETIME_MS)), "c");
        assert_eq!(tokens.status("b", T), None);
    }
}
