//! Homes of validators: keys, genesis and configuration in the files CometBFT 0.38 reads.
//!
//! What the configuration does not set keeps CometBFT's default. Keys follow from the chain id and the validator's
//! number, are written into the home in the clear and are worth nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use btc_staking_devnet_chain::Genesis;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};
use tendermint::{Time, private_key::Ed25519};

/// Voting power of each validator.
const POWER: &str = "10";

/// Where a validator listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// Its application.
    pub(super) abci: SocketAddr,
    /// Its RPC.
    pub(super) rpc: SocketAddr,
    /// Its peers.
    pub(super) p2p: SocketAddr,
}

/// A validator's home.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub(super) folder: PathBuf,
    pub(super) ports: Ports,
}

/// An Ed25519 key as CometBFT keeps it.
struct Key {
    seed: [u8; 32],
    public: [u8; 32],
}

impl Ports {
    /// Finds free ports for `count` validators. They are all held until the last one is found, so none comes twice.
    pub(super) fn take(count: usize) -> io::Result<Vec<Self>> {
        let listeners = (0..count * 3).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let of_three = |three: &[SocketAddr]| Self { abci: three[0], rpc: three[1], p2p: three[2] };
        Ok(addresses.chunks_exact(3).map(of_three).collect())
    }
}

impl Key {
    fn derive(label: &str) -> io::Result<Self> {
        let seed: [u8; 32] = Sha256::digest(label).into();
        let secret = Ed25519::try_from(seed.as_slice()).map_err(io::Error::other)?;
        let public = secret.verification_key().as_bytes().try_into().map_err(io::Error::other)?;
        Ok(Self { seed, public })
    }
    fn private_json(&self) -> Value {
        let pair = [self.seed, self.public].concat();
        json!({"type": "tendermint/PrivKeyEd25519", "value": STANDARD.encode(pair)})
    }
    fn public_json(&self) -> Value {
        json!({"type": "tendermint/PubKeyEd25519", "value": STANDARD.encode(self.public)})
    }
    fn address(&self) -> [u8; 20] {
        let mut address = [0; 20];
        address.copy_from_slice(&Sha256::digest(self.public)[..20]);
        address
    }
}

/// Writes a home for each of the validators.
pub(super) fn write_homes(
    folder: &Path,
    genesis: &Genesis,
    ports: &[Ports],
    block_time: Duration,
) -> io::Result<Vec<Home>> {
    let chain = &genesis.chain_id;
    let signers = keys(ports.len(), |at| format!("validator {at} of {chain}"))?;
    let nodes = keys(ports.len(), |at| format!("node {at} of {chain}"))?;
    let document = genesis_document(genesis, &signers)?;
    let peers: Vec<String> = nodes
        .iter()
        .zip(ports)
        .map(|(node, ports)| format!("{}@{}", hex::encode(node.address()), ports.p2p))
        .collect();
    let write = |(at, ports): (usize, &Ports)| {
        let home = Home { folder: folder.join(format!("validator-{at}")), ports: *ports };
        let (config, data) = (home.folder.join("config"), home.folder.join("data"));
        fs::create_dir_all(&config)?;
        fs::create_dir_all(&data)?;
        let others: Vec<&str> =
            peers.iter().enumerate().filter(|(peer, _)| *peer != at).map(|(_, peer)| peer.as_str()).collect();
        fs::write(config.join("config.toml"), configuration(at, ports, &others, block_time))?;
        write_json(&config.join("genesis.json"), &document)?;
        write_json(&config.join("node_key.json"), &json!({"priv_key": nodes[at].private_json()}))?;
        let signer = &signers[at];
        let key = json!({
            "address": hex::encode_upper(signer.address()),
            "pub_key": signer.public_json(),
            "priv_key": signer.private_json(),
        });
        write_json(&config.join("priv_validator_key.json"), &key)?;
        let state = json!({"height": "0", "round": 0, "step": 0});
        write_json(&data.join("priv_validator_state.json"), &state)?;
        Ok(home)
    };
    ports.iter().enumerate().map(write).collect()
}

fn keys(count: usize, label: impl Fn(usize) -> String) -> io::Result<Vec<Key>> {
    (0..count).map(|at| Key::derive(&label(at))).collect()
}

fn write_json(file: &Path, value: &Value) -> io::Result<()> {
    fs::write(file, value.to_string())
}

fn genesis_document(genesis: &Genesis, signers: &[Key]) -> io::Result<Value> {
    let time = Time::from_unix_timestamp(genesis.genesis_time, 0).map_err(io::Error::other)?;
    let validators = signers.iter().enumerate().map(|(at, signer)| {
        json!({
            "address": hex::encode_upper(signer.address()),
            "pub_key": signer.public_json(),
            "power": POWER,
            "name": format!("validator-{at}"),
        })
    });
    Ok(json!({
        "genesis_time": time.to_rfc3339(),
        "chain_id": genesis.chain_id,
        "initial_height": "1",
        "consensus_params": btc_staking_devnet_chain::consensus_params(),
        "validators": validators.collect::<Vec<_>>(),
        "app_hash": "",
        "app_state": genesis,
    }))
}

/// CometBFT's configuration. Blocks come `block_time` after the one before as long as all answer at once; a validator
/// that is down costs a round of the timeouts whenever it is its turn to propose.
fn configuration(at: usize, ports: &Ports, peers: &[&str], block_time: Duration) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(format!("proxy_app = \"tcp://{}\"", ports.abci));
    line(format!("moniker = \"validator-{at}\""));
    line("log_level = \"info\"".into());
    line("[rpc]".into());
    line(format!("laddr = \"tcp://{}\"", ports.rpc));
    line("[p2p]".into());
    line(format!("laddr = \"tcp://{}\"", ports.p2p));
    line(format!("persistent_peers = \"{}\"", peers.join(",")));
    line("pex = false".into());
    line("addr_book_strict = false".into());
    line("allow_duplicate_ip = true".into());
    line("flush_throttle_timeout = \"10ms\"".into());
    line("[consensus]".into());
    line("timeout_propose = \"1s\"".into());
    line("timeout_propose_delta = \"500ms\"".into());
    line("timeout_prevote = \"500ms\"".into());
    line("timeout_precommit = \"500ms\"".into());
    line(format!("timeout_commit = \"{}ms\"", block_time.as_millis()));
    line("peer_gossip_sleep_duration = \"10ms\"".into());
    text
}
