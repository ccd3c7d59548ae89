//! The admin API's part about sessions; only on the Unix socket.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::json;

use crate::control::Control;
use crate::sessions::{FilterView, Listing, QuestionView, Unanswered};

/// How much of a long answer a connection has got.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(pub(super) Arc<AtomicU64>);

type Question = Result<Json<QuestionView>, JsonRejection>;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/sessions", get(list))
        .route("/sessions/show", post(show))
        .route("/sessions/delete", post(delete))
        .route("/sessions/move", post(relocate))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn list(
    State(control): State<Arc<Control>>,
    progress: Option<Extension<Progress>>,
    filter: Result<Query<FilterView>, QueryRejection>,
) -> Response {
    let Ok(Query(filter)) = filter else { return refused(&invalid()) };
    let progress = progress.map(|Extension(progress)| progress).unwrap_or_default();
    match Listing::new(control.directory(), &filter, progress.0) {
        Ok(listing) => ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(listing)).into_response(),
        Err(error) => refused(&error),
    }
}

async fn show(State(control): State<Arc<Control>>, question: Question) -> Response {
    // What was wrong is not repeated: it may be a part of a cookie.
    let Ok(Json(QuestionView { what: Some(what), .. })) = question else { return refused(&invalid()) };
    answer(control.directory().show(&what).await)
}

async fn delete(State(control): State<Arc<Control>>, question: Question) -> Response {
    let Ok(Json(question)) = question else { return refused(&invalid()) };
    answer(control.directory().delete(&question).await)
}

async fn relocate(State(control): State<Arc<Control>>, question: Question) -> Response {
    let Ok(Json(question)) = question else { return refused(&invalid()) };
    answer(control.directory().move_sessions(&question).await)
}

fn answer<T: serde::Serialize>(result: Result<T, Unanswered>) -> Response {
    match result {
        Ok(view) => Json(view).into_response(),
        Err(error) => refused(&error),
    }
}

fn invalid() -> Unanswered {
    Unanswered::Invalid(format!("the question is not understood, or longer than {BODY_BYTES_MAX} bytes"))
}

fn refused(error: &Unanswered) -> Response {
    let status = match error {
        Unanswered::Unknown(_) => StatusCode::NOT_FOUND,
        Unanswered::Invalid(_) => StatusCode::BAD_REQUEST,
        Unanswered::Impossible(_) => StatusCode::CONFLICT,
    };
    (status, Json(json!({ "error": error.to_string() }))).into_response()
}

/// limit: bytes of a question; a cookie's value has no more than a listener's limit of a field.
const BODY_BYTES_MAX: usize = 64 * 1024;
