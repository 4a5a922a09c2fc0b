//! The daemon's end of the control socket.

use super::{Answer, CannotDo, Errand, Resumed, errand::choose_key, socket_path};
use crate::{
    chains::{ChainSeat, Shared},
    status::Report,
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use btc_staking_daemon::{
    cli::{Exit, Failure},
    tasks::{Stop, Supervisor, TaskError},
};
use btc_staking_eots_manager::channel::{DoorError, unix::OwnersSocket};
use std::{path::Path, sync::Arc};

/// What the socket acts on.
pub struct Control {
    /// Every chain of the process.
    pub seats: Vec<Arc<ChainSeat>>,
    /// What they share.
    pub shared: Shared,
}

/// Binds the socket of a data directory whose lock this process holds.
///
/// # Errors
/// [`DoorError`], also when the path is too long for a socket: 107 bytes at most.
pub fn bind(data_dir: &Path) -> Result<OwnersSocket, DoorError> {
    OwnersSocket::bind(socket_path(data_dir))
}

impl Control {
    /// Answers on a bound socket as a task of the process.
    pub fn spawn(self, socket: OwnersSocket, supervisor: &mut Supervisor) {
        let control = Arc::new(self);
        let path = socket.path().to_owned();
        let mut bound = Some(socket);
        supervisor.spawn("control", move |stop| {
            let (bound, path, control) = (bound.take(), path.clone(), Arc::clone(&control));
            async move {
                let socket = match bound {
                    Some(socket) => socket,
                    // An earlier run failed and took its socket along.
                    None => OwnersSocket::bind(path)?,
                };
                serve(socket, control, stop).await
            }
        });
    }

    async fn errand(&self, errand: Errand) -> Result<Answer, CannotDo> {
        let seat = self.seat(errand.chain.as_deref())?;
        let key = choose_key(errand.key, seat.keys())?;
        let link = seat.link().ok_or_else(|| CannotDo::NotConnected(seat.plan().id.to_string()))?;
        seat.place(key, &link).perform(errand.action).await
    }

    fn seat(&self, asked: Option<&str>) -> Result<&ChainSeat, CannotDo> {
        let known = || self.seats.iter().map(|seat| seat.plan().id.to_string()).collect();
        match (asked, self.seats.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(CannotDo::WhichChain(known())),
            (Some(asked), seats) => {
                let found = seats.iter().find(|seat| seat.plan().id.as_str() == asked);
                let found = found.map(AsRef::as_ref);
                found.ok_or_else(|| CannotDo::NoSuchChain { asked: asked.to_owned(), known: known() })
            }
        }
    }
}

async fn serve(socket: OwnersSocket, control: Arc<Control>, mut stop: Stop) -> Result<(), TaskError> {
    let router = Router::new()
        .route("/errand", post(run_errand))
        .route("/resume", post(resume))
        .route("/status", get(status))
        .with_state(control);
    let until = async move { stop.stopped().await };
    Ok(axum::serve(socket, router).with_graceful_shutdown(until).await?)
}

async fn run_errand(State(control): State<Arc<Control>>, Json(errand): Json<Errand>) -> Response {
    let chain = errand.chain.clone();
    let outcome = control.errand(errand.clone()).await;
    match outcome {
        Ok(answer) => {
            tracing::info!(?chain, action = ?errand.action, %answer, "done for the operator");
            Json(answer).into_response()
        }
        Err(error) => {
            tracing::warn!(?chain, action = ?errand.action, %error, "not done for the operator");
            refuse(&error.into_failure())
        }
    }
}

async fn resume(State(control): State<Arc<Control>>) -> Response {
    match control.shared.brake.release() {
        Ok(other_signer) => {
            tracing::warn!(
                ?other_signer,
                "the operator says that the other signer is stopped; signing goes on"
            );
            Json(Resumed { other_signer }).into_response()
        }
        Err(error) => refuse(&error.into()),
    }
}

async fn status(State(control): State<Arc<Control>>) -> Json<Report> {
    Json(control.shared.board.report(control.shared.clock.since_epoch().as_secs()))
}

fn refuse(failure: &Failure) -> Response {
    let status = match failure.exit {
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::Refused => StatusCode::FORBIDDEN,
        Exit::NotReady => StatusCode::CONFLICT,
        Exit::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        Exit::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        Exit::Done | Exit::Failure | Exit::Declined | Exit::Locked | Exit::Partial | Exit::Bug => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, Json(failure.to_json())).into_response()
}
