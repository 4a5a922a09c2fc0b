//! What every transaction passes before its messages run (`chain.md` 12, `wire.md` 4).
//!
//! The checks stand in the order of the reference, because the first one that fails decides the error a client sees.

use super::{
    auth::{self, ACCOUNTS, Account},
    bank,
    context::{Ctx, DENOM, Purpose, parse_account},
    feegrant,
    tx::{Signer, Tx},
};
use crate::{
    error::{Failure, plain, sdk},
    event::Event,
    state::gas,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{
    hashes::{Hash, hash160},
    secp256k1::{Message, PublicKey, SECP256K1, ecdsa::Signature},
};

/// Gas limit above which a transaction is not admitted to the mempool.
pub(crate) const MAX_GAS_WANTED: u64 = 10_000_000;
const MAX_MEMO: usize = 256;
const MAX_SIGNATURES: usize = 7;

/// What was taken from whom, so that it can be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeePaid {
    pub(crate) payer: Vec<u8>,
    pub(crate) amount: u64,
}

/// Runs the checks, takes the fee and moves the sequences on.
pub(crate) fn check_and_charge(ctx: &mut Ctx<'_, '_>, tx: &Tx, purpose: Purpose) -> Result<FeePaid, Failure> {
    check_envelope(tx)?;
    check_timeouts(ctx, tx)?;
    // The parameters that the next checks need are read at the transaction's expense, so a gas limit of zero ends here.
    ctx.state.meter().charge(gas::READ_FLAT, "ReadFlat")?;
    check_memo(tx)?;
    let size = u64::try_from(tx.size).unwrap_or(u64::MAX);
    ctx.state.meter().charge(size.saturating_mul(gas::TX_BYTE), "txSize")?;
    let paid = charge_fee(ctx, tx, purpose)?;
    check_signatures(ctx, tx, purpose)?;
    Ok(paid)
}

fn check_envelope(tx: &Tx) -> Result<(), Failure> {
    if tx.has_extensions() {
        return Err(sdk::UNKNOWN_EXTENSION.bare());
    }
    if tx.is_unordered() {
        return Err(sdk::NOT_SUPPORTED.because("unordered transactions are not enabled"));
    }
    if tx.signers.is_empty() {
        return Err(sdk::NO_SIGNATURES.bare());
    }
    tx.check_signer_addresses()?;
    let required = tx.required_signers().len();
    if tx.signers.len() != required {
        let got = tx.signers.len();
        return Err(
            sdk::UNAUTHORIZED.because(format!("wrong number of signers; expected {required}, got {got}"))
        );
    }
    Ok(())
}

fn check_timeouts(ctx: &Ctx<'_, '_>, tx: &Tx) -> Result<(), Failure> {
    let height = ctx.block.height.to_u64();
    if tx.timeout_height > 0 && height > tx.timeout_height {
        return Err(sdk::TX_TIMEOUT_HEIGHT
            .because(format!("block height: {height}, timeout height: {}", tx.timeout_height)));
    }
    if let Some((seconds, nanos)) = tx.timeout
        && (seconds, nanos) != (0, 0)
        && (ctx.block.time.seconds, i64::from(ctx.block.time.nanos)) > (seconds, i64::from(nanos))
    {
        return Err(sdk::TX_TIMEOUT.because(format!("block time is behind the timeout of {seconds} s")));
    }
    Ok(())
}

fn check_memo(tx: &Tx) -> Result<(), Failure> {
    if tx.memo.len() > MAX_MEMO {
        return Err(sdk::MEMO_TOO_LARGE.because(format!(
            "maximum number of characters is {MAX_MEMO} but received {} characters",
            tx.memo.len()
        )));
    }
    Ok(())
}

/// The least fee for a gas limit: 0.002 ubbn per gas, rounded half to even.
pub(crate) fn min_fee(gas_limit: u64) -> u64 {
    let thousandths = u128::from(gas_limit) * 2;
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    let up = rest > 500 || (rest == 500 && whole % 2 == 1);
    u64::try_from(whole + u128::from(up)).unwrap_or(u64::MAX)
}

fn charge_fee(ctx: &mut Ctx<'_, '_>, tx: &Tx, purpose: Purpose) -> Result<FeePaid, Failure> {
    let simulated = purpose == Purpose::Simulate;
    let payer_text = tx.fee_payer().to_owned();
    let amount = fee_amount(tx, simulated)?;
    let granter = foreign_granter(tx, &payer_text);
    if let Some(granter) = granter {
        let why = || format!("{granter} does not allow to pay fees for {payer_text}");
        feegrant::spend(ctx, granter, &payer_text, amount).map_err(|failure| failure.within(why()))?;
    }
    let payer_text = granter.map_or(payer_text.as_str(), |granter| granter);
    let payer = parse_account(payer_text)?.bytes().to_vec();
    if ACCOUNTS.get(ctx.state, &payer)?.is_none() {
        return Err(sdk::UNKNOWN_ADDRESS.because(format!("fee payer address: {payer_text} does not exist")));
    }
    if amount > 0 {
        bank::transfer(ctx, &payer, &auth::module_address(bank::FEE_COLLECTOR), amount)?;
    }
    let fee = if amount > 0 { format!("{amount}{DENOM}") } else { String::new() };
    ctx.emit(Event::plain("tx", &[("fee", &fee), ("fee_payer", payer_text)]));
    Ok(FeePaid { payer, amount })
}

fn fee_amount(tx: &Tx, simulated: bool) -> Result<u64, Failure> {
    if simulated {
        return Ok(bank::one_base_coin(&tx.fee.amount).unwrap_or(0));
    }
    let shown = tx.fee.amount.iter().map(|coin| format!("{}{}", coin.amount, coin.denom));
    let shown = shown.collect::<Vec<_>>().join(",");
    if shown.is_empty() {
        return Err(plain("empty coins: invalid fee"));
    }
    let Some(amount) = bank::one_base_coin(&tx.fee.amount) else {
        return Err(plain(format!("only {DENOM} denom is allowed. Got: {shown}: invalid fee")));
    };
    let required = min_fee(tx.fee.gas_limit);
    if amount < required {
        return Err(sdk::INSUFFICIENT_FEE
            .because(format!("insufficient fees; got: {shown} required: {required}{DENOM}")));
    }
    Ok(amount)
}

/// The last check before the messages: a fee that is given back must be the payer's own.
pub(crate) fn check_granter(tx: &Tx) -> Result<(), Failure> {
    match foreign_granter(tx, tx.fee_payer()) {
        Some(_) if tx.only_refundable_kinds() => {
            Err(plain("fee grants are not allowed for transactions whose fee is refunded"))
        }
        Some(_) | None => Ok(()),
    }
}

fn foreign_granter<'a>(tx: &'a Tx, payer: &str) -> Option<&'a str> {
    Some(tx.fee.granter.as_str()).filter(|granter| !granter.is_empty() && *granter != payer)
}

fn check_signatures(ctx: &mut Ctx<'_, '_>, tx: &Tx, purpose: Purpose) -> Result<(), Failure> {
    let required: Vec<String> = tx.required_signers().into_iter().map(str::to_owned).collect();
    let signers = || required.iter().zip(&tx.signers);
    for (index, (address, signer)) in signers().enumerate() {
        set_public_key(ctx, address, signer, index, purpose)?;
    }
    for (address, signer) in signers() {
        ctx.emit(Event::plain("tx", &[("acc_seq", &format!("{address}/{}", signer.sequence))]));
        ctx.emit(Event::plain("tx", &[("signature", &STANDARD.encode(&signer.signature))]));
    }
    if tx.signers.len() > MAX_SIGNATURES {
        return Err(sdk::TOO_MANY_SIGNATURES
            .because(format!("signatures: {}, limit: {MAX_SIGNATURES}", tx.signers.len())));
    }
    for _ in signers() {
        ctx.state.meter().charge(gas::SIGNATURE, "ante verify: secp256k1")?;
    }
    signers().try_for_each(|(address, signer)| check_signer(ctx, tx, address, signer, purpose))
}

fn check_signer(
    ctx: &mut Ctx<'_, '_>,
    tx: &Tx,
    address: &str,
    signer: &Signer,
    purpose: Purpose,
) -> Result<(), Failure> {
    let (key, mut account) = account_of(ctx, address)?;
    if signer.sequence != account.sequence {
        return Err(sdk::WRONG_SEQUENCE.because(format!(
            "account sequence mismatch, expected {}, got {}",
            account.sequence, signer.sequence
        )));
    }
    match purpose {
        Purpose::Check | Purpose::Deliver => verify_signature(ctx, tx, signer, &account)?,
        // Signatures do not change between checks, and a simulated transaction has none.
        Purpose::Recheck | Purpose::Simulate => {}
    }
    account.sequence = account.sequence.saturating_add(1);
    ACCOUNTS.put(ctx.state, &key, &account)
}

fn account_of(ctx: &Ctx<'_, '_>, address: &str) -> Result<(Vec<u8>, Account), Failure> {
    let key = parse_account(address)?.bytes().to_vec();
    match ACCOUNTS.get(ctx.state, &key)? {
        Some(account) => Ok((key, account)),
        None => Err(sdk::UNKNOWN_ADDRESS.because(format!("account {address} does not exist"))),
    }
}

/// Records the key of an account with its first transaction. A key that is given must be the account's, also later.
fn set_public_key(
    ctx: &mut Ctx<'_, '_>,
    address: &str,
    signer: &Signer,
    index: usize,
    purpose: Purpose,
) -> Result<(), Failure> {
    let simulated = purpose == Purpose::Simulate;
    let (key, mut account) = account_of(ctx, address)?;
    let Some(public_key) = &signer.public_key else {
        if account.public_key.is_empty() && !simulated {
            return Err(sdk::INVALID_PUBKEY.because("pubkey on account is not set"));
        }
        return Ok(());
    };
    if !simulated && hash160::Hash::hash(public_key).to_byte_array().as_slice() != key {
        return Err(sdk::INVALID_PUBKEY
            .because(format!("pubKey does not match signer address {address} with signer index: {index}")));
    }
    // In a simulation too: what it costs is part of the answer.
    if account.public_key.is_empty() {
        account.public_key.clone_from(public_key);
        ACCOUNTS.put(ctx.state, &key, &account)?;
    }
    Ok(())
}

fn verify_signature(ctx: &Ctx<'_, '_>, tx: &Tx, signer: &Signer, account: &Account) -> Result<(), Failure> {
    let chain_id = &ctx.block.chain.chain_id;
    let refused = || {
        sdk::UNAUTHORIZED.because(format!(
            "signature verification failed; please verify account number ({}), sequence ({}) and chain-id ({chain_id})",
            account.number, account.sequence
        ))
    };
    if !signer.direct {
        return Err(sdk::NOT_SUPPORTED.because("only SIGN_MODE_DIRECT is accepted"));
    }
    let key = PublicKey::from_slice(&account.public_key).map_err(|_| refused())?;
    let signature = Signature::from_compact(&signer.signature).map_err(|_| refused())?;
    let digest = Message::from_digest(tx.sign_digest(chain_id, account.number));
    // libsecp256k1 refuses signatures whose s is in the upper half, as the reference does.
    SECP256K1.verify_ecdsa(&digest, &signature, &key).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::min_fee;

    #[test]
    fn the_fee_floor_is_rounded_half_to_even() {
        for (gas, fee) in [(1, 0), (250, 0), (251, 1), (750, 2), (749, 1), (1250, 2), (200_000, 400)] {
            assert_eq!(min_fee(gas), fee, "gas {gas}");
        }
        assert_eq!(min_fee(u64::MAX), 36_893_488_147_419_103);
    }
}
