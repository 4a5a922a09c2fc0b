//! Epochs and their checkpoints, as clients see them go by.

use crate::support::{World, address, attribute};
use btc_staking_babylon::proto::{
    PageRequest, btccheckpoint as btc, checkpointing::*, epoching::*, monitor as mon,
};
use tendermint_rpc::Client;

/// The events of a block, as kind and phase.
async fn phases(w: &World, height: u64) -> Vec<(String, Option<String>)> {
    let results = w.client.block_results(u32::try_from(height).unwrap()).await.unwrap();
    let of = |event: &tendermint::abci::Event| {
        let mode = event.attributes.iter().find(|attribute| attribute.key_str().unwrap() == "mode");
        (event.kind.clone(), mode.map(|mode| mode.value_str().unwrap().to_owned()))
    };
    results.finalize_block_events.iter().map(of).collect()
}

fn checkpointing(name: &str, phase: Option<&str>) -> (String, Option<String>) {
    (format!("babylon.checkpointing.v1.{name}"), phase.map(str::to_owned))
}

async fn last_final(w: &World) -> Result<u64, String> {
    let request = QueryLastCheckpointWithStatusRequest { status: CheckpointStatus::Finalized.into() };
    let answer = w.query(request).await.map_err(|refused| refused.short())?;
    Ok(answer.raw_checkpoint.unwrap().epoch_num)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_sealed_confirmed_and_final_with_an_event_at_each_step() {
    let mut w = World::start().await;
    assert_eq!(last_final(&w).await, Err("sdk/18".to_owned()), "no epoch has ended");
    w.wait_for_height(6).await;
    assert_eq!(last_final(&w).await, Err("sdk/6".to_owned()), "epoch 0 has no checkpoint");
    let seen = phases(&w, 6).await;
    assert_eq!(seen[0], checkpointing("EventCheckpointSealed", None), "before the block begins");
    assert!(seen.contains(&("babylon.epoching.v1.EventBeginEpoch".into(), Some("BeginBlock".into()))));
    let ended = phases(&w, 5).await;
    assert!(ended.contains(&("babylon.epoching.v1.EventEndEpoch".into(), Some("EndBlock".into()))));

    let header = w.bitcoin.mine(&[]);
    w.report(&[header]).await.unwrap();
    let status = w.query(QueryEpochStatusRequest { epoch_num: 1 }).await.unwrap().status;
    assert_eq!(status, i32::from(CheckpointStatus::Sealed), "k is 2");
    let headers = [w.bitcoin.mine(&[]), w.bitcoin.mine(&[])];
    let included = w.report(&headers).await.unwrap();
    let seen = phases(&w, u64::from(included.height)).await;
    let at = |name| seen.iter().position(|event| *event == checkpointing(name, Some("EndBlock")));
    assert!(at("EventCheckpointConfirmed").unwrap() < at("EventCheckpointFinalized").unwrap());
    assert!(last_final(&w).await.unwrap() >= 1);
    let results = w.client.block_results(included.height).await.unwrap();
    let kind = "babylon.checkpointing.v1.EventCheckpointFinalized";
    let checkpoint = attribute(&results.finalize_block_events, kind, "checkpoint").unwrap();
    let checkpoint: serde_json::Value = serde_json::from_str(&checkpoint).unwrap();
    assert_eq!(checkpoint["ckpt"]["epoch_num"], "1");
    assert_eq!(checkpoint["status"], "CKPT_STATUS_FINALIZED");
    let life: Vec<&str> = checkpoint["lifecycle"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["state"].as_str().unwrap())
        .collect();
    assert_eq!(life, ["CKPT_STATUS_CONFIRMED", "CKPT_STATUS_FINALIZED"]);
    w.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_about_epochs_answers_from_the_same_records() {
    let mut w = World::start().await;
    w.mine(1, &[]).await;
    w.wait_for_height(11).await;
    w.mine(3, &[]).await;

    let epochs = w.query(QueryEpochsInfoRequest::default()).await.unwrap().epochs;
    assert_eq!(
        epochs[..3].iter().map(|e| (e.epoch_number, e.first_block_height)).collect::<Vec<_>>(),
        [(0, 0), (1, 1), (2, 6)]
    );
    let one = w.query(QueryEpochInfoRequest { epoch_num: 1 }).await.unwrap().epoch.unwrap();
    assert_eq!(one, epochs[1]);
    assert!(one.last_block_time.is_some() && one.sealer_app_hash_hex.len() == 64);
    let header = w.client.block(6u32).await.unwrap().block.header;
    assert_eq!(
        one.sealer_app_hash_hex,
        hex::encode(header.app_hash.as_bytes()),
        "as sealed by the next header"
    );
    assert_eq!(w.query(QueryEpochInfoRequest { epoch_num: 99 }).await.unwrap_err().short(), "sdk/6");
    let current = w.query(QueryCurrentEpochRequest {}).await.unwrap();
    assert_eq!(current.epoch_boundary, current.current_epoch * 5);

    let all = w.query(QueryRawCheckpointsRequest::default()).await.unwrap().raw_checkpoints;
    let raw = w.query(QueryRawCheckpointRequest { epoch_num: 2 }).await.unwrap().raw_checkpoint.unwrap();
    assert_eq!(all[1], raw);
    assert_eq!(raw.ckpt.as_ref().unwrap().block_hash_hex, epochs[2].sealer_block_hash);
    let list = QueryRawCheckpointListRequest { status: CheckpointStatus::Finalized.into(), pagination: None };
    let list = w.query(list).await.unwrap().raw_checkpoints;
    assert_eq!(list, all[..2]);
    let key = 2u64.to_be_bytes().to_vec();
    let paged =
        QueryRawCheckpointsRequest { pagination: Some(PageRequest { key, limit: 1, ..Default::default() }) };
    assert_eq!(w.query(paged).await.unwrap().raw_checkpoints, [raw]);
    let unknown = w.query(QueryRawCheckpointRequest { epoch_num: 99 }).await.unwrap_err();
    assert_eq!(unknown.short(), "sdk/6");
    assert!(unknown.log.contains("raw checkpoint does not exist"), "{}", unknown.log);
    let count = w.query(QueryRecentEpochStatusCountRequest { epoch_count: 2 }).await.unwrap();
    assert_eq!((count.epoch_count, count.status_count.values().sum::<u64>()), (2, 2));

    let keys = w.query(QueryBlsPublicKeyListRequest { epoch_num: 1, pagination: None }).await.unwrap();
    let validator = &keys.validator_with_bls_keys[0];
    assert_eq!((validator.bls_pub_key_hex.len(), validator.voting_power), (192, 1000));
    let val_addr = validator.validator_address.clone();
    let life = w.query(QueryValidatorLifecycleRequest { val_addr: val_addr.clone() }).await.unwrap();
    assert_eq!((life.val_addr, life.val_life[0].state_desc.as_str()), (val_addr, "BONDED"));
    let set = w.query(QueryEpochValSetRequest { epoch_num: 1, pagination: None }).await.unwrap();
    assert_eq!((set.validators.len(), set.total_voting_power), (1, 1000));
    let del_addr = address("staker");
    assert_eq!(w.query(QueryDelegationLifecycleRequest { del_addr }).await.unwrap().del_life, None);

    let none = w.query(QueryEpochMsgsRequest { epoch_num: 1, pagination: None }).await.unwrap();
    assert_eq!(none.msgs, []);
    let ahead = w.query(QueryEpochMsgsRequest { epoch_num: 99, pagination: None }).await.unwrap_err();
    assert!(ahead.log.contains("the epoch number is not known in DB"), "{}", ahead.log);
    let latest = QueryLatestEpochMsgsRequest { end_epoch: 2, epoch_count: 5, pagination: None };
    let latest = w.query(latest).await.unwrap().latest_epoch_msgs;
    assert_eq!(latest.iter().map(|list| list.epoch_number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(w.query(QueryLatestEpochMsgsRequest::default()).await.unwrap_err().short(), "sdk/6");

    let ended = mon::QueryEndedEpochBtcHeightRequest { epoch_num: 1 };
    let ended = w.query(ended).await.unwrap().btc_light_client_height;
    let later = w.query(mon::QueryEndedEpochBtcHeightRequest { epoch_num: 99 }).await.unwrap_err();
    assert!(later.log.contains("Epoch not ended yet"), "{}", later.log);
    let unseen = mon::QueryReportedCheckpointBtcHeightRequest { ckpt_hash: "00".repeat(32) };
    let unseen = w.query(unseen).await.unwrap_err();
    assert!(unseen.log.contains("Checkpoint not reported yet"), "{}", unseen.log);
    let info = w.query(btc::QueryBtcCheckpointInfoRequest { epoch_num: 1 }).await.unwrap().info.unwrap();
    assert_eq!(info.best_submission_btc_block_height, ended);
    assert_eq!(info.best_submission_btc_block_hash, w.bitcoin.header(ended).block_hash().to_string());
    let infos = w.query(btc::QueryBtcCheckpointsInfoRequest::default()).await.unwrap().info_list;
    assert_eq!(infos[0], info);
    let missing = w.query(btc::QueryBtcCheckpointInfoRequest { epoch_num: 99 }).await.unwrap_err();
    assert_eq!(missing.short(), "sdk/18");
    w.stop().await;
}
