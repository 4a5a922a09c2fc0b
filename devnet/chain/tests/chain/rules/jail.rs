//! Sections 10.2 row 9, 10.6 and 10.7: jail. A chain of its own, with a short window.

use super::{Answer, refuse};
use crate::support::{World, address, attribute, genesis, provider::Provider, stake::Stake};
use btc_staking_babylon::proto::{
    btcstaking::MsgSelectiveSlashingEvidence,
    finality::{MsgUnjailFinalityProvider, QuerySigningInfoRequest},
};
use btc_staking_devnet_chain::Genesis;
use btc_staking_protocol::rate::Decimal;
use tendermint_rpc::Client;

fn unjail(provider: &Provider, signer: &str) -> MsgUnjailFinalityProvider {
    MsgUnjailFinalityProvider { signer: address(signer), fp_btc_pk: provider.public().to_bytes().to_vec() }
}

async fn is_jailed(w: &World, provider: &Provider) -> bool {
    let request = btc_staking_babylon::proto::btcstaking::QueryFinalityProviderRequest {
        fp_btc_pk_hex: provider.public().to_string(),
    };
    w.query(request).await.unwrap().finality_provider.unwrap().jailed
}

/// A chain that soon loses patience.
pub fn genesis_of_jail() -> Genesis {
    let mut genesis = genesis();
    genesis.finality.signed_blocks_window = 3;
    genesis.finality.finality_sig_timeout = 1;
    genesis.finality.min_signed_per_window = Decimal::ONE;
    genesis.finality.jail_duration_s = 6;
    genesis
}

/// Runs the chain's jail story and breaks every rule about it.
pub async fn break_all(w: &mut World) -> Vec<Answer> {
    w.mine(1, &[]).await;
    let (one, two) = (Provider::new("provider-1", 1, 1000), Provider::new("provider-2", 1, 1000));
    w.register(&one).await;
    w.register(&two).await;
    w.finalise_epochs().await;
    let stake = Stake::new(&w.params, "jailed", one.public(), 1000);
    w.activate(&stake).await;
    let activated = w.activated().await;
    w.until("jail", || async { is_jailed(w, &one).await.then_some(()) }).await;

    let mut answers = vec![];
    let mut judge = |case: &str, outcome| answers.push(Answer::of(case, outcome));
    let vote = one.vote(activated, w.app_hash(activated).await);
    judge("jail_vote", refuse(w, "provider-1", &vote).await);
    judge("unjail_unknown", refuse(w, "other", &unjail(&Provider::new("other", 1, 10), "other")).await);
    judge("unjail_no_key", {
        let message = MsgUnjailFinalityProvider { signer: address("other"), fp_btc_pk: vec![] };
        refuse(w, "other", &message).await
    });
    judge("unjail_by_another", refuse(w, "other", &unjail(&one, "other")).await);
    judge("unjail_free", refuse(w, "provider-2", &unjail(&two, "provider-2")).await);
    judge("unjail_too_soon", refuse(w, "provider-1", &unjail(&one, "provider-1")).await);

    // After its time it leaves, and is back in the table in the next block.
    let message = btc_staking_babylon::proto::Any {
        type_url: "/babylon.finality.v1.MsgUnjailFinalityProvider".into(),
        value: prost::Message::encode_to_vec(&unjail(&one, "provider-1")),
    };
    assert_eq!(w.power(&one).await, crate::support::stake::AMOUNT, "last height with a table");
    let left = loop {
        match w.send("provider-1", vec![message.clone()]).await {
            Ok(included) => break u64::from(included.height),
            Err(refused) => assert_eq!(refused.short(), "finality/1112", "{refused:?}"),
        }
    };
    w.wait_for_height(left + 1).await;
    let events = w.client.block_results(u32::try_from(left + 1).unwrap()).await.unwrap();
    let kind = "babylon.btcstaking.v1.EventFinalityProviderStatusChange";
    let new = attribute(&events.finalize_block_events, kind, "new_state");
    assert_eq!(new.as_deref(), Some("\"FINALITY_PROVIDER_STATUS_ACTIVE\""));
    let info = QuerySigningInfoRequest { fp_btc_pk_hex: one.public().to_string() };
    let info = w.query(info).await.unwrap().signing_info.unwrap();
    assert_eq!(info.start_height, i64::try_from(left + 1).unwrap());

    // Jailed again and slashed: it stays.
    w.until("jail again", || async { is_jailed(w, &one).await.then_some(()) }).await;
    let shown = MsgSelectiveSlashingEvidence {
        signer: address("other"),
        recovered_fp_btc_sk: one.key.signing_key().to_secret_bytes().to_vec(),
    };
    w.must("other", &shown).await;
    let outcome = loop {
        match w.send("provider-1", vec![message.clone()]).await {
            Err(refused) if refused.short() == "finality/1112" => {}
            other => break other.map(|_| ()),
        }
    };
    judge("unjail_slashed", outcome);
    answers
}
