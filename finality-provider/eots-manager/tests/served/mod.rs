//! A signer with two keys, served in this process.
#![allow(dead_code)] // each test uses its part

pub mod papers;

use btc_staking_daemon::{
    clock::SystemClock,
    entropy::{OsEntropy, SeededEntropy},
    keyfile::{KdfParams, Strength},
    passphrase::Passphrase,
    tasks::StopSource,
};
use btc_staking_eots_manager::{
    channel::{
        Authentication, Door, DoorError,
        header_mac::HeaderMac,
        mac::{MacGate, Session},
        secret::Secret,
    },
    grpc::{
        Server,
        client::{Client, Credentials},
    },
    keyfiles::store_key,
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
    service::{BackupFolder, Service, Vault},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;

pub const SECRET: &[u8] = b"a secret of more than sixteen bytes";
pub const PASSPHRASE: &str = "passphrase of the tests";
/// Any free port.
const FREE: &str = "127.0.0.1:0";
pub const CHAIN: &[u8] = b"bbn-1";
/// Where the key was declared new.
const NEW_ON: [&str; 3] = ["bbn-1", "bbn-test-6", "a"];
/// Bytes 01 to 20 in hexadecimal, as in the check vectors.
pub const SECRET_KEY: [u8; 32] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    29, 30, 31, 32,
];

pub struct Signer {
    pub directory: TempDir,
    pub uid: Vec<u8>,
    service: Arc<Service>,
    stops: Vec<StopSource>,
}

impl Signer {
    /// Opens a new signer with one key, unlocked or not.
    pub fn new(unlocked: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eots.key");
        let key = EotsKey::from_secret_bytes(&SECRET_KEY).unwrap();
        let uid = key.public_key().to_bytes().to_vec();
        let passphrase = Passphrase::new(PASSPHRASE.to_owned()).unwrap();
        let params = KdfParams::insecure_for_tests();
        store_key(&path, &key, &passphrase, params, &SeededEntropy::new(1)).unwrap();
        let vault = Vault::new([path], Strength::InsecureAllowed).unwrap();
        SignRecords::create(directory.path()).unwrap();
        let records = SignRecords::open(directory.path()).unwrap();
        for chain_id in NEW_ON {
            let chain_id = chain_id.parse().unwrap();
            records.declare_new(&Subject { finality_provider: key.public_key(), chain_id }).unwrap();
        }
        let manager = EotsManager::locked(records, vault.keys());
        if unlocked {
            manager.unlock(key).unwrap();
        }
        let data = directory.path().to_owned();
        let backups = BackupFolder::new(data.join("backups"), data);
        let service = Arc::new(Service::new(Arc::new(manager), vault, Some(backups)));
        Self { directory, uid, service, stops: Vec::new() }
    }

    pub fn manager(&self) -> Arc<EotsManager> {
        Arc::clone(self.service.manager())
    }

    pub fn serve(&mut self, door: Door) {
        let stop = StopSource::new();
        let server = Arc::new(Server::new(Arc::clone(&self.service), Arc::new(SystemClock::new())));
        tokio::spawn(server.serve(door, stop.stop()));
        self.stops.push(stop);
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("eots.sock")
    }

    /// Over its Unix socket.
    pub fn unix(&mut self) -> Client {
        self.serve(Door::unix(self.socket()).unwrap());
        Client::unix(&self.socket()).unwrap()
    }

    /// Over loopback, with the header MAC.
    pub async fn header_mac(&mut self) -> SocketAddr {
        self.tcp(FREE, Authentication::Header(HeaderMac::new(secret()))).await.unwrap()
    }

    /// Over loopback, with the MAC of version 2, as a server that was just started.
    pub async fn mac_v2(&mut self) -> SocketAddr {
        self.mac_v2_at(FREE).await.unwrap()
    }

    /// The same at a certain address.
    pub async fn mac_v2_at(&mut self, address: &str) -> Result<SocketAddr, DoorError> {
        let gate = MacGate::new(secret(), Session::draw(&OsEntropy).unwrap());
        self.tcp(address, Authentication::V2(gate)).await
    }

    async fn tcp(&mut self, address: &str, authentication: Authentication) -> Result<SocketAddr, DoorError> {
        let door = Door::tcp(address.parse().unwrap(), authentication).await?;
        let address = door.place().unwrap().parse().unwrap();
        self.serve(door);
        Ok(address)
    }

    /// Stops every door opened so far.
    pub fn close(&mut self) {
        self.stops.drain(..).for_each(|stop| stop.trigger());
    }
}

pub fn secret() -> Secret {
    Secret::from_bytes(SECRET)
}

pub fn header_client(address: SocketAddr, secret: &[u8]) -> Client {
    Client::tcp(address, Credentials::Header(Secret::from_bytes(secret))).unwrap()
}

pub fn v2_client(address: SocketAddr, secret: &[u8]) -> Client {
    let clock = Arc::new(SystemClock::new());
    Client::tcp(address, Credentials::V2(Secret::from_bytes(secret), clock)).unwrap()
}

/// The message of a vote.
pub fn vote(height: u64, app_hash: [u8; 32]) -> Vec<u8> {
    [height.to_be_bytes().as_slice(), &app_hash].concat()
}
