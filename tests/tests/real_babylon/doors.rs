//! The gRPC door: every question again, and the worked checks of `wire.md` 9 that can be put to a node.

use crate::{
    queries::{self, Question},
    rules::Fixture,
    shape,
    support::{World, account, any, grpc::Client},
};
use btc_staking_babylon::{
    proto::{Query as _, btcstaking::QueryBTCDelegationRequest, epoching::QueryEpochValSetRequest},
    tx::build_simulation,
};
use tonic::{Code, Request};

/// What a door said to every question: the answer's shape, or the status.
async fn said(w: &World, f: &Fixture) -> Vec<(Question, Result<String, (Code, String)>)> {
    let mut client = Client::connect(w).await;
    let mut all = vec![];
    for question in queries::questions(w, f) {
        let answer = client.send(question.path, Request::new(question.data.clone())).await;
        let said = match answer {
            Ok(answer) => Ok(shape::of(&(question.read)(answer.get_ref()).0)),
            Err(status) => Err((status.code(), status.message().to_owned())),
        };
        all.push((question, said));
    }
    all
}

/// Puts every question to both doors and returns what differs, in words.
pub async fn differences(real: (&World, &Fixture), embedded: (&World, &Fixture)) -> Vec<String> {
    let (real, embedded) = tokio::join!(said(real.0, real.1), said(embedded.0, embedded.1));
    let mut wrong = vec![];
    for ((question, node), (_, ours)) in real.iter().zip(&embedded) {
        let alike = match (node, ours) {
            (Ok(node), Ok(ours)) => node == ours,
            (Err(node), Err(ours)) => (node.0, registered(&node.1)) == (ours.0, registered(&ours.1)),
            _ => false,
        };
        let both = format!("gRPC {}\n  node: {node:?}\n  ours: {ours:?}", question.what);
        match queries::excuse(question.path) {
            _ if alike && node == ours => {}
            _ if alike => println!("{both}"),
            Some(why) => println!("{both}\n  since {why}"),
            None => wrong.push(both),
        }
    }
    wrong
}

/// The registered error a status names, with its text where nothing is put before it.
fn registered(message: &str) -> Option<&str> {
    let (named, _) = message.strip_prefix("codespace ")?.split_once(": ")?;
    Some(named)
}

/// The rows of `wire.md` 9 about doors, byte for byte but for the gas and the place of a failed simulation.
pub async fn check_worked_rows(w: &World, f: &Fixture) {
    let unknown = || QueryBTCDelegationRequest { staking_tx_hash_hex: "ab".repeat(32) };
    let refused = w.query(unknown()).await.unwrap_err();
    assert_eq!(refused.short(), "sdk/6");
    assert_eq!(refused.log, "the BTC delegation is not found: unknown request");
    let mut client = Client::connect(w).await;
    let status = client.ask(QueryBTCDelegationRequest::PATH, &unknown()).await.unwrap_err();
    let told = "codespace btcstaking code 1102: the BTC delegation is not found";
    assert_eq!((status.code(), status.message()), (Code::Unknown, told));

    let vote = any(&f.one.vote(w.node.height() + 500, [1; 32]));
    let refused = w.simulate("provider-1", vec![vote.clone()]).await.unwrap_err();
    assert_eq!(refused.short(), "sdk/6");
    let told = refused.log.strip_prefix("rpc error: code = Unknown desc = ").unwrap();
    check_failed_simulation(told.strip_suffix(": unknown request").unwrap());

    let simulation = build_simulation(&account("provider-1"), w.state("provider-1").await, vec![vote]);
    let status = client.ask("/cosmos.tx.v1beta1.Service/Simulate", &simulation).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    check_failed_simulation(status.message());
}

/// The epoch a validator set is asked of must have begun, though the answer is always of the one under way.
pub async fn check_epoch_ahead(w: &World) {
    let ahead = QueryEpochValSetRequest { epoch_num: 9_999, pagination: None };
    let refused = w.query(ahead).await.unwrap_err();
    assert_eq!(refused.short(), "sdk/6");
    assert_eq!(refused.log, "the epoch number is not known in DB: unknown request");
    let begun = QueryEpochValSetRequest { epoch_num: 0, pagination: None };
    assert_eq!(w.query(begun).await.unwrap().validators.len(), 1);
}

/// `... Block is not found [PLACE] with gas used: 'N'`.
fn check_failed_simulation(told: &str) {
    let words = "failed to execute message; message index: 0: Block is not found [";
    let (place, gas) = told.strip_prefix(words).unwrap().split_once("] with gas used: '").unwrap();
    assert!(place.ends_with("/baseapp/baseapp.go:1051"), "{told}");
    assert!(gas.strip_suffix('\'').unwrap().parse::<u64>().unwrap() > 0, "{told}");
}
