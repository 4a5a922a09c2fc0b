//! Finality providers: registering, editing, slashing (`chain.md` 5, 7).

use super::{
    events, params,
    power_events::{self, PowerEvent},
    records::{PROVIDER_OF_ACCOUNT, PROVIDERS, provider},
};
use crate::{
    app::{
        context::{BlockTime, Ctx, parse_account},
        decimal::Dec,
        light_client,
    },
    error::{Failure, Status, btcstaking as err, panicked, plain, sdk, staking, status},
};
use btc_staking_babylon::{
    convert::possession::decode_possession,
    proto::{
        Description,
        btcstaking::{
            BIP322Sig, BTCSigType, CommissionInfo, CommissionRates, FinalityProvider,
            MsgCreateFinalityProvider, MsgEditFinalityProvider, ProofOfPossessionBTC,
        },
    },
};
use btc_staking_protocol::{keys::FinalityProviderPublicKey, possession::ProofOfPossession, rate::Decimal};
use prost::Message;

/// Seconds between two changes of a commission.
const COMMISSION_INTERVAL: i64 = 24 * 60 * 60;

struct Rates {
    rate: Dec,
    max_rate: Dec,
    max_change_rate: Dec,
}

/// Rows 1 to 9 of 5.2.
pub(crate) fn check_create(msg: &MsgCreateFinalityProvider) -> Result<(), Failure> {
    check_rates(&rates(msg.commission.as_ref())?)?;
    check_description(msg.description.as_ref())?;
    FinalityProviderPublicKey::from_slice(&msg.btc_pk).map_err(plain)?;
    parse_possession(msg.pop.as_ref())?;
    parse_account(&msg.addr)?;
    Ok(())
}

fn rates(rates: Option<&CommissionRates>) -> Result<Rates, Failure> {
    let texts =
        rates.map_or(["", "", ""], |r| [&r.rate, &r.max_rate, &r.max_change_rate].map(|t| t.as_str()));
    match texts.map(Dec::parse) {
        [None, None, None] => Err(err::EMPTY_COMMISSION.because("empty commission rates")),
        [Some(rate), Some(max_rate), Some(max_change_rate)] => Ok(Rates { rate, max_rate, max_change_rate }),
        _ => Err(panicked("commission rates are partly unset")),
    }
}

fn check_rates(rates: &Rates) -> Result<(), Failure> {
    let Rates { rate, max_rate, max_change_rate } = rates;
    if max_rate.is_negative() {
        return Err(staking::COMMISSION_NEGATIVE.bare());
    }
    if *max_rate > Dec::ONE {
        return Err(staking::COMMISSION_HUGE.bare());
    }
    if rate.is_negative() {
        return Err(staking::COMMISSION_NEGATIVE.bare());
    }
    if rate > max_rate {
        return Err(err::COMMISSION_GT_MAX_RATE.bare());
    }
    if max_change_rate.is_negative() {
        return Err(staking::CHANGE_RATE_NEGATIVE.bare());
    }
    if max_change_rate > max_rate {
        return Err(staking::CHANGE_RATE_GT_MAX_RATE.bare());
    }
    Ok(())
}

fn check_description(description: Option<&Description>) -> Result<(), Failure> {
    let description = description.ok_or_else(|| plain("empty description"))?;
    if description.moniker.is_empty() {
        return Err(plain("empty moniker"));
    }
    for (name, text, limit) in [
        ("moniker", &description.moniker, 70),
        ("identity", &description.identity, 3000),
        ("website", &description.website, 140),
        ("security contact", &description.security_contact, 140),
        ("details", &description.details, 280),
    ] {
        if text.len() > limit {
            let why = format!("invalid {name} length; got: {}, max: {limit}", text.len());
            return Err(sdk::INVALID_REQUEST.because(why));
        }
    }
    Ok(())
}

/// A proof of possession that is there and well formed.
pub(super) fn parse_possession(proof: Option<&ProofOfPossessionBTC>) -> Result<ProofOfPossession, Failure> {
    let raw = proof.ok_or_else(|| plain("empty proof of possession"))?;
    if raw.btc_sig_type == i32::from(BTCSigType::Bip322) && !raw.btc_sig.is_empty() {
        // Whatever its parts are, also nothing: the handler is the first to look.
        let BIP322Sig { address, sig: witness } = BIP322Sig::decode(raw.btc_sig.as_slice()).map_err(plain)?;
        return Ok(ProofOfPossession::Bip322 { address, witness });
    }
    let proof = decode_possession(raw).map_err(plain)?;
    proof.check_form().map_err(plain)?;
    Ok(proof)
}

/// Rows 10 to 14 of 5.2.
pub(crate) fn create(ctx: &mut Ctx<'_, '_>, msg: &MsgCreateFinalityProvider) -> Result<(), Failure> {
    let key = FinalityProviderPublicKey::from_slice(&msg.btc_pk).map_err(plain)?;
    let account = parse_account(&msg.addr)?;
    let rates = rates(msg.commission.as_ref())?;
    parse_possession(msg.pop.as_ref())?
        .verify(key.x_only(), &account)
        .map_err(|err| status(Status::InvalidArgument, format!("invalid proof of possession: {err}")))?;
    let address = account.bytes().to_vec();
    if PROVIDER_OF_ACCOUNT.has(ctx.state, &address)? {
        return Err(err::FP_REGISTERED
            .because(format!("a provider is registered with the same babylon address: {account}")));
    }
    check_floor(ctx, rates.rate)?;
    if rates.rate > rates.max_rate {
        return Err(err::COMMISSION_GT_MAX_RATE.bare());
    }
    if PROVIDERS.has(ctx.state, &key)? {
        return Err(err::FP_REGISTERED.because(format!("finality provider {key}")));
    }
    let record = FinalityProvider {
        addr: account.bech32().to_owned(),
        description: msg.description.clone(),
        commission: Some(rates.rate.to_wire()),
        btc_pk: msg.btc_pk.clone(),
        pop: msg.pop.clone(),
        commission_info: Some(CommissionInfo {
            max_rate: rates.max_rate.to_wire(),
            max_change_rate: rates.max_change_rate.to_wire(),
            update_time: Some(ctx.block.time.to_proto()),
        }),
        ..Default::default()
    };
    PROVIDERS.put(ctx.state, &key, &record)?;
    PROVIDER_OF_ACCOUNT.put(ctx.state, &address, &msg.btc_pk)?;
    ctx.emit(events::provider_created(&record, commission(&record)));
    Ok(())
}

fn check_floor(ctx: &Ctx<'_, '_>, rate: Dec) -> Result<(), Failure> {
    let floor = params::latest(ctx.state)?.min_commission_rate;
    let floor = Dec::parse(&floor).unwrap_or(Dec::ZERO);
    if rate < floor {
        return Err(err::COMMISSION_LT_MIN_RATE.because(format!(
            "cannot set finality provider commission to less than minimum rate of {}",
            floor.to_decimal()
        )));
    }
    Ok(())
}

/// Rows 1 and 2 of 5.3.
pub(crate) fn check_edit(msg: &MsgEditFinalityProvider) -> Result<(), Failure> {
    if let Some(rate) = edited_rate(msg)? {
        if rate.is_negative() {
            return Err(sdk::INVALID_REQUEST.because("commission rate must be between 0 and 1 (inclusive)"));
        }
        if rate > Dec::ONE {
            return Err(err::COMMISSION_GT_MAX_RATE.bare());
        }
    }
    check_description(msg.description.as_ref())?;
    if msg.btc_pk.len() != 32 {
        return Err(plain(format!("malformed BTC PK of {} bytes", msg.btc_pk.len())));
    }
    parse_account(&msg.addr)?;
    Ok(())
}

fn edited_rate(msg: &MsgEditFinalityProvider) -> Result<Option<Dec>, Failure> {
    match msg.commission.as_deref() {
        None => Ok(None),
        Some(text) => Dec::parse(text).map(Some).ok_or_else(|| panicked("commission is unset")),
    }
}

/// Rows 3 to 10 of 5.3.
pub(crate) fn edit(ctx: &mut Ctx<'_, '_>, msg: &MsgEditFinalityProvider) -> Result<(), Failure> {
    // Bytes that are no point of the curve name no finality provider.
    let Ok(key) = FinalityProviderPublicKey::from_slice(&msg.btc_pk) else {
        return Err(err::FP_NOT_FOUND.bare());
    };
    let mut record = provider(ctx.state, &key)?;
    if record.addr != parse_account(&msg.addr)?.bech32() {
        return Err(status(
            Status::PermissionDenied,
            "the signer does not correspond to the finality provider's address",
        ));
    }
    if let Some(rate) = edited_rate(msg)? {
        check_commission_change(ctx, &record, rate)?;
        record.commission = Some(rate.to_wire());
        if let Some(info) = &mut record.commission_info {
            info.update_time = Some(ctx.block.time.to_proto());
        }
    }
    record.description.clone_from(&msg.description);
    PROVIDERS.put(ctx.state, &key, &record)?;
    ctx.emit(events::provider_edited(&record, commission(&record)));
    Ok(())
}

fn check_commission_change(ctx: &Ctx<'_, '_>, record: &FinalityProvider, rate: Dec) -> Result<(), Failure> {
    let info =
        record.commission_info.as_ref().ok_or_else(|| plain("finality provider has no commission info"))?;
    let updated = info.update_time.as_ref().map_or(BlockTime::EPOCH, BlockTime::from_proto);
    if ctx.block.time < updated.plus_seconds(COMMISSION_INTERVAL) {
        return Err(staking::COMMISSION_UPDATE_TIME.bare());
    }
    check_floor(ctx, rate)?;
    let stored = |text: &str| Dec::parse(text).unwrap_or(Dec::ZERO);
    if rate > stored(&info.max_rate) {
        return Err(staking::COMMISSION_GT_MAX_RATE.bare());
    }
    let current = stored(record.commission.as_deref().unwrap_or_default());
    if rate.distance(current) > stored(&info.max_change_rate) {
        return Err(staking::COMMISSION_GT_MAX_CHANGE_RATE.bare());
    }
    Ok(())
}

/// Current commission of a finality provider.
pub(crate) fn commission(record: &FinalityProvider) -> Decimal {
    Dec::parse(record.commission.as_deref().unwrap_or_default()).map_or(Decimal::ZERO, Dec::to_decimal)
}

/// Whether a finality provider was slashed.
pub(crate) const fn is_slashed(record: &FinalityProvider) -> bool {
    record.slashed_babylon_height > 0
}

/// Slashes a finality provider for good.
///
/// # Errors
/// `btcstaking/1100` and `btcstaking/1104`.
pub(crate) fn slash(ctx: &mut Ctx<'_, '_>, key: &FinalityProviderPublicKey) -> Result<(), Failure> {
    let mut record = provider(ctx.state, key)?;
    if is_slashed(&record) {
        return Err(err::FP_ALREADY_SLASHED.because(format!("finality provider {key}")));
    }
    let tip = light_client::tip_height(ctx.state)?;
    record.slashed_babylon_height = ctx.block.height.to_u64();
    record.slashed_btc_height = tip.to_u32();
    PROVIDERS.put(ctx.state, key, &record)?;
    power_events::record(ctx.state, tip, PowerEvent::Slashed(*key))
}
