//! Balances in the base denomination, the only one on this chain.

use super::{
    auth,
    context::{Ctx, DENOM, parse_account},
};
use crate::{
    error::{Failure, Status, sdk, status},
    event::Event,
    state::{State, Table},
};
use btc_staking_babylon::proto::{Coin, QueryBalanceRequest, QueryBalanceResponse};
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;

/// Balance in ubbn by address. The whole supply fits: genesis checks the sum.
pub(crate) const BALANCES: Table<Vec<u8>, u64> = Table::new("ba");

/// Module account that collects fees.
pub(crate) const FEE_COLLECTOR: &str = "fee_collector";

/// Spendable balance.
pub(crate) fn balance(state: &State<'_>, address: &[u8]) -> Result<u64, Failure> {
    Ok(BALANCES.get(state, &address.to_vec())?.unwrap_or(0))
}

/// Moves coins and emits the bank's events.
///
/// # Errors
/// `sdk/5` when the balance does not cover the amount.
pub(crate) fn transfer(ctx: &mut Ctx<'_, '_>, from: &[u8], to: &[u8], amount: u64) -> Result<(), Failure> {
    let available = balance(ctx.state, from)?;
    let Some(rest) = available.checked_sub(amount) else {
        return Err(sdk::INSUFFICIENT_FUNDS
            .because(format!("spendable balance {available}{DENOM} is smaller than {amount}{DENOM}")));
    };
    BALANCES.put(ctx.state, &from.to_vec(), &rest)?;
    // The sum of all balances is a u64, so no single one can overflow.
    let sum = balance(ctx.state, to)?.saturating_add(amount);
    BALANCES.put(ctx.state, &to.to_vec(), &sum)?;
    auth::ensure_account(ctx.state, to)?;
    emit_transfer(ctx, &auth::bech32(from), &auth::bech32(to), &format!("{amount}{DENOM}"));
    Ok(())
}

fn emit_transfer(ctx: &mut Ctx<'_, '_>, from: &str, to: &str, amount: &str) {
    ctx.emit(Event::plain("coin_spent", &[("spender", from), ("amount", amount)]));
    ctx.emit(Event::plain("coin_received", &[("receiver", to), ("amount", amount)]));
    ctx.emit(Event::plain("transfer", &[("recipient", to), ("sender", from), ("amount", amount)]));
    ctx.emit(Event::plain("message", &[("sender", from)]));
}

/// Reads a list of coins that must be exactly one positive amount of the base denomination.
pub(crate) fn one_base_coin(coins: &[Coin]) -> Option<u64> {
    match coins {
        [coin] if coin.denom == DENOM => coin.amount.parse().ok().filter(|amount| *amount > 0),
        _ => None,
    }
}

/// Stateless checks of a plain transfer.
pub(crate) fn check_send(msg: &MsgSend) -> Result<(), Failure> {
    for text in [&msg.from_address, &msg.to_address] {
        parse_account(text).map_err(|_| sdk::INVALID_ADDRESS.because(format!("invalid address {text}")))?;
    }
    match one_base_coin(&msg.amount) {
        Some(_) => Ok(()),
        None => {
            Err(sdk::INVALID_COINS.because(format!("exactly one positive amount of {DENOM} is accepted")))
        }
    }
}

/// Sends coins from one account to another.
pub(crate) fn send(ctx: &mut Ctx<'_, '_>, msg: &MsgSend) -> Result<(), Failure> {
    check_send(msg)?;
    let (from, to) = (parse_account(&msg.from_address)?, parse_account(&msg.to_address)?);
    let amount = one_base_coin(&msg.amount).unwrap_or(0);
    transfer(ctx, from.bytes(), to.bytes(), amount)
}

/// Answers `/cosmos.bank.v1beta1.Query/Balance`.
pub(crate) fn query_balance(
    state: &State<'_>,
    request: QueryBalanceRequest,
) -> Result<QueryBalanceResponse, Failure> {
    let address = parse_account(&request.address)
        .map_err(|_| status(Status::InvalidArgument, format!("invalid address: {}", request.address)))?;
    let amount = if request.denom == DENOM { balance(state, address.bytes())? } else { 0 };
    Ok(QueryBalanceResponse { balance: Some(Coin { denom: request.denom, amount: amount.to_string() }) })
}
