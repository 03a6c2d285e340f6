//! The pages, served from inside the program.

use crate::Door;
use axum::Router;

pub(crate) fn routes() -> Router<Door> {
    Router::new()
}
