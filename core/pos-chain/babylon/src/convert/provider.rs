//! Finality providers: their description, commission and record.

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_account, decode_provider_key, fit, required},
    decimal::{decode_decimal, encode_decimal},
    possession::{decode_possession, encode_possession},
};
use crate::proto::{self, Timestamp, btcstaking};
use btc_staking_pos_chain::{
    FinalityProvider, SlashedAt,
    message::{CommissionRates, Description, FinalityProviderRegistration},
};
use btc_staking_protocol::{
    height::{BtcHeight, PosHeight},
    possession::ProofOfPossession,
};

/// Encodes a description.
pub fn encode_description(description: &Description) -> proto::Description {
    proto::Description {
        moniker: description.moniker.clone(),
        identity: description.identity.clone(),
        website: description.website.clone(),
        security_contact: description.security_contact.clone(),
        details: description.details.clone(),
    }
}

/// Decodes a description. Its length limits are the chain's to judge.
pub fn decode_description(description: &proto::Description) -> Description {
    Description {
        moniker: description.moniker.clone(),
        identity: description.identity.clone(),
        website: description.website.clone(),
        security_contact: description.security_contact.clone(),
        details: description.details.clone(),
    }
}

/// Encodes commission rates, always all three.
pub fn encode_commission(rates: &CommissionRates) -> btcstaking::CommissionRates {
    btcstaking::CommissionRates {
        rate: encode_decimal(rates.rate),
        max_rate: encode_decimal(rates.max_rate),
        max_change_rate: encode_decimal(rates.max_change_rate),
    }
}

/// Decodes commission rates.
///
/// # Errors
/// An [`InvalidField`] for a rate that is absent or not a scaled decimal.
pub fn decode_commission(rates: &btcstaking::CommissionRates) -> Result<CommissionRates> {
    Ok(CommissionRates {
        rate: decode_decimal("rate", &rates.rate)?,
        max_rate: decode_decimal("max_rate", &rates.max_rate)?,
        max_change_rate: decode_decimal("max_change_rate", &rates.max_change_rate)?,
    })
}

/// Encodes a registration.
pub fn encode_registration(
    registration: &FinalityProviderRegistration,
) -> btcstaking::MsgCreateFinalityProvider {
    btcstaking::MsgCreateFinalityProvider {
        addr: registration.account.bech32().to_owned(),
        description: Some(encode_description(&registration.description)),
        btc_pk: registration.finality_provider.to_bytes().to_vec(),
        pop: Some(encode_possession(&registration.possession)),
        commission: Some(encode_commission(&registration.commission)),
    }
}

/// Decodes a registration.
///
/// # Errors
/// An [`InvalidField`] for any field.
pub fn decode_registration(
    message: &btcstaking::MsgCreateFinalityProvider,
) -> Result<FinalityProviderRegistration> {
    let pop = required("pop", message.pop.as_ref())?;
    let rates = required("commission", message.commission.as_ref())?;
    Ok(FinalityProviderRegistration {
        account: decode_account("addr", &message.addr)?,
        finality_provider: decode_provider_key("btc_pk", &message.btc_pk)?,
        possession: decode_possession(pop).map_err(|error| error.within("pop"))?,
        description: decode_description(required("description", message.description.as_ref())?),
        commission: decode_commission(rates).map_err(|error| error.within("commission"))?,
    })
}

/// Encodes a provider as the chain answers it: its record, its proof, the last change of its commission and the height
/// the answer is read at.
///
/// # Errors
/// [`Problem::OutOfRange`]: the chain stores voted heights in 32 bits.
pub fn encode_finality_provider(
    provider: &FinalityProvider,
    possession: &ProofOfPossession,
    update_time: Timestamp,
    read_at: PosHeight,
) -> Result<btcstaking::FinalityProviderResponse> {
    Ok(btcstaking::FinalityProviderResponse {
        description: Some(encode_description(&provider.description)),
        commission: encode_decimal(provider.commission.rate),
        addr: provider.account.bech32().to_owned(),
        btc_pk: provider.key.to_bytes().to_vec(),
        pop: Some(encode_possession(possession)),
        slashed_babylon_height: provider.slashed.map_or(0, |at| at.pos_height.to_u64()),
        slashed_btc_height: provider.slashed.map_or(0, |at| at.btc_height.to_u32()),
        height: read_at.to_u64(),
        jailed: provider.jailed,
        highest_voted_height: fit("highest_voted_height", provider.highest_voted_height.to_u64(), u32::MAX)?,
        commission_info: Some(btcstaking::CommissionInfo {
            max_rate: encode_decimal(provider.commission.max_rate),
            max_change_rate: encode_decimal(provider.commission.max_change_rate),
            update_time: Some(update_time),
        }),
        soft_deleted: false,
    })
}

/// Decodes a provider from an answer.
///
/// # Errors
/// An [`InvalidField`] for any field.
pub fn decode_finality_provider(provider: &btcstaking::FinalityProviderResponse) -> Result<FinalityProvider> {
    let info = required("commission_info", provider.commission_info.as_ref())?;
    let limit =
        |field, text: &str| decode_decimal(field, text).map_err(|error| error.within("commission_info"));
    let slashed = decode_slashed(provider)?;
    Ok(FinalityProvider {
        key: decode_provider_key("btc_pk", &provider.btc_pk)?,
        account: decode_account("addr", &provider.addr)?,
        description: decode_description(required("description", provider.description.as_ref())?),
        commission: CommissionRates {
            rate: decode_decimal("commission", &provider.commission)?,
            max_rate: limit("max_rate", &info.max_rate)?,
            max_change_rate: limit("max_change_rate", &info.max_change_rate)?,
        },
        commission_set_at: info.update_time.and_then(|time| u64::try_from(time.seconds).ok()),
        slashed,
        jailed: provider.jailed,
        highest_voted_height: PosHeight::new(u64::from(provider.highest_voted_height)),
    })
}

/// Both heights are there or neither is.
fn decode_slashed(provider: &btcstaking::FinalityProviderResponse) -> Result<Option<SlashedAt>> {
    match (provider.slashed_babylon_height, provider.slashed_btc_height) {
        (0, 0) => Ok(None),
        (0, _) => {
            Err(InvalidField::new("slashed_btc_height", Problem::Contradicts("slashed_babylon_height")))
        }
        (pos, btc) => {
            Ok(Some(SlashedAt { pos_height: PosHeight::new(pos), btc_height: BtcHeight::new(btc) }))
        }
    }
}
