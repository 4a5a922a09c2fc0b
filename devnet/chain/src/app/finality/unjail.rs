//! Leaving jail (`chain.md` 10.7).

use super::records::SIGNING_INFO;
use crate::{
    app::{
        context::{BlockTime, Ctx, parse_account},
        light_client,
        staking::{
            power_events::{self, PowerEvent},
            provider::is_slashed,
            records::PROVIDERS,
        },
    },
    error::{Failure, btcstaking, finality as err, panicked, plain},
};
use btc_staking_babylon::proto::finality::MsgUnjailFinalityProvider;
use btc_staking_protocol::keys::FinalityProviderPublicKey;

/// Stateless form.
pub(crate) fn check_unjail(msg: &MsgUnjailFinalityProvider) -> Result<(), Failure> {
    parse_account(&msg.signer).map(|_| ())
}

/// Rows 1 to 6.
pub(crate) fn unjail(ctx: &mut Ctx<'_, '_>, msg: &MsgUnjailFinalityProvider) -> Result<(), Failure> {
    if msg.fp_btc_pk.is_empty() {
        // Nobody in the reference looks before the handler reads the key.
        return Err(panicked("finality provider key is absent"));
    }
    let not_found =
        || btcstaking::FP_NOT_FOUND.lost(format!("finality provider {}", hex::encode(&msg.fp_btc_pk)));
    let key = FinalityProviderPublicKey::from_slice(&msg.fp_btc_pk).map_err(|_| not_found())?;
    let mut record = PROVIDERS.get(ctx.state, &key)?.ok_or_else(not_found)?;
    if record.addr != parse_account(&msg.signer)?.bech32() {
        return Err(plain(format!(
            "the fp's address {} does not match the signer {}",
            record.addr, msg.signer
        )));
    }
    if !record.jailed {
        return Err(btcstaking::FP_NOT_JAILED.because(format!("finality provider {key}")));
    }
    let info = SIGNING_INFO.get(ctx.state, &key)?.ok_or_else(|| plain("failed to get signing info"))?;
    let until = info.jailed_until.as_ref().map_or(BlockTime::EPOCH, BlockTime::from_proto);
    if ctx.block.time <= until {
        return Err(err::JAILING_NOT_PASSED.bare());
    }
    if is_slashed(&record) {
        return Err(btcstaking::FP_ALREADY_SLASHED.lost(format!("finality provider {key}")));
    }
    record.jailed = false;
    PROVIDERS.put(ctx.state, &key, &record)?;
    let tip = light_client::tip_height(ctx.state)?;
    power_events::record(ctx.state, tip, PowerEvent::Unjailed(key))
}
