//! Who may report Bitcoin headers (`chain.md` 2.1).

use super::{invalid, require_authority};
use crate::{
    app::{
        context::{Ctx, parse_account},
        light_client,
    },
    error::Failure,
};
use btc_staking_babylon::proto::btclightclient::MsgUpdateParams;

/// Replaces the allow list; an empty one lets everybody report.
pub(crate) fn update_light_client_params(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgUpdateParams,
) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let reporters = msg.params.clone().unwrap_or_default().insert_headers_allow_list;
    if reporters.iter().any(|reporter| parse_account(reporter).is_err()) {
        return Err(invalid("invalid address"));
    }
    light_client::set_allow_list(ctx.state, reporters)
}
