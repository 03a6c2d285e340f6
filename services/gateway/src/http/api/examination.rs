//! Examination of the deployment, for managers of every site.

use crate::http::access::Owner;
use crate::http::examinations::ExaminationView;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::Problem;
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/api/v1/examination",
            show,
            endpoint(
                "examination",
                "Shows the newest examination by the doctor, and begins one if it is old",
            ),
        )
        .post(
            "/api/v1/examination",
            begin,
            endpoint("begin_examination", "Begins an examination, unless one is under way")
                .without_idempotency_key("a repeat finds the examination under way"),
        )
}

async fn show(State(state): State<AppState>, _: Owner) -> Result<Json<ExaminationView>, Problem> {
    Ok(Json(state.examinations.look()))
}

async fn begin(State(state): State<AppState>, _: Owner) -> Result<Json<ExaminationView>, Problem> {
    Ok(Json(state.examinations.begin()))
}
