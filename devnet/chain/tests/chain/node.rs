//! The node over its real RPC, asked by tendermint-rpc's client.

use btc_staking_devnet_chain::{Genesis, Node, NodeConfig};
use std::time::Duration;
use tendermint_rpc::{Client, HttpClient};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_makes_blocks_that_the_client_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::new(Genesis::default_genesis("chain-test", vec![]), dir.path());
    config.block_time = Duration::from_millis(200);
    let node = Node::start(config).await.unwrap();
    let client = HttpClient::new(format!("http://{}", node.rpc_addr()).as_str()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), async {
        while node.height() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    client.health().await.unwrap();
    let status = client.status().await.unwrap();
    assert_eq!(status.node_info.network.as_str(), "chain-test");
    let (first, second) = (client.block(1u32).await.unwrap(), client.block(2u32).await.unwrap());
    assert_eq!(second.block.header.last_block_id, Some(first.block_id));
    assert_eq!(first.block.header.hash(), first.block_id.hash);
    let results = client.block_results(1u32).await.unwrap();
    assert_eq!(results.app_hash, second.block.header.app_hash);
    client.commit(2u32).await.unwrap();
    client.header(2u32).await.unwrap();
    client.blockchain(1u32, 3u32).await.unwrap();
    client.validators(2u32, tendermint_rpc::Paging::All).await.unwrap();
    client.abci_info().await.unwrap();
    client.net_info().await.unwrap();
    client.genesis::<serde_json::Value>().await.unwrap();
    client.consensus_params(1u32).await.unwrap();
    let missing = client.block(1000u32).await.unwrap_err().to_string();
    assert!(missing.contains("must be less than or equal to the current blockchain height"), "{missing}");
    node.stop().await;
}
