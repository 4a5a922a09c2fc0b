//! From a message to the module that handles it.

use super::{bank, context::Ctx, light_client};
use crate::{error::Failure, wire::messages::Msg};

/// What a handler answers: the encoded response message.
pub(crate) type Response = Vec<u8>;

/// Stateless checks of a message (ValidateBasic), before anything is charged.
pub(crate) fn check_message(msg: &Msg) -> Result<(), Failure> {
    match msg {
        Msg::Send(msg) => bank::check_send(msg),
        Msg::InsertHeaders(msg) => light_client::check_insert_headers(msg),
        _ => Ok(()),
    }
}

/// Checks of a message that run in the mempool and in simulation but not in blocks.
pub(crate) fn check_outside_blocks(ctx: &Ctx<'_, '_>, msg: &Msg) -> Result<(), Failure> {
    match msg {
        Msg::InsertHeaders(msg) => light_client::check_work(ctx, msg),
        _ => Ok(()),
    }
}

/// Runs a message.
pub(crate) fn execute(ctx: &mut Ctx<'_, '_>, msg: &Msg) -> Result<Response, Failure> {
    match msg {
        Msg::Send(msg) => bank::send(ctx, msg)?,
        Msg::InsertHeaders(msg) => light_client::insert_headers(ctx, msg)?,
        _ => return Err(crate::error::sdk::UNKNOWN_REQUEST.bare()),
    }
    Ok(Response::new())
}
