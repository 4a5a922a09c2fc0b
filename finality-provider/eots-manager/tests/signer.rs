//! The contract of a signer, kept alike by the one in this process and by the one in another, whatever the way to it.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod served;

use btc_staking_daemon::entropy::{Entropy, SeededEntropy};
use btc_staking_eots_manager::{
    grpc::client::Client,
    keys::EotsKey,
    manager::BatchAnswer,
    records::Subject,
    service::{MAX_BATCH, Method, OwnMethod},
    signer::{
        History, Local, RefusedReason, Remote, Signer, SignerError, VoteAnswer,
        proto::{self, PublicKeys, VoteBatchRequest},
    },
};
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::{AccountAddress, FinalityProviderPublicKey},
};
use prost::Message;
use served::{
    CHAIN, SECRET, header_client,
    papers::{self, Authority, Papers},
    v2_client,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn message(height: u64, block: u8) -> VoteMessage {
    VoteMessage { height: h(height), app_hash: [block; 32] }
}

fn subject(server: &served::Signer) -> Subject {
    Subject {
        finality_provider: FinalityProviderPublicKey::from_slice(&server.uid).unwrap(),
        chain_id: std::str::from_utf8(CHAIN).unwrap().parse().unwrap(),
    }
}

fn another_key() -> FinalityProviderPublicKey {
    EotsKey::from_secret_bytes(&[9; 32]).unwrap().public_key()
}

fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[7; 20]).unwrap()
}

fn refused<T: std::fmt::Debug>(answer: Result<T, SignerError>) -> RefusedReason {
    match answer.unwrap_err() {
        SignerError::Refused(refused) => refused.reason,
        other => panic!("not a refusal: {other}"),
    }
}

fn signed(answers: Vec<VoteAnswer>) -> Vec<SignedVote> {
    answers.into_iter().map(|answer| answer.result.unwrap()).collect()
}

/// Every way to ask, each with a signer of its own that has signed nothing yet.
async fn each_way(check: impl AsyncFn(&dyn Signer, Subject)) {
    let server = served::Signer::new(true);
    check(&Local::new(server.manager()), subject(&server)).await;
    let mut server = served::Signer::new(true);
    check(&Remote::new(server.unix()), subject(&server)).await;
    let mut server = served::Signer::new(true);
    check(&Remote::new(v2_client(server.mac_v2().await, SECRET)), subject(&server)).await;
    let (papers, authority) = (Papers::new(), Authority::new());
    let peers = papers.peers("authority", &authority);
    let mut server = served::Signer::new(true);
    let address =
        papers::serve(&mut server, &papers.certificate("signer", Some(&authority), &peers, 10)).await;
    let remote = papers::client(address, &papers.certificate("daemon", Some(&authority), &peers, 10));
    check(&Remote::new(remote), subject(&server)).await;
}

async fn committed(signer: &dyn Signer, subject: &Subject, start: u64, count: u64) -> CommittedRandomness {
    signer.sign_commitment(subject, h(start), count).await.unwrap().content()
}

#[tokio::test]
async fn votes_are_whole_and_the_same_vote_gets_the_same_answer() {
    each_way(async |signer, subject| {
        let range = committed(signer, &subject, 10, 20).await;
        let votes: Vec<_> = (10..30).map(|height| message(height, 1)).collect();
        let answers = signer.vote_batch(&subject, votes.clone(), range).await.unwrap();
        assert_eq!(signer.vote_batch(&subject, votes.clone(), range).await.unwrap(), answers);
        let signed = signed(answers);
        assert_eq!(signed.iter().map(|vote| vote.message).collect::<Vec<_>>(), votes);
        for vote in &signed {
            assert_eq!(vote.finality_provider, subject.finality_provider);
            vote.check(&range).unwrap();
        }
        assert_eq!(signer.vote_batch(&subject, vec![], range).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn another_vote_gets_the_evidence_in_its_place_and_hinders_no_other() {
    each_way(async |signer, subject| {
        let range = committed(signer, &subject, 1, 9).await;
        signed(signer.vote_batch(&subject, vec![message(5, 1)], range).await.unwrap());
        signer.raise_watermark(&subject, h(3)).await.unwrap();
        let votes = vec![message(6, 1), message(5, 2), message(2, 1), message(6, 2)];
        let answers = signer.vote_batch(&subject, votes, range).await.unwrap();
        let Ok([BatchAnswer { result: Ok(_), .. }, conflict, below, second]) =
            <[VoteAnswer; 4]>::try_from(answers)
        else {
            panic!("the height that was free got no signature")
        };
        let reason = |answer: VoteAnswer| answer.result.unwrap_err().reason;
        let double = |recorded, requested| RefusedReason::DoubleSign { recorded, requested };
        assert_eq!(conflict.height, h(5));
        assert!(conflict.result.as_ref().unwrap_err().text.contains("double sign refused"));
        assert_eq!(reason(conflict), double(message(5, 1), message(5, 2)));
        assert_eq!(reason(second), double(message(6, 1), message(6, 2)));
        assert_eq!(reason(below), RefusedReason::BelowWatermark(h(3)));
    })
    .await;
}

#[tokio::test]
async fn the_history_is_that_of_the_records_and_a_watermark_never_falls() {
    each_way(async |signer, subject| {
        assert_eq!(signer.public_keys().await.unwrap(), [subject.finality_provider]);
        let new = History { initialised: true, ..History::default() };
        assert_eq!(signer.history(&subject).await.unwrap(), new);
        signer.raise_watermark(&subject, h(100)).await.unwrap();
        signer.raise_watermark(&subject, h(7)).await.unwrap();
        let history = signer.history(&subject).await.unwrap();
        let barred = History {
            initialised: true,
            highest: Some(h(100)),
            low_watermark: Some(h(100)),
            high_watermark: None,
        };
        assert_eq!(history, barred);
        let range = committed(signer, &subject, 100, 10).await;
        signed(signer.vote_batch(&subject, vec![message(105, 1)], range).await.unwrap());
        let history = signer.history(&subject).await.unwrap();
        assert_eq!(history, History { highest: Some(h(105)), ..barred });
        let elsewhere = Subject { chain_id: "bbn-2".parse().unwrap(), ..subject };
        assert_eq!(signer.history(&elsewhere).await.unwrap(), History::default());
    })
    .await;
}

#[tokio::test]
async fn commitments_and_proofs_of_possession_verify_and_foreign_ones_are_refused() {
    each_way(async |signer, subject| {
        let commitment = signer.sign_commitment(&subject, h(50), 8).await.unwrap();
        commitment.verify_signature().unwrap();
        assert_eq!((commitment.start_height, commitment.count), (h(50), 8));
        let range = commitment.content();
        signer.check_commitment(&subject, range).await.unwrap();
        let foreign = CommittedRandomness { root: [9; 32], ..range };
        let randomness = RefusedReason::Randomness;
        assert_eq!(refused(signer.check_commitment(&subject, foreign).await), randomness);
        assert_eq!(refused(signer.vote_batch(&subject, vec![message(50, 1)], foreign).await), randomness);
        let outside = vec![message(50, 1), message(58, 1)];
        assert_eq!(refused(signer.vote_batch(&subject, outside, range).await), randomness);
        assert_eq!(refused(signer.sign_commitment(&subject, h(1), 0).await), randomness);
        assert_eq!(refused(signer.sign_commitment(&subject, h(u64::MAX), 2).await), randomness);

        let possession = signer.sign_possession(&subject.finality_provider, &account()).await.unwrap();
        possession.verify(subject.finality_provider.x_only(), &account()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_not_held_is_refused_by_every_method() {
    each_way(async |signer, subject| {
        let range = committed(signer, &subject, 1, 4).await;
        let other = Subject { finality_provider: another_key(), ..subject };
        let unknown = RefusedReason::UnknownKey;
        assert_eq!(refused(signer.vote_batch(&other, vec![message(1, 1)], range).await), unknown);
        assert_eq!(refused(signer.sign_commitment(&other, h(1), 4).await), unknown);
        assert_eq!(refused(signer.check_commitment(&other, range).await), unknown);
        assert_eq!(refused(signer.sign_possession(&another_key(), &account()).await), unknown);
        assert_eq!(refused(signer.raise_watermark(&other, h(1)).await), unknown);
        assert_eq!(signer.history(&other).await.unwrap(), History::default());
    })
    .await;
}

#[tokio::test]
async fn a_key_without_history_on_a_chain_signs_nothing_there() {
    each_way(async |signer, subject| {
        let elsewhere = Subject { chain_id: "bbn-2".parse().unwrap(), ..subject };
        assert_eq!(signer.history(&elsewhere).await.unwrap(), History::default());
        let none = RefusedReason::NoHistory;
        assert!(!none.gives_height_up(), "the height can be voted on once there is a history");
        assert_eq!(refused(signer.sign_commitment(&elsewhere, h(1), 4).await), none);
    })
    .await;
}

#[tokio::test]
async fn both_ways_to_one_signer_give_the_same_bytes() {
    let mut server = served::Signer::new(true);
    let subject = subject(&server);
    let local = Local::new(server.manager());
    let remote = Remote::new(server.unix());
    let range = committed(&local, &subject, 1, 64).await;
    assert_eq!(committed(&remote, &subject, 1, 64).await, range);
    let votes: Vec<_> = (1..=64).map(|height| message(height, 3)).collect();
    let here = local.vote_batch(&subject, votes.clone(), range).await.unwrap();
    assert_eq!(remote.vote_batch(&subject, votes, range).await.unwrap(), here);
    let key = subject.finality_provider;
    assert_eq!(
        remote.sign_possession(&key, &account()).await.unwrap(),
        local.sign_possession(&key, &account()).await.unwrap()
    );
}

#[tokio::test]
async fn a_signer_that_is_gone_is_unreachable_until_it_is_back() {
    let mut server = served::Signer::new(true);
    let subject = subject(&server);
    let remote = Remote::new(Client::unix(&server.socket()).unwrap());
    let gone = remote.history(&subject).await.unwrap_err();
    assert!(matches!(gone, SignerError::Unreachable(_)), "{gone}");
    server.unix();
    remote.history(&subject).await.unwrap();
    server.close();
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.socket().exists() || remote.history(&subject).await.is_ok() {
        assert!(Instant::now() < deadline, "the signer does not stop");
        tokio::task::yield_now().await;
    }
    server.unix();
    while let Err(error) = remote.history(&subject).await {
        assert!(matches!(error, SignerError::Unreachable(_)), "{error}");
        assert!(Instant::now() < deadline, "the signer is not found again");
    }
}

#[tokio::test]
async fn a_mac_that_is_good_for_any_method_lets_nobody_at_this_service() {
    let mut server = served::Signer::new(true);
    let remote = Remote::new(header_client(server.header_mac().await, SECRET));
    let answer = remote.history(&subject(&server)).await;
    assert_eq!(refused(answer), RefusedReason::Other);
}

#[tokio::test]
async fn a_large_batch_is_asked_in_parts_and_a_larger_message_not_at_all() {
    let mut server = served::Signer::new(true);
    let subject = subject(&server);
    let client = server.unix();
    let range = committed(&Local::new(server.manager()), &subject, 1, 4).await;
    let request = |count: usize| VoteBatchRequest {
        subject: Some((&subject).into()),
        range: Some((&range).into()),
        votes: vec![(&message(1, 1)).into(); count],
    };
    let call =
        async |count| client.call(Method::Own(OwnMethod::VoteBatch), request(count).encode_to_vec()).await;
    assert_eq!(call(MAX_BATCH + 1).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    let votes = vec![message(1, 1); MAX_BATCH + 1];
    let answers = Remote::new(Client::unix(&server.socket()).unwrap())
        .vote_batch(&subject, votes, range)
        .await
        .unwrap();
    assert_eq!(answers.len(), MAX_BATCH + 1);
    assert!(answers.iter().all(|answer| answer == &answers[0]));
}

#[tokio::test]
async fn requests_that_say_nothing_are_refused_by_name() {
    let mut server = served::Signer::new(true);
    let client = server.unix();
    let who = proto::Subject::from(&subject(&server));
    let short = proto::Subject { key: vec![1; 31], ..who.clone() };
    let long = proto::Subject { chain_id: "a".repeat(63), ..who.clone() };
    let history = |subject| proto::HistoryRequest { subject }.encode_to_vec();
    let votes = |range: Option<proto::Range>, app_hash: Vec<u8>| {
        let votes = vec![proto::Vote { height: 1, app_hash }];
        VoteBatchRequest { subject: Some(who.clone()), range, votes }.encode_to_vec()
    };
    let range = |root: Vec<u8>| Some(proto::Range { start_height: 1, count: 2, root });
    let table = [
        (OwnMethod::History, history(None), "missing"),
        (OwnMethod::History, history(Some(short)), "key"),
        (OwnMethod::History, history(Some(long)), "chain id"),
        (OwnMethod::VoteBatch, votes(None, vec![1; 32]), "commitment"),
        (OwnMethod::VoteBatch, votes(range(vec![1; 31]), vec![1; 32]), "root"),
        (OwnMethod::VoteBatch, votes(range(vec![1; 32]), vec![1; 33]), "app hash"),
    ];
    for (method, body, word) in table {
        let status = client.call(Method::Own(method), body).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{method:?}");
        assert!(status.message().contains(word), "{word}: {status}");
    }
    let keys = client.call(Method::Own(OwnMethod::PublicKeys), vec![]).await.unwrap();
    assert_eq!(PublicKeys::decode(keys.as_slice()).unwrap().keys, [server.uid.clone()]);
}

#[tokio::test]
async fn many_askers_at_a_time_get_one_vote_for_a_height() {
    let mut server = served::Signer::new(true);
    let subject = subject(&server);
    server.unix();
    let range = committed(&Local::new(server.manager()), &subject, 1, 4).await;
    let askers: Vec<Arc<dyn Signer>> = (0..6)
        .map(|i| match i % 2 {
            0 => Arc::new(Local::new(server.manager())) as Arc<dyn Signer>,
            _ => Arc::new(Remote::new(Client::unix(&server.socket()).unwrap())),
        })
        .collect();
    let asked = (0..60u8).map(|block| {
        let (signer, subject) = (Arc::clone(&askers[usize::from(block) % askers.len()]), subject.clone());
        tokio::spawn(
            async move { signer.vote_batch(&subject, vec![message(2, block)], range).await.unwrap() },
        )
    });
    let mut votes = 0;
    for answers in asked.collect::<Vec<_>>() {
        for answer in answers.await.unwrap() {
            match answer.result {
                Ok(_) => votes += 1,
                Err(refused) => assert!(matches!(refused.reason, RefusedReason::DoubleSign { .. })),
            }
        }
    }
    assert_eq!(votes, 1);
}

/// Not a message, a message of another method, a message cut short: each gets a status, and nothing is recorded.
#[tokio::test]
async fn noise_is_answered_with_a_status_and_leaves_no_trace() {
    let mut server = served::Signer::new(true);
    let subject = subject(&server);
    let client = server.unix();
    let whole = VoteBatchRequest {
        subject: Some((&subject).into()),
        range: Some(proto::Range { start_height: 1, count: 4, root: vec![7; 32] }),
        votes: vec![(&message(1, 1)).into()],
    }
    .encode_to_vec();
    let entropy = SeededEntropy::new(11);
    for round in 0..300 {
        let mut body = vec![0; usize::try_from(entropy.next_u64().unwrap() % 120).unwrap()];
        entropy.fill(&mut body).unwrap();
        if round % 2 == 0 {
            body = whole[..whole.len() * round / 300].to_vec();
        }
        for method in Method::ALL {
            // Whatever it is taken for: votes are signed only under a commitment of this key.
            if let Err(status) = client.call(method, body.clone()).await {
                assert_ne!(status.code(), tonic::Code::Unavailable, "{method:?} {body:02x?}");
            }
        }
    }
    let untouched = History { initialised: true, ..History::default() };
    assert_eq!(Local::new(server.manager()).history(&subject).await.unwrap(), untouched);
}
