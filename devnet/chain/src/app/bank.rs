//! Balances in the base denomination, the only one on this chain, and the supply they add up to.
//!
//! Coins come into being in two places only: genesis and [`mint`]. Everything else moves them, so the sum of all
//! balances is the supply at every height.

use super::{
    auth::{self, module_address},
    context::{Ctx, DENOM, parse_account},
};
use crate::{
    error::{Failure, Status, sdk, status},
    event::Event,
    genesis::Genesis,
    state::{State, Table},
};
use btc_staking_babylon::proto::{
    Coin, PageResponse, QueryBalanceRequest, QueryBalanceResponse, QuerySupplyOfRequest,
    QuerySupplyOfResponse, QueryTotalSupplyRequest, QueryTotalSupplyResponse,
};
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;

/// Balance in ubbn by address. The whole supply fits: genesis checks the sum, minting keeps it.
pub(crate) const BALANCES: Table<Vec<u8>, u64> = Table::new("ba");
pub(crate) const SUPPLY: Table<(), u64> = Table::new("bs");

/// Module account that collects fees and what is minted.
pub(crate) const FEE_COLLECTOR: &str = "fee_collector";
/// Module account that mints.
pub(crate) const MINT: &str = "mint";
/// Module account that holds what finality providers and Bitcoin stakers have earned.
pub(crate) const INCENTIVE: &str = "incentive";
/// Module account that holds the part of those who stake both coins.
pub(crate) const COSTAKING: &str = "costaking";
/// Module account that holds the part of native staking.
pub(crate) const DISTRIBUTION: &str = "distribution";

/// Module accounts that take no coins from outside. Governance's is none of them.
const BLOCKED: [&str; 11] = [
    FEE_COLLECTOR,
    DISTRIBUTION,
    MINT,
    INCENTIVE,
    COSTAKING,
    "bonded_tokens_pool",
    "not_bonded_tokens_pool",
    "transfer",
    "tokenfactory",
    "interchainaccounts",
    "epoching_delegate_pool",
];

/// Writes the balances of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let mut supply = 0u64;
    for account in &genesis.accounts {
        let address = account.address.bytes().to_vec();
        auth::ensure_account(state, &address)?;
        BALANCES.put(state, &address, &account.ubbn)?;
        // Genesis was refused if the sum did not fit.
        supply = supply.saturating_add(account.ubbn);
    }
    SUPPLY.put(state, &(), &supply)
}

/// Spendable balance.
pub(crate) fn balance(state: &State<'_>, address: &[u8]) -> Result<u64, Failure> {
    Ok(BALANCES.get(state, &address.to_vec())?.unwrap_or(0))
}

/// Spendable balance of a module account.
pub(crate) fn module_balance(state: &State<'_>, module: &str) -> Result<u64, Failure> {
    balance(state, &module_address(module))
}

/// All coins there are.
pub(crate) fn supply(state: &State<'_>) -> Result<u64, Failure> {
    Ok(SUPPLY.get(state, &())?.unwrap_or(0))
}

/// Whether an address is that of a module account that takes no coins from outside.
pub(crate) fn is_blocked(address: &[u8]) -> bool {
    BLOCKED.iter().any(|name| module_address(name) == address)
}

/// Makes new coins in the account of the minting module; no more than keep the supply within 64 bits. Returns how many.
pub(crate) fn mint(ctx: &mut Ctx<'_, '_>, amount: u64) -> Result<u64, Failure> {
    let supply = supply(ctx.state)?;
    let amount = amount.min(u64::MAX - supply);
    if amount == 0 {
        return Ok(0);
    }
    let minter = module_address(MINT);
    auth::ensure_account(ctx.state, &minter)?;
    SUPPLY.put(ctx.state, &(), &supply.saturating_add(amount))?;
    add(ctx.state, &minter, amount)?;
    let (minter, amount_text) = (auth::bech32(&minter), coin_text(amount));
    ctx.emit(Event::plain("coin_received", &[("receiver", &minter), ("amount", &amount_text)]));
    ctx.emit(Event::plain("coinbase", &[("minter", &minter), ("amount", &amount_text)]));
    Ok(amount)
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
    add(ctx.state, to, amount)?;
    auth::ensure_account(ctx.state, to)?;
    emit_transfer(ctx, &auth::bech32(from), &auth::bech32(to), &coin_text(amount));
    Ok(())
}

/// Moves coins from one module's account to another's; nothing happens for no coins.
pub(crate) fn transfer_modules(
    ctx: &mut Ctx<'_, '_>,
    from: &str,
    to: &str,
    amount: u64,
) -> Result<(), Failure> {
    if amount == 0 {
        return Ok(());
    }
    transfer(ctx, &module_address(from), &module_address(to), amount)
}

fn add(state: &mut State<'_>, to: &[u8], amount: u64) -> Result<(), Failure> {
    // The sum of all balances is a u64, so no single one can overflow.
    let sum = balance(state, to)?.saturating_add(amount);
    BALANCES.put(state, &to.to_vec(), &sum)
}

fn emit_transfer(ctx: &mut Ctx<'_, '_>, from: &str, to: &str, amount: &str) {
    ctx.emit(Event::plain("coin_spent", &[("spender", from), ("amount", amount)]));
    ctx.emit(Event::plain("coin_received", &[("receiver", to), ("amount", amount)]));
    ctx.emit(Event::plain("transfer", &[("recipient", to), ("sender", from), ("amount", amount)]));
    ctx.emit(Event::plain("message", &[("sender", from)]));
}

/// An amount as events show it.
pub(crate) fn coin_text(amount: u64) -> String {
    format!("{amount}{DENOM}")
}

/// An amount as a list of coins, which holds no zero amounts.
pub(crate) fn coins(amount: u64) -> Vec<Coin> {
    coins_of(amount.to_string())
}

/// As [`coins`], for amounts beyond 64 bits, in decimal digits.
pub(crate) fn coins_of(amount: String) -> Vec<Coin> {
    if amount == "0" {
        return vec![];
    }
    vec![Coin { denom: DENOM.to_owned(), amount }]
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
    if is_blocked(to.bytes()) {
        return Err(sdk::UNAUTHORIZED.because(format!("{to} is not allowed to receive funds")));
    }
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

/// Answers `/cosmos.bank.v1beta1.Query/SupplyOf`.
pub(crate) fn query_supply_of(
    state: &State<'_>,
    request: QuerySupplyOfRequest,
) -> Result<QuerySupplyOfResponse, Failure> {
    let amount = if request.denom == DENOM { supply(state)? } else { 0 };
    Ok(QuerySupplyOfResponse { amount: Some(Coin { denom: request.denom, amount: amount.to_string() }) })
}

/// Answers `/cosmos.bank.v1beta1.Query/TotalSupply`; there is one denomination, so one page.
pub(crate) fn query_total_supply(
    state: &State<'_>,
    _: QueryTotalSupplyRequest,
) -> Result<QueryTotalSupplyResponse, Failure> {
    let supply = coins(supply(state)?);
    let total = u64::try_from(supply.len()).unwrap_or(u64::MAX);
    Ok(QueryTotalSupplyResponse { supply, pagination: Some(PageResponse { next_key: vec![], total }) })
}
