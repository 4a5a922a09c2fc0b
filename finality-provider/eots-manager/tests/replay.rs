//! Captured requests under the MAC of version 2: sent again, late, early, out of order, to other methods, with other
//! bodies and to another run of the server. None is accepted.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_daemon::entropy::{Entropy, SeededEntropy};
use btc_staking_eots_manager::{
    channel::{
        mac::{HEADER, MacGate, Session, build_header},
        replay::TOLERANCE_MS,
        secret::Secret,
    },
    service::Method,
};
use std::time::Duration;
use tonic::metadata::MetadataMap;

const CAPTURED: usize = 10_000;
const START: Duration = Duration::from_secs(1_700_000_000);

struct Captured {
    metadata: MetadataMap,
    method: Method,
    body: Vec<u8>,
    at: Duration,
}

fn secret() -> Secret {
    Secret::from_bytes(b"a secret of more than sixteen bytes")
}

fn gate(session: Session) -> MacGate {
    MacGate::new(secret(), session)
}

fn random(entropy: &SeededEntropy, below: usize) -> usize {
    usize::try_from(entropy.next_u64().unwrap()).unwrap() % below
}

fn metadata(value: &str) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert(HEADER, value.parse().unwrap());
    metadata
}

/// Signs requests to all methods that need a MAC, a millisecond or two apart.
fn capture(session: Session, entropy: &SeededEntropy) -> Vec<Captured> {
    let methods: Vec<_> = Method::ALL.into_iter().filter(|method| *method != Method::Ping).collect();
    let mut at = START;
    let request = |_| {
        at += Duration::from_millis(entropy.next_u64().unwrap() % 3);
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce).unwrap();
        let method = methods[random(entropy, methods.len())];
        let mut body = vec![0; random(entropy, 200)];
        entropy.fill(&mut body).unwrap();
        let header = build_header(&secret(), session, &nonce, at, method, &body);
        Captured { metadata: metadata(&header), method, body, at }
    };
    (0..CAPTURED).map(request).collect()
}

#[test]
fn no_captured_request_is_accepted_again() {
    let entropy = SeededEntropy::new(7);
    let (session, next) = (Session::draw(&entropy).unwrap(), Session::draw(&entropy).unwrap());
    let (gate, restarted) = (gate(session), gate(next));
    let captured = capture(session, &entropy);
    let mut accepted = 0;
    for request in &captured {
        // Before it was ever sent: to another method, with another body, to another run.
        for other in
            Method::ALL.into_iter().filter(|other| *other != request.method && *other != Method::Ping)
        {
            accepted += usize::from(gate.check(other, &request.metadata, &request.body, request.at).is_ok());
        }
        let longer = [request.body.as_slice(), &[0]].concat();
        accepted += usize::from(gate.check(request.method, &request.metadata, &longer, request.at).is_ok());
        accepted += usize::from(
            restarted.check(request.method, &request.metadata, &request.body, request.at).is_ok(),
        );
        for late in [START + Duration::from_secs(3_600), START - Duration::from_secs(3_600)] {
            accepted +=
                usize::from(gate.check(request.method, &request.metadata, &request.body, late).is_ok());
        }
        gate.check(request.method, &request.metadata, &request.body, request.at).unwrap();
        accepted +=
            usize::from(gate.check(request.method, &request.metadata, &request.body, request.at).is_ok());
    }
    // Sent again in any order, at any time, with the clock going back and forth.
    for _ in 0..CAPTURED {
        let request = &captured[random(&entropy, captured.len())];
        let now = START + Duration::from_millis(entropy.next_u64().unwrap() % (4 * TOLERANCE_MS));
        let check = gate.check(request.method, &request.metadata, &request.body, now);
        accepted += usize::from(check.is_ok());
    }
    assert_eq!(accepted, 0);
}

#[test]
fn requests_in_any_order_within_the_tolerance_are_each_accepted_once() {
    let entropy = SeededEntropy::new(8);
    let session = Session::draw(&entropy).unwrap();
    let gate = gate(session);
    let mut captured = capture(session, &entropy);
    let now = START + Duration::from_secs(15);
    while !captured.is_empty() {
        let request = captured.swap_remove(random(&entropy, captured.len()));
        gate.check(request.method, &request.metadata, &request.body, now).unwrap();
    }
}

#[test]
fn headers_that_are_no_mac_are_refused() {
    let entropy = SeededEntropy::new(9);
    let session = Session::draw(&entropy).unwrap();
    let gate = gate(session);
    let good = build_header(&secret(), session, &[1; 16], START, Method::SignEots, b"body");
    let wrong_secret = Secret::from_bytes(b"another secret, as long as that");
    let other = build_header(&wrong_secret, session, &[1; 16], START, Method::SignEots, b"body");
    let flipped: String = good.chars().rev().collect();
    for header in ["", "====", "AAAA", &good[..good.len() - 4], &format!("{good}AAAA"), &flipped, &other] {
        assert!(gate.check(Method::SignEots, &metadata(header), b"body", START).is_err(), "{header}");
    }
    assert!(gate.check(Method::SignEots, &MetadataMap::new(), b"body", START).is_err());
    gate.check(Method::SignEots, &metadata(&good), b"body", START).unwrap();
}
