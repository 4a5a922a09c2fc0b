//! The service over its doors: the answers and statuses that the established client depends on, and who is let in.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod served;

use bitcoin::{
    XOnlyPublicKey,
    secp256k1::{Message as Digest, PublicKey, SECP256K1, SecretKey, schnorr::Signature},
};
use btc_staking_eots_manager::{
    channel::{Authentication, Door, DoorError, header_mac::HeaderMac},
    grpc::client::Client,
    service::{Method, proto::*},
};
use prost::Message;
use served::*;
use sha2::{Digest as _, Sha256};
use std::time::{Duration, Instant};
use tonic::Code;

fn app_hash() -> [u8; 32] {
    Sha256::digest(b"app").into()
}

fn sign(uid: &[u8], msg: Vec<u8>, height: u64) -> SignEotsRequest {
    SignEotsRequest { uid: uid.to_vec(), chain_id: CHAIN.to_vec(), msg, height }
}

fn batch(uid: &[u8], votes: &[(u64, u8)]) -> SignBatchEotsRequest {
    let sign_requests = votes
        .iter()
        .map(|(height, block)| SignDataRequest { msg: vote(*height, [*block; 32]), height: *height });
    SignBatchEotsRequest {
        uid: uid.to_vec(),
        chain_id: CHAIN.to_vec(),
        sign_requests: sign_requests.collect(),
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> Code {
    answer.unwrap_err().code()
}

#[tokio::test]
async fn the_check_vectors_come_out_of_the_service() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    client.ping().await.unwrap();
    assert_eq!(hex::encode(&signer.uid), "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0");
    let request = |start_height, num, interval| CreateRandomnessPairListRequest {
        uid: signer.uid.clone(),
        chain_id: CHAIN.to_vec(),
        start_height,
        num,
        interval,
    };
    let list = async |request| {
        let answer = client.create_randomness_pair_list(&request).await.unwrap();
        answer.pub_rand_list.iter().map(hex::encode).collect::<Vec<_>>()
    };
    let (first, hundredth) = (
        "a432780b320b26617077c546d19473d9a609600950cb2b9970124e0dc82acb10",
        "b5bb229fa8d00245fb58fa60e5357fd6047aa48aeb2a9621488693a73fee9703",
    );
    assert_eq!(list(request(1, 2, Some(99))).await, [first, hundredth]);
    for consecutive in [None, Some(0), Some(1)] {
        let all = list(request(1, 100, consecutive)).await;
        assert_eq!((all.len(), all[0].as_str(), all[99].as_str()), (100, first, hundredth));
    }
    assert_eq!(list(request(1, 0, None)).await, Vec::<String>::new());
    let signed = client.sign_eots(&sign(&signer.uid, vote(100, app_hash()), 100)).await.unwrap();
    assert_eq!(hex::encode(signed.sig), "33c0583f327a1a7c1c8fd018185f5d5a404cb9f9472d29e542cb84b83bc32253");
}

#[tokio::test]
async fn a_second_vote_at_a_height_is_refused_alone_and_left_out_of_a_batch() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    let uid = signer.uid.clone();
    let first = client.sign_eots(&sign(&uid, vote(5, [1; 32]), 5)).await.unwrap();
    assert_eq!(client.sign_eots(&sign(&uid, vote(5, [1; 32]), 5)).await.unwrap(), first);
    let refused = client.sign_eots(&sign(&uid, vote(5, [2; 32]), 5)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("double sign"), "{refused}");

    let answer = client.sign_batch_eots(&batch(&uid, &[(4, 1), (5, 2), (6, 1)])).await.unwrap();
    assert_eq!(answer.responses.iter().map(|signed| signed.height).collect::<Vec<_>>(), [4, 6]);
    let again = client.sign_batch_eots(&batch(&uid, &[(5, 1), (6, 1)])).await.unwrap();
    assert_eq!(again.responses[0].sig, first.sig);
    assert_eq!(again.responses[1], answer.responses[1]);
    assert_eq!(code(client.sign_batch_eots(&batch(&uid, &[(7, 1), (7, 1)])).await), Code::InvalidArgument);
    assert_eq!(client.sign_batch_eots(&batch(&uid, &[])).await.unwrap().responses, []);
}

#[tokio::test]
async fn what_is_no_request_of_a_held_key_has_its_status() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    let uid = signer.uid.clone();
    let other = EXAMPLE.x_only_public_key().0.serialize();
    let good = sign(&uid, vote(9, [1; 32]), 9);
    assert_eq!(code(client.unsafe_sign_eots(&good).await), Code::PermissionDenied);
    let table = [
        (SignEotsRequest { uid: other.to_vec(), ..good.clone() }, Code::Unknown),
        (SignEotsRequest { uid: uid[1..].to_vec(), ..good.clone() }, Code::Unknown),
        (SignEotsRequest::default(), Code::Unknown),
        (SignEotsRequest { msg: vec![], ..good.clone() }, Code::InvalidArgument),
        (SignEotsRequest { msg: vec![0; 41], ..good.clone() }, Code::InvalidArgument),
        (SignEotsRequest { height: 10, ..good.clone() }, Code::InvalidArgument),
        (SignEotsRequest { chain_id: vec![], ..good.clone() }, Code::InvalidArgument),
        (SignEotsRequest { chain_id: vec![b'a'; 63], ..good.clone() }, Code::InvalidArgument),
        (SignEotsRequest { chain_id: vec![0xff], ..good.clone() }, Code::InvalidArgument),
    ];
    for (request, expected) in table {
        assert_eq!(code(client.sign_eots(&request).await), expected, "{request:?}");
    }
    // None of these took the height.
    client.sign_eots(&good).await.unwrap();
    assert_eq!(code(client.call(Method::SignEots, vec![0xff; 3]).await), Code::Internal);
    let too_large = client.call(Method::SignEots, vec![0; 17 << 20]).await;
    assert_eq!(code(too_large), Code::ResourceExhausted);
}

static EXAMPLE: std::sync::LazyLock<PublicKey> =
    std::sync::LazyLock::new(|| SecretKey::from_slice(&[9; 32]).unwrap().public_key(SECP256K1));

#[tokio::test]
async fn bip340_signatures_verify_and_other_lengths_are_refused() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    let ask = |msg: Vec<u8>| SignSchnorrSigRequest { uid: signer.uid.clone(), msg };
    let sig = client.sign_schnorr_sig(&ask(vec![7; 32])).await.unwrap().sig;
    let key = XOnlyPublicKey::from_slice(&signer.uid).unwrap();
    let digest = Digest::from_digest([7; 32]);
    SECP256K1.verify_schnorr(&Signature::from_slice(&sig).unwrap(), &digest, &key).unwrap();
    assert_eq!(client.sign_schnorr_sig(&ask(vec![7; 32])).await.unwrap().sig, sig);
    for length in [0, 31, 33] {
        assert_eq!(code(client.sign_schnorr_sig(&ask(vec![7; length])).await), Code::Unknown);
    }
}

#[tokio::test]
async fn a_name_is_given_once_to_a_held_key_and_is_no_authority() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    let key = SecretKey::from_slice(&SECRET_KEY).unwrap().public_key(SECP256K1);
    let ask = |name: &str, eots_pk: Vec<u8>| SaveEotsKeyNameRequest { key_name: name.to_owned(), eots_pk };
    let refused = [
        ask("operator", EXAMPLE.serialize().to_vec()),
        ask("operator", signer.uid.clone()),
        ask("", key.serialize().to_vec()),
    ];
    for request in refused {
        assert_eq!(code(client.save_eots_key_name(&request).await), Code::Unknown, "{request:?}");
    }
    client.save_eots_key_name(&ask("operator", key.serialize_uncompressed().to_vec())).await.unwrap();
    for name in ["operator", "another"] {
        assert_eq!(
            code(client.save_eots_key_name(&ask(name, key.serialize().to_vec())).await),
            Code::Unknown
        );
    }
    let mut another = Signer::new(true);
    let client = another.unix();
    client.save_eots_key_name(&ask("operator", key.serialize().to_vec())).await.unwrap();
}

#[tokio::test]
async fn a_locked_key_signs_once_it_is_unlocked_over_the_socket() {
    let mut signer = Signer::new(false);
    let socket = signer.unix();
    let tcp = header_client(signer.header_mac().await, SECRET);
    let request = sign(&signer.uid, vote(1, [1; 32]), 1);
    assert_eq!(code(socket.sign_eots(&request).await), Code::Unknown);
    let unlock =
        |passphrase: &str| UnlockKeyRequest { uid: signer.uid.clone(), passphrase: passphrase.to_owned() };
    assert_eq!(code(tcp.unlock_key(&unlock(PASSPHRASE)).await), Code::PermissionDenied);
    for wrong in ["", "another"] {
        assert_eq!(code(socket.unlock_key(&unlock(wrong)).await), Code::Unknown);
    }
    assert_eq!(code(socket.sign_eots(&request).await), Code::Unknown);
    for _ in 0..2 {
        socket.unlock_key(&unlock(PASSPHRASE)).await.unwrap();
    }
    assert_eq!(code(socket.unlock_key(&unlock("another")).await), Code::Unknown);
    socket.sign_eots(&request).await.unwrap();
}

#[tokio::test]
async fn backups_are_written_below_one_folder_while_the_signer_works() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    client.sign_eots(&sign(&signer.uid, vote(1, [1; 32]), 1)).await.unwrap();
    let ask = |below: &str| BackupRequest { db_path: "eots.db".to_owned(), backup_dir: below.to_owned() };
    let name = client.backup(&ask("daily")).await.unwrap().backup_name;
    assert!(signer.directory.path().join("backups/daily").join(name).is_dir());
    for below in ["/tmp", "../x", "daily/../../x"] {
        assert_eq!(code(client.backup(&ask(below)).await), Code::PermissionDenied, "{below}");
    }
}

#[tokio::test]
async fn the_header_mac_is_asked_of_every_method_but_two() {
    let mut signer = Signer::new(true);
    let address = signer.header_mac().await;
    let (known, unknown) = (header_client(address, SECRET), header_client(address, b"another"));
    for method in Method::ALL {
        let refused = unknown.call(method, vec![]).await;
        let exempt = matches!(method, Method::Ping | Method::SaveEotsKeyName);
        let is_unauthenticated = refused.is_err_and(|status| status.code() == Code::Unauthenticated);
        assert_eq!(is_unauthenticated, !exempt, "{method:?}");
        let let_in = known.call(method, vec![]).await;
        assert!(!let_in.is_err_and(|status| status.code() == Code::Unauthenticated), "{method:?}");
    }
    known.sign_eots(&sign(&signer.uid, vote(1, [1; 32]), 1)).await.unwrap();
    // Fields in another order: the MAC is over the order of their numbers.
    let request = sign(&signer.uid, vote(2, [1; 32]), 2);
    let [head, tail] =
        [SignEotsRequest { height: 2, ..Default::default() }, SignEotsRequest { height: 0, ..request }];
    let shuffled = [head.encode_to_vec(), tail.encode_to_vec()].concat();
    assert_eq!(code(known.call(Method::SignEots, shuffled).await), Code::Unauthenticated);
}

#[tokio::test]
async fn the_second_mac_is_asked_of_every_method_but_ping() {
    let mut signer = Signer::new(true);
    let address = signer.mac_v2().await;
    let (known, unknown) =
        (v2_client(address, SECRET), v2_client(address, b"another secret, as long as that"));
    unknown.ping().await.unwrap();
    for method in Method::ALL.into_iter().filter(|method| *method != Method::Ping) {
        assert_eq!(code(unknown.call(method, vec![]).await), Code::Unauthenticated, "{method:?}");
        let let_in = known.call(method, vec![]).await;
        assert!(!let_in.is_err_and(|status| status.code() == Code::Unauthenticated), "{method:?}");
    }
    let header = header_client(address, SECRET);
    assert_eq!(code(header.call(Method::SignEots, vec![]).await), Code::Unauthenticated);
    let signed = known.sign_eots(&sign(&signer.uid, vote(1, [1; 32]), 1)).await.unwrap();
    assert_eq!(signed.sig.len(), 32);
}

#[tokio::test]
async fn a_client_of_the_second_mac_goes_on_after_the_server_was_started_anew() {
    let mut signer = Signer::new(true);
    let address = signer.mac_v2().await;
    let client = v2_client(address, SECRET);
    let request = sign(&signer.uid, vote(1, [1; 32]), 1);
    let before = client.sign_eots(&request).await.unwrap();
    signer.close();
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = signer.mac_v2_at(&address.to_string()).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::task::yield_now().await;
    }
    // The connection broke, so the first call after it may fail; none may fail for want of the new session.
    let after = loop {
        match client.sign_eots(&request).await {
            Ok(after) => break after,
            Err(status) => assert_ne!(status.code(), Code::Unauthenticated, "{status}"),
        }
        assert!(Instant::now() < deadline);
    };
    assert_eq!(after, before);
}

#[tokio::test]
async fn nothing_beyond_loopback_is_listened_on() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let authentication = Authentication::Header(HeaderMac::new(secret()));
        let door = Door::tcp(address.parse().unwrap(), authentication).await;
        assert!(matches!(door, Err(DoorError::NotLoopback(_))), "{address}");
    }
}

#[tokio::test]
async fn many_calls_at_a_time_are_all_answered_and_one_height_has_one_vote() {
    let mut signer = Signer::new(true);
    signer.unix();
    let path = signer.socket();
    let calls = (0..200u8).map(|i| {
        let (path, uid) = (path.clone(), signer.uid.clone());
        tokio::spawn(async move {
            let client = Client::unix(&path).unwrap();
            client.sign_eots(&sign(&uid, vote(1, [i; 32]), 1)).await
        })
    });
    let mut signed = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(_) => signed += 1,
            Err(status) => assert_eq!(status.code(), Code::FailedPrecondition, "{status}"),
        }
    }
    assert_eq!(signed, 1);
}

/// Its client gives a height up for good on FailedPrecondition, and this one may be signed once the operator has spoken.
#[tokio::test]
async fn a_key_without_a_history_on_a_chain_is_refused_with_what_to_do_and_no_height_is_given_up() {
    let mut signer = Signer::new(true);
    let client = signer.unix();
    let elsewhere = b"another-chain".to_vec();
    let single = SignEotsRequest { chain_id: elsewhere.clone(), ..sign(&signer.uid, vote(5, [1; 32]), 5) };
    let many = SignBatchEotsRequest { chain_id: elsewhere, ..batch(&signer.uid, &[(5, 1), (6, 1)]) };
    for refused in
        [client.sign_eots(&single).await.unwrap_err(), client.sign_batch_eots(&many).await.unwrap_err()]
    {
        assert_eq!(refused.code(), Code::Unknown);
        assert!(refused.message().contains("--chain another-chain"), "{}", refused.message());
    }
}
