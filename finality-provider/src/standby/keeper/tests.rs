//! Forgetting, which comes too seldom to be waited for.

use super::*;
use crate::{
    records::Records,
    standby::{
        Setup,
        double::EngineDouble,
        engine::{Op, Txn},
        protocol::{build_initialise, names::Prefix, values::vote_text},
    },
};
use btc_staking_daemon::entropy::SeededEntropy;
use btc_staking_eots_manager::{keys::EotsKey, manager::EotsManager, records::SignRecords, signer::Local};
use btc_staking_protocol::finality::vote::VoteMessage;

fn vote(height: u64) -> VoteMessage {
    VoteMessage { height: PosHeight::new(height), app_hash: [1; 32] }
}

#[tokio::test]
async fn votes_far_below_the_highest_are_forgotten_and_barred_and_the_last_ones_are_kept() {
    const HIGHEST: u64 = KEPT + 1_500;
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
    let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
    let manager = EotsManager::new(SignRecords::open(directory.path()).unwrap(), [key]);
    manager.record_signed_elsewhere(&subject, &[vote(HIGHEST)], PosHeight::new(0)).unwrap();
    let engine = Arc::new(EngineDouble::default());
    let setup = Setup {
        inner: Arc::new(Local::new(Arc::new(manager))),
        engine: engine.clone(),
        prefix: "fp".parse::<Prefix>().unwrap(),
        name: "a".parse().unwrap(),
        lease: Duration::from_secs(60),
        subjects: vec![subject.clone()],
        records: Records::open(directory.path()).unwrap(),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    let keeper = Keeper { standby: Arc::new(Standby::new(setup).unwrap()), lease: Mutex::new(None) };
    let keys = keeper.standby.keys(&subject);
    engine.commit(build_initialise(&keys, PosHeight::new(0))).await.unwrap();
    let name = keeper.standby.me.name.clone();
    let put = |height| {
        let message = vote(height);
        Op::Put { key: keys.vote(message.height), value: vote_text(&message, &name), lease: None }
    };
    engine.commit(Txn::read((1..=HIGHEST).map(put).collect())).await.unwrap();
    keeper.begin_lease().await.unwrap();
    keeper.take_over(&subject).await.unwrap();
    let Seat::Held(token) = keeper.standby.seat(&subject) else { panic!("not taken over") };

    keeper.forget(&subject, &token).await.unwrap();

    let committed = engine.commit(build_check(&keys, &token, None)).await.unwrap();
    let crate::standby::protocol::Fenced::Held(Some(shared)) = read_check(&keys, committed).unwrap() else {
        panic!("not held")
    };
    assert_eq!(shared.low, PosHeight::new(HIGHEST - KEPT));
    assert_eq!(shared.votes[0].message, vote(HIGHEST - KEPT + 1));
    assert_eq!(keeper.standby.inner.history(&subject).await.unwrap().highest, Some(PosHeight::new(HIGHEST)));
    // Again: there is nothing to forget.
    let before = engine.with(|store| store.clone());
    keeper.forget(&subject, &token).await.unwrap();
    assert_eq!(engine.with(|store| store.clone()), before);
}
