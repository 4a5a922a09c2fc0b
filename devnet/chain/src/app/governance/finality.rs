//! Parameters of finality, and resuming it (`chain.md` 10.8, 10.9).

use super::{invalid, require, require_authority};
use crate::{
    app::{
        context::{Ctx, parse_account},
        decimal::Dec,
        finality::{records, resume},
    },
    error::{Failure, finality as err, gov, sdk},
};
use btc_staking_babylon::proto::finality::{MsgResumeFinalityProposal, MsgUpdateParams, Params};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use std::collections::BTreeSet;

/// Replaces the parameters.
pub(crate) fn update_finality_params(ctx: &mut Ctx<'_, '_>, msg: &MsgUpdateParams) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let params = msg.params.clone().unwrap_or_default();
    check(&params).map_err(invalid)?;
    records::set_params(ctx.state, &params)
}

fn check(params: &Params) -> Result<(), String> {
    require(&[
        (params.max_active_finality_providers > 0, "max finality providers must be positive"),
        (params.signed_blocks_window > 0, "signed blocks window must be positive"),
        (params.finality_sig_timeout > 0, "finality vote delay must be positive"),
    ])?;
    check_share(&params.min_signed_per_window)?;
    require(&[(params.min_pub_rand > 0, "min Pub Rand cannot be 0")])
}

fn check_share(share: &[u8]) -> Result<(), String> {
    let share = Dec::parse(&String::from_utf8_lossy(share));
    let share = share.ok_or("min signed per window cannot be nil")?;
    require(&[
        (!share.is_negative(), "min signed per window cannot be negative"),
        (share <= Dec::ONE, "min signed per window too large"),
    ])
}

/// Stateless form of a resumption.
pub(crate) fn check_resume(msg: &MsgResumeFinalityProposal) -> Result<(), Failure> {
    parse_account(&msg.authority).map_err(|_| {
        sdk::INVALID_ADDRESS.because(format!("invalid authority address ({})", msg.authority))
    })?;
    if msg.halting_height == 0 {
        return Err(err::INVALID_RESUME.because("halting height is zero"));
    }
    if msg.fp_pks_hex.is_empty() {
        return Err(err::INVALID_RESUME.because("no fp pk hex set"));
    }
    let mut seen = BTreeSet::new();
    for text in &msg.fp_pks_hex {
        if hex::decode(text).map_or(true, |key| key.len() != 32) {
            return Err(
                err::INVALID_RESUME.because(format!("failed to parse FP BTC PK Hex ({text}) into BIP-340"))
            );
        }
        if !seen.insert(text) {
            return Err(err::INVALID_RESUME.because(format!("duplicated FP BTC PK Hex ({text})")));
        }
    }
    Ok(())
}

/// Jails the named finality providers and takes their power back to where finality halted.
pub(crate) fn resume_finality(ctx: &mut Ctx<'_, '_>, msg: &MsgResumeFinalityProposal) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let keys = msg.fp_pks_hex.iter().map(|text| {
        let unknown = |_| unable(format!("failed to find the finality provider {text} in btcstaking"));
        text.parse::<FinalityProviderPublicKey>().map_err(unknown)
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    resume::resume(ctx, &keys, u64::from(msg.halting_height)).map_err(in_proposal)
}

fn unable(why: impl std::fmt::Display) -> Failure {
    gov::INVALID_MESSAGE.because(format!("failed to handle resume finality proposal: {why}"))
}

/// Refusals of other rules become the proposal's; a crash stays one, and so does running out of gas.
fn in_proposal(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) if refusal.ends_transaction() => Failure::Refused(refusal),
        Failure::Refused(refusal) => unable(refusal.log),
        Failure::Broken(broken) => broken.into(),
    }
}
