//! What only some chains have: allow lists, a clock that jumps, Bitcoin reorgs.

use super::support::{
    Refused, World, address, any, attribute, genesis, provider::Provider, set_clock::SetClock, stake::Stake,
};
use bitcoin::consensus::serialize;
use btc_staking_babylon::proto::{
    Description,
    btclightclient::MsgInsertHeaders,
    btcstaking::{MsgEditFinalityProvider, QueryFinalityProviderRequest, QueryLargestBtcReOrgRequest},
};
use btc_staking_devnet_chain::{Broken, Clock, Node, NodeConfig};
use btc_staking_protocol::params::{ParamsFields, ParamsHistory, StakingParams};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_reporters_and_of_stakes_are_respected() {
    let mut genesis = genesis();
    genesis.insert_headers_allow_list = vec![super::support::account("reporter").account().clone()];
    let mut fields = ParamsFields::from(genesis.staking_params.latest().clone());
    fields.allow_list_expiration_height = 1_000_000;
    genesis.staking_params = ParamsHistory::new(vec![StakingParams::new(fields).unwrap()]).unwrap();
    let mut world = World::start_with(genesis).await;
    let header = serialize(&world.bitcoin.mine(&[]));
    let stranger = MsgInsertHeaders { signer: address("other"), headers: vec![header.clone()] };
    let refused = world.send("other", vec![any(&stranger)]).await.unwrap_err();
    assert_eq!(refused.short(), "btclightclient/1106", "{refused:?}");
    let known = MsgInsertHeaders { signer: address("reporter"), headers: vec![header] };
    world.must("reporter", &known).await;

    let provider = Provider::new("provider-1", 1, 100);
    world.must("provider-1", &provider.registration()).await;
    let stake = Stake::new(&world.params, "unlisted", provider.public(), 1000);
    let refused = world.send("staker", vec![any(&stake.registration(None))]).await.unwrap_err();
    assert_eq!(refused.short(), "btcstaking/1108", "{refused:?}");
    assert!(refused.log.contains("allow list"), "{refused:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commission_changes_once_a_day_within_its_bounds() {
    const DAY: i64 = 24 * 60 * 60;
    let clock = Arc::new(SetClock::at(1_800_000_000));
    let mut genesis = genesis();
    let mut fields = ParamsFields::from(genesis.staking_params.latest().clone());
    fields.min_commission_rate = "0.045".parse().unwrap();
    genesis.staking_params = ParamsHistory::new(vec![StakingParams::new(fields).unwrap()]).unwrap();
    let world = World::start_on_clock(genesis, Arc::clone(&clock) as Arc<dyn Clock>).await;
    let provider = Provider::new("provider-1", 1, 100);
    world.must("provider-1", &provider.registration()).await; // 0.05, at most 0.2, by at most 0.01
    let edit = |commission: &str| MsgEditFinalityProvider {
        addr: address("provider-1"),
        btc_pk: provider.public().to_bytes().to_vec(),
        description: Some(Description { moniker: "renamed".into(), ..Default::default() }),
        commission: Some(commission.to_owned()),
    };
    let change = async |commission: &str| -> Result<(), Refused> {
        world.send("provider-1", vec![any(&edit(commission))]).await.map(|_| ())
    };
    assert_eq!(change("51000000000000000").await.unwrap_err().short(), "staking/12");
    clock.advance(DAY);
    world.next_block().await;
    for (commission, expected) in [
        ("44000000000000000", "btcstaking/1111"),
        ("210000000000000000", "staking/11"),
        ("60000000000000001", "staking/15"),
    ] {
        assert_eq!(change(commission).await.unwrap_err().short(), expected, "{commission}");
    }
    change("60000000000000000").await.unwrap();
    assert_eq!(change("59000000000000000").await.unwrap_err().short(), "staking/12");
    let request = QueryFinalityProviderRequest { fp_btc_pk_hex: provider.public().to_string() };
    let told = world.query(request).await.unwrap().finality_provider.unwrap();
    assert_eq!(told.commission, "60000000000000000");
    assert_eq!(told.description.unwrap().moniker, "renamed");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_reorg_is_accounted_for_and_one_of_k_blocks_halts_the_chain() {
    let mut world = World::start().await; // k is 2
    world.mine(5, &[]).await;
    let before = world.bitcoin.tip();
    world.bitcoin.fork(1);
    let branch = vec![world.bitcoin.mine(&[]), world.bitcoin.mine(&[])];
    let included = world.report(&branch).await.unwrap();
    let kind = "babylon.btclightclient.v1.EventBTCRollBack";
    let from = attribute(&included.tx_result.events, kind, "rollback_from").unwrap();
    assert!(from.contains(&before.block_hash().to_string()), "{from}");
    let largest = world.query(QueryLargestBtcReOrgRequest {}).await.unwrap();
    assert_eq!(largest.block_diff, 1);
    assert_eq!(largest.rollback_from.unwrap().hash_hex, before.block_hash().to_string());
    world.next_block().await;

    world.bitcoin.fork(2);
    let branch: Vec<_> = (0..3).map(|_| world.bitcoin.mine(&[])).collect();
    let headers = branch.iter().map(serialize).collect();
    let fatal = any(&MsgInsertHeaders { signer: address("reporter"), headers });
    let state = world.state("reporter").await;
    let gas = btc_staking_babylon::tx::GasAndFee { limit: super::support::GAS, fee: 50_000 };
    let account = super::support::account("reporter");
    let signed = btc_staking_babylon::tx::sign_tx(&account, super::support::CHAIN, state, vec![fatal], gas);
    let mut halted = world.node.halted();
    use tendermint_rpc::Client;
    let bytes = signed.unwrap().bytes;
    assert!(world.client.broadcast_tx_sync(bytes.clone()).await.unwrap().code.is_ok());
    let reason = halted.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(matches!(reason, Broken::Halt(_)), "{reason}");
    let height = world.node.height();
    // Reads go on, writes do not, and the block that would have halted is not there.
    world.client.status().await.unwrap();
    let refused = world.client.broadcast_tx_sync(vec![1]).await.unwrap_err().to_string();
    assert!(refused.contains("reaches the confirmation depth"), "{refused}");
    assert_eq!(world.node.height(), height);
    // Nor after a restart, although the transaction that led to the halt is gone.
    let data = world.stop_and_keep().await;
    let mut config = NodeConfig::new(genesis(), data.path());
    config.block_time = std::time::Duration::from_millis(200);
    let node = Node::start(config).await.unwrap();
    assert_eq!(*node.halted().borrow(), Some(reason));
    let client = tendermint_rpc::HttpClient::new(format!("http://{}", node.rpc_addr()).as_str()).unwrap();
    let refused = client.broadcast_tx_sync(bytes).await.unwrap_err().to_string();
    assert!(refused.contains("reaches the confirmation depth"), "{refused}");
    assert_eq!(node.height(), height);
    node.stop().await;
}
