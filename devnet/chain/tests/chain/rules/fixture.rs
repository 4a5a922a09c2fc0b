//! A chain with one of each: providers and stakes in every state the rules tell apart.

use crate::support::{World, account, any, genesis, provider::Provider, stake::Stake};
use btc_staking_devnet_chain::Genesis;
use btc_staking_protocol::{
    height::{BtcHeight, PosHeight},
    params::{ParamsFields, ParamsHistory, StakingParams},
};

/// Stakes and providers.
pub struct Fixture {
    /// Has power.
    pub one: Provider,
    /// Registered, committed, without power.
    pub two: Provider,
    /// Slashed.
    pub three: Provider,
    pub pending: Stake,
    pub verified: Stake,
    pub active: Stake,
    pub unbonded: Stake,
    pub expired: Stake,
    /// On Bitcoin at height 1, below the first params version.
    pub early: Stake,
    /// At index 0 of its block.
    pub coinbase: Stake,
    /// On Bitcoin for long, not registered.
    pub deep: Stake,
    /// Where `deep` is.
    pub deep_height: u32,
    /// Where `coinbase` is.
    pub coinbase_height: u32,
    /// Where `unbonded` was spent, with the spend.
    pub spent: (u32, bitcoin::Transaction),
    /// A height at which `one` has power and has voted, final and timestamped.
    pub settled: u64,
}

/// Changes fields of params.
pub fn altered(params: &StakingParams, change: impl FnOnce(&mut ParamsFields)) -> StakingParams {
    let mut fields = ParamsFields::from(params.clone());
    change(&mut fields);
    StakingParams::new(fields).unwrap()
}

/// Changes fields of a genesis' only params, which are returned.
pub fn alter_params(genesis: &mut Genesis, change: impl FnOnce(&mut ParamsFields)) -> StakingParams {
    let params = altered(genesis.staking_params.latest(), change);
    genesis.staking_params = ParamsHistory::new(vec![params.clone()]).unwrap();
    params
}

/// The genesis of the rule tests: nothing is zero that a rule compares with, and nobody goes to jail.
pub fn genesis_of_rules() -> Genesis {
    let mut genesis = genesis();
    alter_params(&mut genesis, |fields| {
        fields.btc_activation_height = BtcHeight::new(2);
        fields.min_commission_rate = "0.03".parse().unwrap();
        fields.delegation_creation_base_gas_fee = 1_000_000;
    });
    genesis.finality.activation_height = PosHeight::new(2);
    genesis.finality.signed_blocks_window = 100_000;
    genesis.authority = account("authority").account().clone();
    genesis.soft_deleted_finality_providers = vec![deleted().public()];
    genesis
}

/// A finality provider that is deleted before anybody registered it.
pub fn deleted() -> Provider {
    Provider::new("deleted", 2, 10)
}

impl Fixture {
    pub async fn build(w: &mut World) -> Self {
        let params = w.params.clone();
        let provider = |label: &str| Provider::new(label, 2, 3000);
        let (one, two, three) = (provider("provider-1"), provider("provider-2"), provider("provider-3"));
        let stake = |label: &str| Stake::new(&params, label, one.public(), 1000);
        let (early, coinbase, deep) = (stake("early"), stake("coinbase"), stake("deep"));
        w.mine(1, &[early.tx()]).await;
        let deep_height = w.mine(2, &[deep.tx()]).await;
        let coinbase_height = w.bitcoin.tip_height() + 1;
        let header = w.bitcoin.mine_at_front(coinbase.tx());
        w.report(&[header]).await.unwrap();
        for provider in [&one, &two, &three] {
            w.register(provider).await;
        }
        w.finalise_epochs().await;

        let (pending, verified, active, unbonded) =
            (stake("pending"), stake("verified"), stake("active"), stake("unbonded"));
        w.must("staker", &pending.registration(None)).await;
        w.must("covenant", &pending.covenant_sigs(0)).await;
        w.verified(&verified).await;
        w.activate(&active).await;
        w.activate(&unbonded).await;
        let expired = Stake::new(&params, "expired", one.public(), 10);
        w.activate(&expired).await;
        w.mine(3, &[]).await;
        let spend = unbonded.unbonding_tx();
        let spent_at = w.mine(1, &[&spend]).await;
        let report = unbonded.report(&spend, &w.bitcoin.prove(spent_at, &spend));
        w.must("watchtower", &report).await;

        let settled = w.activated().await;
        w.must("provider-1", &one.vote(settled, w.app_hash(settled).await)).await;
        w.finalise_epochs().await;
        let shown = btc_staking_babylon::proto::btcstaking::MsgSelectiveSlashingEvidence {
            signer: account("other").account().bech32().to_owned(),
            recovered_fp_btc_sk: three.key.signing_key().to_secret_bytes().to_vec(),
        };
        w.send("other", vec![any(&shown)]).await.unwrap();
        let spent = (spent_at, spend);
        Self {
            one,
            two,
            three,
            pending,
            verified,
            active,
            unbonded,
            expired,
            early,
            coinbase,
            deep,
            deep_height,
            coinbase_height,
            spent,
            settled,
        }
    }
}
