//! The figures the crate is held to, each beside the libsecp256k1 operation it is a ratio of, so that both run on one machine
//! in one go. `docs/performance.md` has the results.
#![allow(missing_docs)] // a bench exports nothing but its group

use btc_staking_crypto::{
    adaptor::{AdaptorSignature, DecryptionKey},
    eots::{self, EotsSecretKey, PublicRandomness},
    key::SigningKey,
    merkle,
    nonce::{self, Scheme},
};
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};
use std::{hint::black_box, num::NonZeroUsize, time::Duration};

const BULK: usize = 50_000;
const DIGEST: [u8; 32] = [5; 32];
const AUX: [u8; 32] = [6; 32];

fn verification(c: &mut Criterion) {
    let keypair = Keypair::from_seckey_slice(SECP256K1, &[7; 32]).expect("in range");
    let (public, _) = keypair.x_only_public_key();
    let message = Message::from_digest(DIGEST);
    let schnorr = SECP256K1.sign_schnorr_no_aux_rand(&message, &keypair);

    let key = EotsSecretKey::from_bytes(&[7; 32]).expect("in range");
    let nonce = || nonce::derive(&key, Scheme::V1, b"bbn-1", 100);
    let randomness = nonce().public();
    let [s1, s2] = [[1; 40], [2; 40]].map(|vote| key.sign(nonce(), &vote).expect("signs"));

    let encryption_key = DecryptionKey::from_slice(&[8; 32]).expect("not zero").encryption_key();
    let signer = SigningKey::from_bytes(&[7; 32]).expect("in range");
    let adaptor = signer.sign_adaptor(&encryption_key, &DIGEST, &AUX).expect("signs");
    let bytes = adaptor.to_bytes();

    let mut group = quick(c, "verification");
    group.bench_function("libsecp256k1 schnorr verify", |b| {
        b.iter(|| SECP256K1.verify_schnorr(black_box(&schnorr), &message, &public))
    });
    group.bench_function("eots verify", |b| {
        b.iter(|| eots::verify(&public, &randomness, black_box(&[1; 40]), &s1))
    });
    group.bench_function("adaptor verify", |b| {
        b.iter(|| black_box(&adaptor).verify(&public, &encryption_key, &DIGEST))
    });
    group.bench_function("adaptor parse and verify", |b| {
        b.iter(|| {
            let adaptor = AdaptorSignature::from_slice(black_box(&bytes)).expect("well formed");
            adaptor.verify(&public, &encryption_key, &DIGEST)
        })
    });
    group.bench_function("eots extract", |b| {
        b.iter(|| eots::extract(&public, &randomness, black_box(&[1; 40]), &s1, &[2; 40], &s2).is_ok())
    });
}

fn signing(c: &mut Criterion) {
    let key = SigningKey::from_bytes(&[7; 32]).expect("in range");
    let keypair = Keypair::from_seckey_slice(SECP256K1, &[7; 32]).expect("in range");
    let message = Message::from_digest(DIGEST);
    let encryption_key = DecryptionKey::from_slice(&[8; 32]).expect("not zero").encryption_key();
    let (public, _) = keypair.x_only_public_key();
    let mut group = quick(c, "signing");
    group.bench_function("libsecp256k1 schnorr sign", |b| {
        b.iter(|| SECP256K1.sign_schnorr_with_aux_rand(black_box(&message), &keypair, &AUX))
    });
    group.bench_function("libsecp256k1 schnorr sign, verified", |b| {
        b.iter(|| {
            let signature = SECP256K1.sign_schnorr_with_aux_rand(black_box(&message), &keypair, &AUX);
            SECP256K1.verify_schnorr(&signature, &message, &public)
        })
    });
    group.bench_function("adaptor sign, unverified", |b| {
        b.iter(|| key.sign_adaptor_unverified(&encryption_key, black_box(&DIGEST), &AUX))
    });
    group.bench_function("adaptor sign, verified", |b| {
        b.iter(|| key.sign_adaptor(&encryption_key, black_box(&DIGEST), &AUX))
    });
}

fn randomness(c: &mut Criterion) {
    let key = EotsSecretKey::from_bytes(&[7; 32]).expect("in range");
    let derive = |threads| {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        nonce::public_randomness(&key, Scheme::V1, b"bbn-1", 1_000_000, BULK, threads).expect("in bounds")
    };
    let values = derive(2);
    let secrets: Vec<SecretKey> = values
        .iter()
        .filter_map(|value: &PublicRandomness| SecretKey::from_slice(value.as_bytes()).ok())
        .collect();

    let mut group = quick(c, "50,000 values");
    group.sample_size(10);
    group.bench_function("libsecp256k1 public keys", |b| {
        b.iter(|| black_box(&secrets).iter().map(|secret| secret.public_key(SECP256K1)).collect::<Vec<_>>())
    });
    for threads in [1, 2] {
        group.bench_function(format!("public randomness, {threads} threads"), |b| {
            b.iter(|| derive(black_box(threads)))
        });
    }
    group.bench_function("merkle root", |b| b.iter(|| merkle::root(black_box(&values))));
    group.bench_function("merkle tree with all proofs", |b| {
        b.iter(|| merkle::Tree::build(black_box(&values)))
    });
}

fn quick<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(50);
    group
}

criterion_group!(figures, verification, signing, randomness);
criterion_main!(figures);
