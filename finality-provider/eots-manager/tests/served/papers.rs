//! Certificates for tests, and both ends that show them.

use super::{Signer, secret};
use btc_staking_daemon::{clock::SystemClock, entropy::OsEntropy};
use btc_staking_eots_manager::{
    channel::{
        Door,
        mac::{MacGate, Session},
        tls::TlsFiles,
    },
    grpc::client::Client,
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use time::OffsetDateTime;

const DAY: time::Duration = time::Duration::DAY;

pub struct Authority {
    pub certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }
}

/// A folder with certificates.
pub struct Papers(TempDir);

impl Papers {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub fn peers(&self, name: &str, authority: &Authority) -> PathBuf {
        self.write(name, &authority.certificate.pem())
    }

    /// A certificate for this host, by an authority or by itself, that ends so many days from now.
    pub fn certificate(&self, name: &str, by: Option<&Authority>, peers: &Path, days: i64) -> TlsFiles {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = OffsetDateTime::now_utc() - DAY * 10;
        params.not_after = OffsetDateTime::now_utc() + DAY * i32::try_from(days).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = match by {
            Some(authority) => params.signed_by(&key, &authority.certificate, &authority.key),
            None => params.self_signed(&key),
        };
        let certificate = certificate.unwrap();
        TlsFiles {
            certificate: self.write(&format!("{name}.crt"), &certificate.pem()),
            key: self.write(&format!("{name}.key"), &key.serialize_pem()),
            peers: peers.to_owned(),
            fingerprints: Vec::new(),
        }
    }
}

/// Opens a door for whom the papers know.
pub async fn serve(server: &mut Signer, files: &TlsFiles) -> SocketAddr {
    let gate = MacGate::new(secret(), Session::draw(&OsEntropy).unwrap());
    let door = Door::tls("127.0.0.1:0".parse().unwrap(), files.read().unwrap(), gate).await.unwrap();
    let address = door.place().unwrap().parse().unwrap();
    server.serve(door);
    address
}

/// A client that shows its papers.
pub fn client(address: SocketAddr, files: &TlsFiles) -> Client {
    let (name, clock) = ("localhost".parse().unwrap(), Arc::new(SystemClock::new()));
    Client::tls(&address.to_string(), name, files.read().unwrap(), secret(), clock).unwrap()
}
