//! Selective slashing: somebody shows a finality provider's secret key (`chain.md` 7).

use super::{events, provider};
use crate::{
    app::context::{Ctx, parse_account},
    error::{Failure, plain},
};
use btc_staking_babylon::proto::btcstaking::MsgSelectiveSlashingEvidence;
use btc_staking_crypto::key::SigningKey;
use btc_staking_protocol::keys::FinalityProviderPublicKey;

/// Stateless form.
pub(crate) fn check_selective_slashing(msg: &MsgSelectiveSlashingEvidence) -> Result<(), Failure> {
    parse_account(&msg.signer)?;
    key_of(msg).map(|_| ())
}

fn key_of(msg: &MsgSelectiveSlashingEvidence) -> Result<FinalityProviderPublicKey, Failure> {
    let secret = SigningKey::from_slice(&msg.recovered_fp_btc_sk)
        .map_err(|err| plain(format!("malformed BTC SK: {err}")))?;
    Ok(FinalityProviderPublicKey::new(*secret.public_key()))
}

/// Slashes the finality provider whose key is shown.
pub(crate) fn selective_slashing(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgSelectiveSlashingEvidence,
) -> Result<(), Failure> {
    let key = key_of(msg)?;
    provider::slash(ctx, &key)?;
    ctx.emit(events::selective_slashing(&key, &msg.recovered_fp_btc_sk));
    ctx.mark_refundable();
    Ok(())
}
