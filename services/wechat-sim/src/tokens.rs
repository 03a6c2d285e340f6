//! The access tokens of one account: two channels, each with a current and a former token.

/// A token works this long after a newer one was issued on its channel.
const OVERLAP_MS: u64 = 5 * 60 * 1000;
/// What a new token lives unless the simulator is told otherwise.
#[cfg(test)]
const LIFE_MS: u64 = 7200 * 1000;
/// The stable channel issues a new token when less than this is left of the current one.
const ROTATES_AT_MS: u64 = 5 * 60 * 1000;

#[derive(Debug, Clone)]
struct Token {
    value: String,
    expires_ms: u64,
    dead: bool,
}

/// What a channel is told when it issues a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// What the new token lives.
    pub(crate) life_ms: u64,
    /// Whether the former token dies at once.
    pub(crate) kills_former: bool,
}

#[derive(Debug, Default)]
struct Channel {
    current: Option<Token>,
    /// With the moment its overlap ends.
    former: Option<(Token, u64)>,
}

/// What `token` and `stable_token` answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) value: String,
    /// Seconds left.
    pub(crate) expires_in: u64,
    pub(crate) is_new: bool,
}

/// What an API call learns about the token it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Expired,
    NotLatest,
}

/// How a token dies before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyDeath {
    /// As if somebody else had forced a refresh: asking again gives a new token.
    Replaced,
    /// It is refused although it is still handed out; only a forced refresh helps.
    StillHandedOut,
}

/// Pure: told the time, and given fresh values by its caller.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    classic: Channel,
    stable: Channel,
    forced_at_ms: Option<u64>,
}

impl Channel {
    fn issue(&mut self, value: String, now: u64, rules: Rules) -> Granted {
        let former_dies_at = if rules.kills_former { now } else { now + OVERLAP_MS };
        let expires_ms = now + rules.life_ms;
        let token = Token { value: value.clone(), expires_ms, dead: false };
        self.former = self.current.replace(token).map(|old| (old, former_dies_at));
        Granted { value, expires_in: rules.life_ms / 1000, is_new: true }
    }

    fn standing(&self, value: &str, now: u64) -> Option<Standing> {
        if let Some(token) = self.current.as_ref().filter(|token| token.value == value) {
            return Some(match token {
                Token { dead: true, .. } => Standing::NotLatest,
                Token { expires_ms, .. } if *expires_ms <= now => Standing::Expired,
                _ => Standing::Good,
            });
        }
        let (token, dies_at) = self.former.as_ref().filter(|(token, _)| token.value == value)?;
        let good = !token.dead && now < (*dies_at).min(token.expires_ms);
        Some(if good { Standing::Good } else { Standing::NotLatest })
    }

    fn kill(&mut self) {
        self.current.iter_mut().for_each(|token| token.dead = true);
        self.former = None;
    }
}

impl Tokens {
    /// The classic channel: a new token each time.
    pub(crate) fn classic(&mut self, value: String, now: u64, rules: Rules) -> Granted {
        self.classic.issue(value, now, rules)
    }

    /// The stable channel in normal mode: the current token until its last five minutes.
    pub(crate) fn stable(&mut self, value: String, now: u64, life_ms: u64) -> Granted {
        if let Some(token) = &self.stable.current {
            let left = token.expires_ms.saturating_sub(now);
            if left >= ROTATES_AT_MS {
                let value = token.value.clone();
                return Granted { value, expires_in: left / 1000, is_new: false };
            }
        }
        self.stable.issue(value, now, Rules { life_ms, kills_former: false })
    }

    /// Whether the last force is at least `gap_ms` ago.
    pub(crate) fn may_force(&self, now: u64, gap_ms: u64) -> bool {
        self.forced_at_ms.is_none_or(|at| now >= at + gap_ms)
    }

    /// The stable channel in force mode: a new token.
    pub(crate) fn forced(&mut self, value: String, now: u64, rules: Rules) -> Granted {
        self.forced_at_ms = Some(now);
        self.stable.issue(value, now, rules)
    }

    /// Whether a token may be used, or `None` when it was never this account's, or is forgotten.
    pub(crate) fn standing(&self, value: &str, now: u64) -> Option<Standing> {
        self.stable.standing(value, now).or_else(|| self.classic.standing(value, now))
    }

    /// Every token that works now dies.
    pub(crate) fn kill(&mut self, how: EarlyDeath) {
        self.classic.kill();
        self.stable.kill();
        if how == EarlyDeath::Replaced {
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
    const SOFT: Rules = Rules { life_ms: LIFE_MS, kills_former: false };
    const HARD: Rules = Rules { kills_former: true, ..SOFT };

    fn name(granted: &Granted) -> &str {
        &granted.value
    }

    #[test]
    fn classic_issues_anew_and_leaves_the_former_five_minutes() {
        let mut tokens = Tokens::default();
        assert_eq!(tokens.classic("a".into(), T, SOFT).expires_in, 7200);
        assert_eq!(name(&tokens.classic("b".into(), T + 60 * S, SOFT)), "b");
        assert_eq!(tokens.standing("a", T + 359 * S), Some(Standing::Good));
        assert_eq!(tokens.standing("a", T + 360 * S), Some(Standing::NotLatest));
        assert_eq!(tokens.standing("b", T + 7259 * S), Some(Standing::Good));
        assert_eq!(tokens.standing("b", T + 7260 * S), Some(Standing::Expired));
        tokens.classic("c".into(), T + 61 * S, SOFT);
        assert_eq!(tokens.standing("a", T + 61 * S), None, "a third token pushes the first out");
    }

    #[test]
    fn stable_stays_the_same_until_its_last_five_minutes() {
        let mut tokens = Tokens::default();
        tokens.stable("a".into(), T, LIFE_MS);
        let again = tokens.stable("b".into(), T + 6855 * S, LIFE_MS);
        assert_eq!((name(&again), again.expires_in), ("a", 345));
        assert_eq!(tokens.stable("b".into(), T + 6900 * S, LIFE_MS).expires_in, 300);
        let rotated = tokens.stable("b".into(), T + 6901 * S, LIFE_MS);
        assert_eq!((name(&rotated), rotated.expires_in), ("b", 7200));
        assert_eq!(tokens.standing("a", T + 7199 * S), Some(Standing::Good), "both work");
        assert_eq!(tokens.standing("a", T + 7200 * S), Some(Standing::NotLatest));
    }

    #[test]
    fn two_forces_kill_the_leaked_token() {
        let mut tokens = Tokens::default();
        tokens.stable("leaked".into(), T, LIFE_MS);
        assert!(tokens.may_force(T, 30 * S));
        assert!(tokens.forced("b".into(), T, SOFT).is_new);
        assert_eq!(tokens.standing("leaked", T), Some(Standing::Good));
        assert!(!tokens.may_force(T + 29 * S, 30 * S) && tokens.may_force(T + 30 * S, 30 * S));
        tokens.forced("c".into(), T + 30 * S, SOFT);
        assert_eq!(tokens.standing("leaked", T + 30 * S), None);
        tokens.forced("d".into(), T + 90 * S, HARD);
        assert_eq!(tokens.standing("c", T + 90 * S), Some(Standing::NotLatest));
    }

    #[test]
    fn the_channels_do_not_touch_each_other() {
        let mut tokens = Tokens::default();
        tokens.stable("stable".into(), T, LIFE_MS);
        tokens.classic("one".into(), T, SOFT);
        tokens.classic("two".into(), T, SOFT);
        tokens.classic("three".into(), T, SOFT);
        assert_eq!(tokens.standing("stable", T), Some(Standing::Good));
        tokens.forced("s2".into(), T, HARD);
        assert_eq!(tokens.standing("three", T), Some(Standing::Good));
    }

    #[test]
    fn early_death_comes_in_two_kinds() {
        let mut tokens = Tokens::default();
        tokens.stable("a".into(), T, LIFE_MS);
        tokens.kill(EarlyDeath::StillHandedOut);
        assert_eq!(name(&tokens.stable("b".into(), T, LIFE_MS)), "a");
        assert_eq!(tokens.standing("a", T), Some(Standing::NotLatest));
        assert!(tokens.forced("b".into(), T, SOFT).is_new);
        assert_eq!(tokens.standing("a", T), Some(Standing::NotLatest), "dead stays dead");
        tokens.kill(EarlyDeath::Replaced);
        assert_eq!(name(&tokens.stable("c".into(), T, LIFE_MS)), "c");
        assert_eq!(tokens.standing("b", T), None);
    }
}
