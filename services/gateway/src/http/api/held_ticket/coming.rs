//! Condition of the word of a holder that they are on the way.

use crate::http::state::AppState;
use paihao_contracts::commit::COMING_GENERATION;

/// Returns whether a holder's word that they are coming may be stored.
pub(super) fn may_come(state: &AppState) -> bool {
    state.settings.write_version.allows(COMING_GENERATION)
}
