//! Sections 5.2, 5.3 and 7: finality providers.

use super::{Outcome, fixture::Fixture, refuse};
use crate::support::{World, address, provider::Provider, stake::possession};
use btc_staking_babylon::{
    convert::possession::encode_possession,
    proto::{
        Description,
        btcstaking::{
            CommissionRates, MsgCreateFinalityProvider, MsgEditFinalityProvider,
            MsgSelectiveSlashingEvidence, ProofOfPossessionBTC,
        },
    },
};

fn rates(rate: &str, max_rate: &str, max_change_rate: &str) -> Option<CommissionRates> {
    Some(CommissionRates {
        rate: rate.into(),
        max_rate: max_rate.into(),
        max_change_rate: max_change_rate.into(),
    })
}

const HALF: &str = "500000000000000000";
const OVER_ONE: &str = "1000000000000000001";

/// A registration that would be accepted, of a provider nobody knows.
fn fresh() -> MsgCreateFinalityProvider {
    Provider::new("other", 2, 10).registration()
}

fn edit(f: &Fixture, commission: Option<&str>) -> MsgEditFinalityProvider {
    MsgEditFinalityProvider {
        addr: address("provider-1"),
        btc_pk: f.one.public().to_bytes().to_vec(),
        description: Some(Description { moniker: "new name".into(), ..Default::default() }),
        commission: commission.map(str::to_owned),
    }
}

fn described(moniker: &str) -> Option<Description> {
    Some(Description { moniker: moniker.into(), ..Default::default() })
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    if let Some(message) = registration(case, f) {
        let signer = if message.addr == address("provider-1") { "provider-1" } else { "other" };
        return Some(refuse(w, signer, &message).await);
    }
    if let Some((signer, message)) = edition(case, f) {
        return Some(refuse(w, signer, &message).await);
    }
    let secret = match case {
        "evidence_short_key" => vec![1; 31],
        "evidence_zero_key" => vec![0; 32],
        "evidence_unknown_provider" => vec![1; 32],
        "evidence_already_slashed" => f.three.key.signing_key().to_secret_bytes().to_vec(),
        _ => return None,
    };
    let message = MsgSelectiveSlashingEvidence { signer: address("other"), recovered_fp_btc_sk: secret };
    Some(refuse(w, "other", &message).await)
}

fn registration(case: &str, f: &Fixture) -> Option<MsgCreateFinalityProvider> {
    let good = fresh();
    Some(match case {
        "fp_no_commission" => MsgCreateFinalityProvider { commission: None, ..good },
        "fp_partial_commission" => MsgCreateFinalityProvider { commission: rates(HALF, HALF, ""), ..good },
        "fp_decimal_point" => MsgCreateFinalityProvider { commission: rates("0.5", HALF, HALF), ..good },
        "fp_negative_max" => MsgCreateFinalityProvider { commission: rates(HALF, "-1", HALF), ..good },
        "fp_huge_max" => MsgCreateFinalityProvider { commission: rates(HALF, OVER_ONE, HALF), ..good },
        "fp_negative_rate" => MsgCreateFinalityProvider { commission: rates("-1", HALF, HALF), ..good },
        "fp_rate_over_max" => MsgCreateFinalityProvider { commission: rates(HALF, "1", "1"), ..good },
        "fp_negative_change" => MsgCreateFinalityProvider { commission: rates(HALF, HALF, "-1"), ..good },
        "fp_change_over_max" => MsgCreateFinalityProvider { commission: rates(HALF, HALF, OVER_ONE), ..good },
        "fp_no_description" => MsgCreateFinalityProvider { description: None, ..good },
        "fp_no_moniker" => MsgCreateFinalityProvider { description: described(""), ..good },
        "fp_long_moniker" => MsgCreateFinalityProvider { description: described(&"x".repeat(71)), ..good },
        "fp_no_key" => MsgCreateFinalityProvider { btc_pk: vec![], ..good },
        "fp_key_off_curve" => MsgCreateFinalityProvider { btc_pk: vec![0xff; 32], ..good },
        "fp_key_of_31_bytes" => MsgCreateFinalityProvider { btc_pk: vec![1; 31], ..good },
        "fp_no_possession" => MsgCreateFinalityProvider { pop: None, ..good },
        "fp_empty_bip322" => {
            // Fields 1 and 2, both of no bytes.
            let pop = ProofOfPossessionBTC { btc_sig_type: 1, btc_sig: vec![0x0a, 0, 0x12, 0] };
            MsgCreateFinalityProvider { pop: Some(pop), ..good }
        }
        "fp_foreign_possession" => {
            let pop = Some(encode_possession(&possession(f.one.key.signing_key(), "other")));
            MsgCreateFinalityProvider { pop, ..good }
        }
        "fp_account_used" => {
            let pop = Provider::new("other", 2, 10);
            let pop = Some(encode_possession(&possession(pop.key.signing_key(), "provider-1")));
            MsgCreateFinalityProvider { addr: address("provider-1"), pop, ..good }
        }
        "fp_below_floor" => MsgCreateFinalityProvider { commission: rates("1", HALF, HALF), ..good },
        "fp_key_registered" => {
            let pop = Some(encode_possession(&possession(f.one.key.signing_key(), "other")));
            MsgCreateFinalityProvider { btc_pk: f.one.public().to_bytes().to_vec(), pop, ..good }
        }
        _ => return None,
    })
}

fn edition(case: &str, f: &Fixture) -> Option<(&'static str, MsgEditFinalityProvider)> {
    let good = edit(f, None);
    let edited = match case {
        "edit_negative" => edit(f, Some("-1")),
        "edit_over_one" => edit(f, Some(OVER_ONE)),
        "edit_no_moniker" => MsgEditFinalityProvider { description: described(""), ..good },
        "edit_no_description" => MsgEditFinalityProvider { description: None, ..good },
        "edit_long_moniker" => MsgEditFinalityProvider { description: described(&"x".repeat(71)), ..good },
        "edit_short_key" => MsgEditFinalityProvider { btc_pk: vec![1; 31], ..good },
        "edit_unknown" => {
            let btc_pk = Provider::new("other", 2, 10).public().to_bytes().to_vec();
            MsgEditFinalityProvider { btc_pk, ..good }
        }
        "edit_by_another" => {
            return Some(("other", MsgEditFinalityProvider { addr: address("other"), ..good }));
        }
        "edit_within_a_day" => edit(f, Some("51000000000000000")),
        _ => return None,
    };
    Some(("provider-1", edited))
}
