//! Fee grants: who may pay fees out of somebody else's account (`chain.md` 12).
//!
//! The basic allowance of the SDK: as much as the limit, or without one, until it expires. Periodic allowances and those
//! for some messages only are types this chain does not know (`sdk/2`). A fee that is refunded cannot be granted; that
//! is looked at in the ante checks.

use super::{
    auth, bank,
    context::{BlockTime, Ctx, parse_account},
};
use crate::{
    error::{Failure, feegrant as err, sdk},
    event::Event,
    state::{Order, State, Table},
};
use btc_staking_babylon::proto::Timestamp;
use cosmrs::proto::cosmos::feegrant::v1beta1::{BasicAllowance, MsgGrantAllowance, MsgRevokeAllowance};
use prost::{Message, Name};

/// Granter and grantee.
type Pair = (Vec<u8>, Vec<u8>);

/// What a granter allows a grantee.
#[derive(Clone, PartialEq, Message)]
struct Grant {
    /// ubbn that are left; absent without a limit.
    #[prost(uint64, optional, tag = "1")]
    limit: Option<u64>,
    #[prost(message, optional, tag = "2")]
    expiration: Option<Timestamp>,
}

const GRANTS: Table<Pair, Grant> = Table::new("gg");
/// Grants by seconds and nanoseconds of their expiration.
const BY_EXPIRATION: Table<((u64, u32), Pair), ()> = Table::new("gx");
/// Expired grants removed in one block at most.
const MAX_PRUNED: usize = 200;

/// Checks that the allowance is of a type the chain knows.
///
/// # Errors
/// `sdk/2`, since the reference cannot decode others.
pub(crate) fn check_grant(msg: &MsgGrantAllowance) -> Result<(), Failure> {
    match &msg.allowance {
        Some(any) if any.type_url != BasicAllowance::type_url() => {
            Err(sdk::TX_DECODE.because(format!("{} is no allowance", any.type_url)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Grants an allowance.
pub(crate) fn grant(ctx: &mut Ctx<'_, '_>, msg: &MsgGrantAllowance) -> Result<(), Failure> {
    if msg.granter.eq_ignore_ascii_case(&msg.grantee) {
        return Err(sdk::INVALID_ADDRESS.because("cannot self-grant fee authorization"));
    }
    let pair = pair(&msg.granter, &msg.grantee)?;
    if GRANTS.has(ctx.state, &pair)? {
        return Err(sdk::INVALID_REQUEST.because("fee allowance already exists"));
    }
    let grant = allowance(msg)?;
    if auth::ACCOUNTS.get(ctx.state, &pair.1)?.is_none() {
        if bank::is_blocked(&pair.1) {
            return Err(sdk::UNAUTHORIZED.because(format!("{} is not allowed to receive funds", msg.grantee)));
        }
        auth::ensure_account(ctx.state, &pair.1)?;
    }
    if grant.expires_before(ctx.block.time) {
        return Err(sdk::INVALID_REQUEST.because("expiration is before current block time"));
    }
    if let Some(key) = grant.expiration_key() {
        BY_EXPIRATION.put(ctx.state, &(key, pair.clone()), &())?;
    }
    GRANTS.put(ctx.state, &pair, &grant)?;
    emit(ctx, "set_feegrant", &pair);
    Ok(())
}

/// Takes an allowance back.
pub(crate) fn revoke(ctx: &mut Ctx<'_, '_>, msg: &MsgRevokeAllowance) -> Result<(), Failure> {
    if msg.granter == msg.grantee {
        return Err(sdk::INVALID_ADDRESS.because("addresses must be different"));
    }
    let pair = pair(&msg.granter, &msg.grantee)?;
    let grant = find(ctx.state, &pair)?;
    remove(ctx, &pair, &grant)
}

/// Uses an allowance for a fee.
///
/// # Errors
/// `sdk/38` without one, `feegrant/2` above the limit, `feegrant/3` after its time.
pub(crate) fn spend(ctx: &mut Ctx<'_, '_>, granter: &str, grantee: &str, fee: u64) -> Result<(), Failure> {
    let pair = pair(granter, grantee)?;
    let mut grant = find(ctx.state, &pair)?;
    if grant.expires_before(ctx.block.time) {
        return Err(err::EXPIRED.because("basic allowance"));
    }
    if let Some(limit) = grant.limit {
        let left = limit.checked_sub(fee).ok_or_else(|| err::EXCEEDED.because("basic allowance"))?;
        grant.limit = Some(left);
    }
    if grant.limit == Some(0) {
        remove(ctx, &pair, &grant)?;
        emit(ctx, "use_feegrant", &pair);
        return Ok(());
    }
    emit(ctx, "use_feegrant", &pair);
    GRANTS.put(ctx.state, &pair, &grant)?;
    emit(ctx, "update_feegrant", &pair);
    Ok(())
}

/// Forgets grants whose time has passed.
pub(crate) fn end_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let now = (u64::try_from(ctx.block.time.seconds).unwrap_or(0), ctx.block.time.nanos);
    let expired = BY_EXPIRATION.scan(ctx.state, Order::Ascending).take(MAX_PRUNED);
    let expired = expired.map(|entry| entry.map(|(key, ())| key)).collect::<Result<Vec<_>, _>>()?;
    for (time, pair) in expired.into_iter().take_while(|(time, _)| *time <= now) {
        GRANTS.delete(ctx.state, &pair)?;
        BY_EXPIRATION.delete(ctx.state, &(time, pair))?;
    }
    Ok(())
}

fn pair(granter: &str, grantee: &str) -> Result<Pair, Failure> {
    let (grantee, granter) = (parse_account(grantee)?, parse_account(granter)?);
    Ok((granter.bytes().to_vec(), grantee.bytes().to_vec()))
}

fn find(state: &State<'_>, pair: &Pair) -> Result<Grant, Failure> {
    GRANTS.get(state, pair)?.ok_or_else(|| sdk::NOT_FOUND.because("fee-grant not found"))
}

fn allowance(msg: &MsgGrantAllowance) -> Result<Grant, Failure> {
    let any = msg.allowance.as_ref();
    let any = any.ok_or_else(|| sdk::INVALID_TYPE.because("failed to get allowance"))?;
    // Decoding the transaction has looked at its fields.
    let allowance = BasicAllowance::decode(any.value.as_slice())
        .map_err(|malformed| sdk::INVALID_TYPE.because(malformed))?;
    let limit = match allowance.spend_limit.as_slice() {
        [] => None,
        coins => Some(bank::one_base_coin(coins).ok_or_else(|| {
            sdk::INVALID_COINS.because("the spend limit must be a positive amount of the base denomination")
        })?),
    };
    if allowance.expiration.as_ref().is_some_and(|time| time.seconds < 0) {
        return Err(err::INVALID_DURATION.because("expiration time cannot be negative"));
    }
    Ok(Grant { limit, expiration: allowance.expiration })
}

impl Grant {
    fn expires_before(&self, now: BlockTime) -> bool {
        self.expiration.as_ref().is_some_and(|time| BlockTime::from_proto(time) < now)
    }
    fn expiration_key(&self) -> Option<(u64, u32)> {
        let time = BlockTime::from_proto(self.expiration.as_ref()?);
        Some((u64::try_from(time.seconds).unwrap_or(0), time.nanos))
    }
}

fn remove(ctx: &mut Ctx<'_, '_>, pair: &Pair, grant: &Grant) -> Result<(), Failure> {
    GRANTS.delete(ctx.state, pair)?;
    if let Some(key) = grant.expiration_key() {
        BY_EXPIRATION.delete(ctx.state, &(key, pair.clone()))?;
    }
    emit(ctx, "revoke_feegrant", pair);
    Ok(())
}

fn emit(ctx: &mut Ctx<'_, '_>, kind: &str, (granter, grantee): &Pair) {
    let (granter, grantee) = (auth::bech32(granter), auth::bech32(grantee));
    ctx.emit(Event::plain(kind, &[("granter", &granter), ("grantee", &grantee)]));
}
