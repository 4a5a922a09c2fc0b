//! Signatures of the covenant committee (`chain.md` 6.9).

use super::{
    events,
    inclusion::parse_txid,
    power_events::{self, PowerEvent},
    records::{Stake, corrupt},
    status,
};
use crate::{
    app::{
        context::{Ctx, parse_account},
        light_client,
    },
    error::{Failure, btcstaking as err, plain, with_sources},
};
use bitcoin::{TxOut, consensus, secp256k1::schnorr};
use btc_staking_babylon::proto::btcstaking::{
    BTCDelegationStatus, CovenantAdaptorSignatures, MsgAddCovenantSigs, SignatureInfo,
};
use btc_staking_crypto::adaptor::AdaptorSignature;
use btc_staking_protocol::{
    delegation::{CovenantSignatureRefusal, CovenantSignatureSet},
    keys::CovenantPublicKey,
};

/// Row 1.
pub(crate) fn check_add_covenant_sigs(msg: &MsgAddCovenantSigs) -> Result<(), Failure> {
    parse_account(&msg.signer)?;
    CovenantPublicKey::from_slice(&msg.pk).map_err(plain)?;
    if msg.slashing_tx_sigs.is_empty() {
        return Err(plain("empty covenant signatures on slashing tx"));
    }
    parse_txid(&msg.staking_tx_hash)?;
    if parse_schnorr(&msg.unbonding_tx_sig).is_none() {
        return Err(plain("invalid covenant signature on unbonding tx"));
    }
    if msg.slashing_unbonding_tx_sigs.is_empty() {
        return Err(plain("empty covenant signatures on slashing unbonding tx"));
    }
    Ok(())
}

/// A BIP-340 signature of 64 bytes whose `r` is a field element.
pub(super) fn parse_schnorr(bytes: &[u8]) -> Option<schnorr::Signature> {
    const FIELD_PRIME: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfc, 0x2f,
    ];
    let signature = schnorr::Signature::from_slice(bytes).ok()?;
    (bytes[..32] < FIELD_PRIME[..]).then_some(signature)
}

/// Rows 2 to 12, and what follows.
pub(crate) fn add_covenant_sigs(ctx: &mut Ctx<'_, '_>, msg: &MsgAddCovenantSigs) -> Result<(), Failure> {
    let mut stake = Stake::load(ctx.state, &parse_txid(&msg.staking_tx_hash)?)?;
    let member = CovenantPublicKey::from_slice(&msg.pk).map_err(plain)?;
    let params = stake.params(ctx.state)?;
    if !params.covenant_committee.contains(&member) {
        return Err(err::INVALID_COVENANT_PK.because(format!("covenant pk {member} is not in the params")));
    }
    if has_signed(&stake, &member)? {
        return Err(err::DUPLICATED_COVENANT_SIG.because(format!("covenant pk {member}")));
    }
    check_open(ctx, &stake)?;
    let set = parse_set(&stake, member, msg)?;
    verify(ctx, &stake, &set)?;
    let had_quorum = status::has_quorum(ctx.state, &stake.record)?;
    append(&mut stake, &set);
    stake.save(ctx.state)?;
    let expansion = set.expansion.map(|signature| signature.serialize().to_vec()).unwrap_or_default();
    ctx.emit(events::covenant_signature(stake.txid, &msg.pk, &msg.unbonding_tx_sig, &expansion));
    if !had_quorum && status::has_quorum(ctx.state, &stake.record)? {
        announce_quorum(ctx, &stake)?;
    }
    ctx.mark_refundable();
    Ok(())
}

fn has_signed(stake: &Stake, member: &CovenantPublicKey) -> Result<bool, Failure> {
    let key = member.to_bytes();
    let slashing = stake.record.covenant_sigs.iter().any(|list| list.cov_pk == key);
    let undelegation = stake.undelegation()?;
    let unbonding = undelegation.covenant_unbonding_sig_list.iter().any(|info| info.pk == key)
        && undelegation.covenant_slashing_sigs.iter().any(|list| list.cov_pk == key);
    Ok(slashing && unbonding)
}

/// Row 5. Without quorum a proven delegation is pending even past its expiry and still takes signatures.
fn check_open(ctx: &Ctx<'_, '_>, stake: &Stake) -> Result<(), Failure> {
    let tip = light_client::tip_height(ctx.state)?;
    match status::status(ctx.state, &stake.record, tip)? {
        BTCDelegationStatus::Unbonded | BTCDelegationStatus::Expired => {
            Err(err::INVALID_COVENANT_SIG.because("the BTC delegation is already unbonded"))
        }
        BTCDelegationStatus::Pending
        | BTCDelegationStatus::Verified
        | BTCDelegationStatus::Active
        | BTCDelegationStatus::Any => Ok(()),
    }
}

fn parse_set(
    stake: &Stake,
    covenant: CovenantPublicKey,
    msg: &MsgAddCovenantSigs,
) -> Result<CovenantSignatureSet, Failure> {
    let invalid = |why: String| err::INVALID_COVENANT_SIG.because(why);
    let adaptors = |list: &[Vec<u8>]| -> Result<Vec<AdaptorSignature>, Failure> {
        let parsed = list.iter().map(|bytes| AdaptorSignature::from_slice(bytes));
        parsed.collect::<Result<_, _>>().map_err(|refused| invalid(refused.to_string()))
    };
    let schnorr = |bytes: &[u8]| parse_schnorr(bytes).ok_or_else(|| invalid("malformed signature".into()));
    Ok(CovenantSignatureSet {
        covenant,
        staking_txid: stake.txid,
        slashing: adaptors(&msg.slashing_tx_sigs)?,
        unbonding: schnorr(&msg.unbonding_tx_sig)?,
        unbonding_slashing: adaptors(&msg.slashing_unbonding_tx_sigs)?,
        // Present with length 0 is present, and wrong either way.
        expansion: msg.stake_expansion_tx_sig.as_deref().map(schnorr).transpose()?,
    })
}

/// Rows 6 to 12.
fn verify(ctx: &Ctx<'_, '_>, stake: &Stake, set: &CovenantSignatureSet) -> Result<(), Failure> {
    let checked = stake.checked(&stake.params(ctx.state)?)?;
    let refused = |refusal: &dyn std::error::Error| err::INVALID_COVENANT_SIG.because(with_sources(refusal));
    let (Some(previous), Some(expansion)) = (stake.previous()?, &stake.record.stk_exp) else {
        return checked.verify_covenant(set).map_err(|refusal| refused(&refusal));
    };
    let parent = Stake::find(ctx.state, &previous)?.ok_or_else(|| corrupt("expansion without parent"))?;
    let version = parent.record.params_version;
    let parent = parent.checked(&parent.params(ctx.state)?)?;
    let funding: TxOut = consensus::deserialize(&expansion.other_funding_tx_out).map_err(corrupt)?;
    // Staker keys are compared at registration, under the rules that compare them (6.8 row 12), not here.
    let pair =
        checked.check_expansion_by_any_staker(&parent, &funding).map_err(|refusal| refused(&refusal))?;
    pair.verify_covenant(set).map_err(|refusal| match refusal {
        // The member is one of the child's committee. Clients tell this case by its words.
        CovenantSignatureRefusal::NotAMember(member) => err::INVALID_COVENANT_SIG.because(format!(
            "covenant with pk {member} was not a member at params (version {version}) of the previous delegation"
        )),
        refusal => refused(&refusal),
    })
}

fn append(stake: &mut Stake, set: &CovenantSignatureSet) {
    let key = set.covenant.to_bytes().to_vec();
    let list = |signatures: &[AdaptorSignature]| CovenantAdaptorSignatures {
        cov_pk: key.clone(),
        adaptor_sigs: signatures.iter().map(|signature| signature.to_bytes().to_vec()).collect(),
    };
    let info = |signature: &schnorr::Signature| SignatureInfo {
        pk: key.clone(),
        sig: signature.serialize().to_vec(),
    };
    stake.record.covenant_sigs.push(list(&set.slashing));
    let undelegation = stake.undelegation_mut();
    undelegation.covenant_unbonding_sig_list.push(info(&set.unbonding));
    undelegation.covenant_slashing_sigs.push(list(&set.unbonding_slashing));
    if let (Some(expansion), Some(signature)) = (&mut stake.record.stk_exp, &set.expansion) {
        expansion.previous_stk_covenant_sigs.push(info(signature));
    }
}

fn announce_quorum(ctx: &mut Ctx<'_, '_>, stake: &Stake) -> Result<(), Failure> {
    if !status::has_proof(&stake.record) {
        ctx.emit(events::quorum_reached(stake.txid, BTCDelegationStatus::Verified));
        return Ok(());
    }
    ctx.emit(events::quorum_reached(stake.txid, BTCDelegationStatus::Active));
    let tip = light_client::tip_height(ctx.state)?;
    power_events::record(ctx.state, tip, PowerEvent::Active(stake.txid))
}
