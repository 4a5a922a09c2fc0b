use super::*;
use crate::{
    keys::Phrase,
    stake::{EndReason, example},
    wallet::{NextAddress, Wallet},
};
use bitcoin::hashes::sha256;
use btc_staking_bitcoin_node::{BlockRef, follower::Cursor};
use btc_staking_protocol::height::BtcHeight;

fn records(dir: &tempfile::TempDir) -> Records {
    Records::open(&dir.path().join("data")).unwrap()
}
fn descriptors() -> WalletDescriptors {
    let words =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    Phrase::parse(words).unwrap().keys(Network::Regtest).wallet_descriptors()
}
fn identity() -> Identity {
    Identity {
        network: Network::Regtest,
        chain_id: "devnet".to_owned(),
        staker: example::staker().public_key(),
        account: example::account(),
        descriptors: descriptors(),
    }
}
fn block(height: u32) -> BlockRef {
    let hash = bitcoin::BlockHash::from_byte_array(sha256::Hash::hash(&height.to_be_bytes()).to_byte_array());
    BlockRef { height: BtcHeight::new(height), hash }
}
fn confirmation(height: u32) -> Confirmation {
    Confirmation { block: block(height), index: 1, tx: example::signed_tx(), siblings: vec![[3; 32]] }
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (stake, txid) = (example::stake(), example::stake().txid());
    let mut wallet = Wallet::create(&descriptors(), Network::Regtest).unwrap();
    let cursor = Cursor::starting_at(BtcHeight::new(7), 10);
    let address = {
        let records = records(&dir);
        records.record_identity(&identity(), wallet.take_changes()).unwrap();
        wallet.reserve([example::coin()]);
        records.record_stake(&stake, wallet.take_changes()).unwrap();
        let address = wallet.address(NextAddress::New);
        records.record_wallet(wallet.take_changes()).unwrap();
        records.record_step(&txid, &Step::Registered, None).unwrap();
        records.record_unbonding(&txid, &example::signed_tx()).unwrap();
        records.record_withdrawal(&example::signed_tx(), None).unwrap();
        let spend = Spend { spender: confirmation(9), input_index: 0 };
        let facts = [
            WatchFact::Confirmed { txid, confirmation: confirmation(8) },
            WatchFact::Spent { outpoint: example::coin(), spend },
        ];
        records.record_blocks(&cursor, &facts, None).unwrap();
        address
    };
    let records = records(&dir);
    assert_eq!(records.identity().unwrap(), Some(identity()));
    let expected = Stake { step: Step::Registered, unbonding: Some(example::signed_tx()), ..stake };
    assert_eq!(records.stakes().unwrap(), [expected]);
    assert_eq!(records.withdrawals().unwrap(), [example::signed_tx()]);
    let known = records.known().unwrap();
    assert_eq!(known.cursor, Some(cursor));
    assert_eq!(known.confirmations, [confirmation(8)]);
    assert_eq!(known.spends.len(), 1);
    let stored = records.wallet().unwrap();
    let mut wallet = Wallet::load(stored, &descriptors(), Network::Regtest).unwrap().unwrap();
    assert!(wallet.is_reserved(example::coin()));
    assert_ne!(wallet.address(NextAddress::New), address, "an address is shown as new only once");
}

#[test]
fn a_disconnected_block_takes_its_facts_back() {
    let dir = tempfile::tempdir().unwrap();
    let (records, txid) = (records(&dir), example::stake().txid());
    let cursor = Cursor::starting_at(BtcHeight::new(7), 10);
    let spend = Spend { spender: confirmation(9), input_index: 0 };
    let came = [
        WatchFact::Confirmed { txid, confirmation: confirmation(8) },
        WatchFact::Spent { outpoint: example::coin(), spend },
    ];
    records.record_blocks(&cursor, &came, None).unwrap();
    let went = [
        WatchFact::Unspent { outpoint: example::coin(), block: block(9) },
        WatchFact::Unconfirmed { txid, block: block(8) },
    ];
    records.record_blocks(&cursor, &went, None).unwrap();
    let known = records.known().unwrap();
    assert_eq!((known.confirmations.len(), known.spends.len()), (0, 0));
}

#[test]
fn the_wallets_rows_are_merged_when_there_are_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut wallet = Wallet::create(&descriptors(), Network::Regtest).unwrap();
    {
        let records = records(&dir);
        records.record_identity(&identity(), wallet.take_changes()).unwrap();
        for _ in 0..WALLET_ROWS {
            wallet.address(NextAddress::New);
            records.record_wallet(wallet.take_changes()).unwrap();
        }
    }
    let records = records(&dir);
    let stored = records.wallet().unwrap();
    assert_eq!(stored.len(), 1);
    let mut again = Wallet::load(stored, &descriptors(), Network::Regtest).unwrap().unwrap();
    assert_eq!(again.address(NextAddress::New), wallet.address(NextAddress::New));
    records.record_wallet(again.take_changes()).unwrap();
    assert_eq!(records.wallet().unwrap().len(), 2, "rows go on after the merged one");
}

#[test]
fn a_second_process_is_told_that_the_folder_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let _first = records(&dir);
    let second = Records::open(&dir.path().join("data")).map(|_| ()).unwrap_err();
    assert!(second.is_locked());
}

#[test]
fn steps_of_unknown_stakes_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(&dir);
    let step = Step::Ended(EndReason::Abandoned);
    records.record_step(&example::stake().txid(), &step, None).unwrap();
    assert_eq!(records.stakes().unwrap(), []);
}

#[test]
fn another_wallets_rows_are_refused() {
    let mut wallet = Wallet::create(&descriptors(), Network::Regtest).unwrap();
    let stored = wallet.take_changes();
    let words = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong";
    let other = Phrase::parse(words).unwrap().keys(Network::Regtest).wallet_descriptors();
    assert!(Wallet::load(stored.clone(), &other, Network::Regtest).is_err());
    assert!(Wallet::load(stored, &descriptors(), Network::Signet).is_err());
}
