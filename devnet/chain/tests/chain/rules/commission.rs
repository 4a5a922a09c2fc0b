//! Section 5.3 rows 8 to 10: what a commission may become. A chain of its own, whose clock is put forward by a day.

use super::{Answer, fixture::alter_params, refuse};
use crate::support::{World, address, genesis, provider::Provider, set_clock::SetClock};
use btc_staking_babylon::proto::{Description, btcstaking::MsgEditFinalityProvider};
use btc_staking_devnet_chain::Genesis;

/// A chain on which a commission has a floor.
pub fn genesis_of_commissions() -> Genesis {
    let mut genesis = genesis();
    alter_params(&mut genesis, |fields| fields.min_commission_rate = "0.045".parse().unwrap());
    genesis
}

/// Breaks every rule about the next commission, on a chain of [`genesis_of_commissions`] with this clock.
pub async fn break_all(w: &mut World, clock: &SetClock) -> Vec<Answer> {
    let provider = Provider::new("provider-1", 1, 10); // 0.05, at most 0.2, by at most 0.01
    w.must("provider-1", &provider.registration()).await;
    clock.advance(24 * 60 * 60);
    w.next_block().await;
    let mut answers = vec![];
    for (case, commission) in [
        ("edit_below_floor", "44000000000000000"),
        ("edit_above_max", "200000000000000001"),
        ("edit_leap", "60000000000000001"),
    ] {
        let message = MsgEditFinalityProvider {
            addr: address("provider-1"),
            btc_pk: provider.public().to_bytes().to_vec(),
            description: Some(Description { moniker: "renamed".into(), ..Default::default() }),
            commission: Some(commission.to_owned()),
        };
        answers.push(Answer::of(case, refuse(w, "provider-1", &message).await));
    }
    answers
}
