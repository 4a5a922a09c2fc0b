//! An etcd that asks for certificates.

use crate::etcd::Cluster;
use btc_staking_eots_manager::channel::tls::TlsFiles;
use btc_staking_finality_provider::standby::{
    engine::{Engine, EngineError, Op, Txn},
    etcd::{ConnectError, Etcd},
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

/// The certificate of one end, of an authority that exists for it or is the one of another end.
struct Papers {
    authority: (rcgen::Certificate, KeyPair),
    files: TlsFiles,
}

fn papers(folder: &Path, name: &str, by: Option<&Papers>) -> Papers {
    let write = |kind: &str, text: String| {
        let path = folder.join(format!("{name}.{kind}"));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let authority = match by {
        Some(Papers { authority: (certificate, key), .. }) => (
            certificate.params().clone().self_signed(key).unwrap(),
            KeyPair::from_pem(&key.serialize_pem()).unwrap(),
        ),
        None => {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let key = KeyPair::generate().unwrap();
            (params.self_signed(&key).unwrap(), key)
        }
    };
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority.0, &authority.1).unwrap();
    let files = TlsFiles {
        certificate: write("crt", certificate.pem()),
        key: write("key", key.serialize_pem()),
        peers: by.map_or_else(|| write("authority", authority.0.pem()), |by| by.files.peers.clone()),
        fingerprints: Vec::new(),
    };
    Papers { authority, files }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_behind_mutual_tls_is_used_with_the_right_certificates_only() {
    let folder = tempfile::tempdir().unwrap();
    let member = papers(folder.path(), "member", None);
    let own = papers(folder.path(), "own", Some(&member));
    let foreign = papers(folder.path(), "foreign", None);
    let Some(cluster) = Cluster::start_with(1, Some(member.files.clone())) else { return };
    let read = || Txn::read(vec![Op::get("key")]);
    let connect =
        |files: &TlsFiles| Etcd::connect(&cluster.endpoints(), Some(files), Duration::from_secs(5)).unwrap();
    connect(&own.files).commit(read()).await.unwrap();
    // Of an authority that the members do not know, and one that does not know the members' authority.
    let unknown = TlsFiles { peers: own.files.peers.clone(), ..foreign.files.clone() };
    for files in [unknown, TlsFiles { peers: foreign.files.peers.clone(), ..own.files.clone() }] {
        let refused = connect(&files).commit(read()).await.unwrap_err();
        assert!(matches!(refused, EngineError::NoAnswer(_)), "{refused:?}");
    }
    let without = Etcd::connect(&cluster.endpoints(), None, Duration::from_secs(5));
    assert!(matches!(without, Err(ConnectError::Scheme(_))));
    let plain = cluster.endpoints()[0].replace("https", "http");
    let plain = Etcd::connect(&[plain], None, Duration::from_secs(5)).unwrap();
    assert!(matches!(plain.commit(read()).await, Err(EngineError::NoAnswer(_))));
}
