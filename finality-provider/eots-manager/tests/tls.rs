//! Mutual TLS: who gets in, and that nothing but a request made by its sender, for its method, now, is answered.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod served;

use btc_staking_daemon::{
    clock::SystemClock,
    entropy::{Entropy, OsEntropy, SeededEntropy},
};
use btc_staking_eots_manager::{
    channel::{
        DoorError,
        mac::SESSION_HEADER,
        tls::{Fingerprint, TlsError, TlsFiles},
    },
    cli::config::{NoAuthentication, Scheme, Tcp},
    grpc::client::Client,
    service::{
        Method, OwnMethod,
        proto::{SignEotsRequest, UnlockKeyRequest},
    },
    signer::{Remote, Signer, SignerAddress, SignerError},
};
use served::{
    CHAIN, PASSPHRASE, SECRET,
    papers::{Authority, Papers, client, serve},
    secret, vote,
};
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};
use tonic::Code;

fn fingerprint(files: &TlsFiles) -> Fingerprint {
    let text = fs::read(&files.certificate).unwrap();
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(&text);
    let der: rustls::pki_types::CertificateDer<'_> = der.unwrap();
    Fingerprint::of(&der)
}

/// Every answer of the signer names its session; what failed on the way does not.
fn check_unanswered(status: &tonic::Status) {
    assert!(status.metadata().get(SESSION_HEADER).is_none(), "answered: {status}");
}

async fn gets_in(address: SocketAddr, files: &TlsFiles) -> bool {
    let answer = client(address, files).call(Method::Own(OwnMethod::PublicKeys), Vec::new()).await;
    answer.inspect_err(check_unanswered).is_ok()
}

#[tokio::test]
async fn only_certificates_of_the_named_authority_that_are_in_their_time_get_in() {
    let (papers, ours, theirs) = (Papers::new(), Authority::new(), Authority::new());
    let (our_peers, their_peers) = (papers.peers("ours", &ours), papers.peers("theirs", &theirs));
    let mut server = served::Signer::new(true);
    let address = serve(&mut server, &papers.certificate("server", Some(&ours), &our_peers, 10)).await;

    let good = papers.certificate("good", Some(&ours), &our_peers, 10);
    assert!(gets_in(address, &good).await);
    let refused = [
        ("of another authority", papers.certificate("other", Some(&theirs), &our_peers, 10)),
        ("of no authority", papers.certificate("own", None, &our_peers, 10)),
        ("expired", papers.certificate("expired", Some(&ours), &our_peers, -1)),
        ("that expects another authority of the server", TlsFiles { peers: their_peers, ..good.clone() }),
    ];
    for (what, files) in refused {
        assert!(!gets_in(address, &files).await, "a certificate {what}");
    }
    assert!(gets_in(address, &good).await);

    let expired = papers.certificate("expired-server", Some(&ours), &our_peers, -1);
    assert!(!gets_in(serve(&mut server, &expired).await, &good).await, "an expired server");
    let (name, clock) = ("another.name".parse().unwrap(), Arc::new(SystemClock::new()));
    let elsewhere = Client::tls(&address.to_string(), name, good.read().unwrap(), secret(), clock).unwrap();
    check_unanswered(&elsewhere.ping().await.unwrap_err());
}

#[tokio::test]
async fn a_caller_without_a_certificate_or_without_tls_gets_no_answer() {
    let (papers, ours) = (Papers::new(), Authority::new());
    let peers = papers.peers("ours", &ours);
    let mut server = served::Signer::new(true);
    let address = serve(&mut server, &papers.certificate("server", Some(&ours), &peers, 10)).await;

    let plain = served::v2_client(address, SECRET);
    check_unanswered(&plain.ping().await.unwrap_err());

    let mut roots = rustls::RootCertStore::empty();
    roots.add(ours.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    // In TLS 1.3 this end is done before the other has looked; the first byte read shows that it refused.
    let refused = match connector.connect("localhost".try_into().unwrap(), tcp).await {
        Err(_) => true,
        Ok(mut stream) => tokio::io::AsyncReadExt::read(&mut stream, &mut [0]).await.is_err(),
    };
    assert!(refused);
    let good = papers.certificate("good", Some(&ours), &peers, 10);
    assert!(gets_in(address, &good).await);
}

#[tokio::test]
async fn fingerprints_narrow_an_authority_to_single_certificates_on_either_end() {
    let (papers, ours) = (Papers::new(), Authority::new());
    let peers = papers.peers("ours", &ours);
    let (one, other) = (
        papers.certificate("one", Some(&ours), &peers, 10),
        papers.certificate("two", Some(&ours), &peers, 10),
    );
    let server_files = papers.certificate("server", Some(&ours), &peers, 10);
    let mut server = served::Signer::new(true);
    let narrowed = TlsFiles { fingerprints: vec![fingerprint(&one)], ..server_files.clone() };
    let address = serve(&mut server, &narrowed).await;
    assert!(gets_in(address, &one).await);
    assert!(!gets_in(address, &other).await);
    let knows = |files: &TlsFiles| TlsFiles { fingerprints: vec![fingerprint(files)], ..one.clone() };
    assert!(gets_in(address, &knows(&server_files)).await);
    assert!(!gets_in(address, &knows(&other)).await, "the server is another one");
}

#[tokio::test]
async fn two_self_signed_certificates_that_name_each_other_need_no_authority() {
    let papers = Papers::new();
    let nobody = papers.write("nobody", "");
    let server_files = papers.certificate("server", None, &nobody, 10);
    let caller = papers.certificate("caller", None, &server_files.certificate, 10);
    let stranger = papers.certificate("stranger", None, &server_files.certificate, 10);
    let mut server = served::Signer::new(true);
    let files = TlsFiles { peers: caller.certificate.clone(), ..server_files };
    let address = serve(&mut server, &files).await;
    assert!(gets_in(address, &caller).await);
    assert!(!gets_in(address, &stranger).await);
}

#[tokio::test]
async fn a_certificate_without_the_mac_and_a_key_others_can_read_are_refused() {
    let (papers, ours) = (Papers::new(), Authority::new());
    let peers = papers.peers("ours", &ours);
    let mut server = served::Signer::new(true);
    let address = serve(&mut server, &papers.certificate("server", Some(&ours), &peers, 10)).await;
    let good = papers.certificate("good", Some(&ours), &peers, 10);
    let (name, clock) = ("localhost".parse().unwrap(), Arc::new(SystemClock::new()));
    let wrong =
        btc_staking_eots_manager::channel::secret::Secret::from_bytes(b"another secret, as long as that");
    let stranger = Client::tls(&address.to_string(), name, good.read().unwrap(), wrong, clock).unwrap();
    stranger.ping().await.unwrap();
    for method in Method::ALL.into_iter().filter(|method| *method != Method::Ping) {
        let status = stranger.call(method, Vec::new()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{method:?}");
    }
    fs::set_permissions(&good.key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(good.read(), Err(TlsError::Exposed(_))));
    let no_key = TlsFiles { key: good.certificate.clone(), ..good.clone() };
    assert!(matches!(no_key.read(), Err(TlsError::Pem { what: "private key", .. })));
    let no_peers = TlsFiles { peers: papers.write("empty", ""), key: papers.write("key", "x"), ..good };
    assert!(no_peers.read().is_err());
}

#[tokio::test]
async fn a_door_beyond_loopback_needs_mutual_tls_and_the_mac_that_cannot_be_replayed() {
    let (papers, ours) = (Papers::new(), Authority::new());
    let peers = papers.peers("ours", &ours);
    let tls = papers.certificate("server", Some(&ours), &peers, 10);
    let source = format!("file:{}", papers.write("secret", std::str::from_utf8(SECRET).unwrap()).display());
    let tcp = |authentication, tls| Tcp {
        address: "0.0.0.0:0".parse().unwrap(),
        authentication,
        secret: source.clone(),
        tls,
    };
    for authentication in [Scheme::MacV2, Scheme::HeaderMac] {
        let door =
            tcp(authentication, None).entry(&OsEntropy).unwrap().open(tcp(authentication, None).address);
        assert!(matches!(door.await, Err(DoorError::NotLoopback(_))));
    }
    let replayable = tcp(Scheme::HeaderMac, Some(tls.clone())).entry(&OsEntropy);
    assert!(matches!(replayable, Err(NoAuthentication::ReplayableOverTls)));
    let wide = tcp(Scheme::MacV2, Some(tls));
    wide.entry(&OsEntropy).unwrap().open(wide.address).await.unwrap();
}

#[tokio::test]
async fn a_key_is_unlocked_and_votes_are_signed_over_mutual_tls() {
    let (papers, ours) = (Papers::new(), Authority::new());
    let peers = papers.peers("ours", &ours);
    let mut server = served::Signer::new(false);
    let address = serve(&mut server, &papers.certificate("server", Some(&ours), &peers, 10)).await;
    let good = papers.certificate("good", Some(&ours), &peers, 10);
    let client = client(address, &good);
    let unlock = UnlockKeyRequest { uid: server.uid.clone(), passphrase: PASSPHRASE.to_owned() };
    client.unlock_key(&unlock).await.unwrap();
    let request = SignEotsRequest {
        uid: server.uid.clone(),
        chain_id: CHAIN.to_vec(),
        msg: vote(1, [1; 32]),
        height: 1,
    };
    client.sign_eots(&request).await.unwrap();

    let secret = papers.write("secret", std::str::from_utf8(SECRET).unwrap());
    let configured = SignerAddress {
        address: Some(address.to_string()),
        secret: Some(format!("file:{}", secret.display())),
        tls: Some(good),
        tls_name: Some("localhost".to_owned()),
        ..SignerAddress::default()
    };
    let remote = configured.open(Arc::new(SystemClock::new())).unwrap();
    let keys = remote.public_keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.to_bytes().to_vec()).collect::<Vec<_>>(), [server.uid.clone()]);
    let by_address = SignerAddress { tls_name: None, ..configured };
    by_address.open(Arc::new(SystemClock::new())).unwrap().public_keys().await.unwrap();
}

/// Somebody between the two who copies every byte and plays it to the signer again gets nothing: the handshake is new
/// each time.
#[tokio::test]
async fn bytes_of_a_connection_that_are_played_again_get_no_answer() {
    let (papers, ours) = (Papers::new(), Authority::new());
    let peers = papers.peers("ours", &ours);
    let mut server = served::Signer::new(true);
    let address = serve(&mut server, &papers.certificate("server", Some(&ours), &peers, 10)).await;
    let good = papers.certificate("good", Some(&ours), &peers, 10);
    let (between, copied) = eavesdrop(address).await;
    let remote = Remote::new(client(between, &good));
    remote.public_keys().await.unwrap();
    let copied = copied.lock().unwrap().clone();
    assert!(copied.len() > 500);
    let mut again = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut again, &copied).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut again, &mut answer);
    // It answers the greeting, which is public, and then finds the rest made for another connection.
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().ok();
    assert!(answer.len() < 5_000);
    assert!(matches!(gone(&remote).await, None | Some(SignerError::Unreachable(_))));
}

async fn gone(remote: &Remote) -> Option<SignerError> {
    remote.public_keys().await.err()
}

/// Passes bytes on to an address and keeps those of the caller.
async fn eavesdrop(to: SocketAddr) -> (SocketAddr, Arc<std::sync::Mutex<Vec<u8>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let copied = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&copied);
    tokio::spawn(async move {
        let (caller, _) = listener.accept().await.unwrap();
        let (mut from_caller, mut to_caller) = caller.into_split();
        let (mut from_signer, mut to_signer) = tokio::net::TcpStream::connect(to).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_signer, &mut to_caller).await });
        let mut buffer = vec![0; 4096];
        while let Ok(count @ 1..) = tokio::io::AsyncReadExt::read(&mut from_caller, &mut buffer).await {
            kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            if tokio::io::AsyncWriteExt::write_all(&mut to_signer, &buffer[..count]).await.is_err() {
                break;
            }
        }
    });
    (address, copied)
}

#[test]
fn fingerprints_are_read_as_openssl_prints_them_and_nothing_else() {
    let mut bytes = [0; 32];
    SeededEntropy::new(3).fill(&mut bytes).unwrap();
    let plain = Fingerprint::of(&bytes).to_string();
    let pairs: Vec<_> = plain.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    assert_eq!(pairs.join(":").to_uppercase().parse::<Fingerprint>(), plain.parse());
    for wrong in ["", "ab", &plain[2..], &format!("{plain}00"), "sha256"] {
        assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
    }
}
