//! Puts key files and a configuration for each role into the run's folder.
//!
//! Key files are real ones, sealed with the weakest parameters a role accepts: their passphrase lies beside them.

use crate::{
    folder::RunFolder,
    keys::Seed,
    roster::{Covenant, Provider, Roster, Staker, covenant_secret, eots_secret},
};
use btc_staking_bitcoin_node::endpoint::BitcoinEndpoint;
use btc_staking_covenant::config::Config as CovenantConfig;
use btc_staking_daemon::{
    entropy::{Entropy as _, OsEntropy},
    http,
    keyfile::{KdfParams, KeyFile, KeyFileError},
    passphrase::{Passphrase, PassphraseError},
    telemetry::LogOptions,
};
use btc_staking_eots_manager::{
    keyfiles::{KeyStoreError, store_key},
    keys::{EotsKey, KeyError},
};
use btc_staking_finality_provider::{
    config::{Config as ProviderConfig, Randomness, Unjail, Voting},
    machine::planner::Lead,
};
use btc_staking_pos_chain::connect::ChainEndpoint;
use btc_staking_slasher::config::Config as SlasherConfig;
use btc_staking_staker::config::Config as StakerConfig;
use serde::Serialize;
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread,
};
use thiserror::Error;

/// Passphrase of every key file of a devnet.
const PASSPHRASE: &str = "devnet";

/// Where the nodes are, and how often the roles look at them.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The staking chain.
    pub chain: ChainEndpoint,
    /// The Bitcoin node.
    pub bitcoin: BitcoinEndpoint,
    /// Between two looks, in milliseconds.
    pub poll_interval_ms: u64,
    /// Where daemons serve their boards.
    pub boards: Boards,
}

/// Where daemons serve their boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boards {
    /// On any free port, chosen when they start and written to their log. Never fails.
    Anywhere,
    /// On a port in their configuration, so that people and the `status` commands find them.
    Announced,
}

/// A role that can be started.
#[derive(Debug, Clone)]
pub struct InstalledRole {
    /// Its name.
    pub name: String,
    /// Its configuration file.
    pub config: PathBuf,
    /// Where its boards are served, if that is known before it starts.
    pub listen: Option<SocketAddr>,
}

/// All roles of a devnet.
#[derive(Debug, Clone)]
pub struct InstalledRoles {
    /// File with the passphrase of all key files.
    pub passphrase_file: PathBuf,
    /// The committee's members.
    pub covenants: Vec<InstalledRole>,
    /// The finality providers.
    pub providers: Vec<InstalledRole>,
    /// The watchtower.
    pub slasher: InstalledRole,
    /// The holders.
    pub stakers: Vec<InstalledRole>,
}

/// Why a role could not be prepared.
#[derive(Debug, Error)]
pub enum CannotInstall {
    /// A file or a port.
    #[error("cannot write key files and configurations")]
    Io(#[from] io::Error),
    /// A key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// An EOTS key file.
    #[error(transparent)]
    EotsKeyFile(#[from] KeyStoreError),
    /// An EOTS key.
    #[error(transparent)]
    EotsKey(#[from] KeyError),
    /// The passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A configuration.
    #[error("a configuration cannot be written as TOML")]
    Toml(#[from] toml::ser::Error),
}

/// Installs every role of the roster, side by side: sealing a key file takes its time on purpose.
///
/// # Errors
/// [`CannotInstall`].
pub fn install(
    roster: &Roster,
    folder: &RunFolder,
    surroundings: &Surroundings,
) -> Result<InstalledRoles, CannotInstall> {
    let passphrase_file = folder.join("passphrase");
    fs::write(&passphrase_file, format!("{PASSPHRASE}\n"))?;
    let workshop = Workshop { seed: roster.seed, folder, surroundings };
    let workshop = &workshop;
    thread::scope(|scope| {
        let covenants: Vec<_> =
            roster.covenants.iter().map(|member| scope.spawn(move || workshop.covenant(member))).collect();
        let providers: Vec<_> = roster
            .providers
            .iter()
            .map(|provider| scope.spawn(move || workshop.provider(provider)))
            .collect();
        let stakers: Vec<_> =
            roster.stakers.iter().map(|staker| scope.spawn(move || workshop.staker(staker))).collect();
        Ok(InstalledRoles {
            slasher: workshop.slasher()?,
            covenants: join_all(covenants)?,
            providers: join_all(providers)?,
            stakers: join_all(stakers)?,
            passphrase_file,
        })
    })
}

type Work<'scope> = thread::ScopedJoinHandle<'scope, Result<InstalledRole, CannotInstall>>;

fn join_all(work: Vec<Work<'_>>) -> Result<Vec<InstalledRole>, CannotInstall> {
    let bug = |_| CannotInstall::Io(io::Error::other("a worker thread panicked"));
    work.into_iter().map(|thread| thread.join().map_err(bug)?).collect()
}

struct Workshop<'a> {
    seed: Seed,
    folder: &'a RunFolder,
    surroundings: &'a Surroundings,
}

impl Workshop<'_> {
    fn covenant(&self, member: &Covenant) -> Result<InstalledRole, CannotInstall> {
        let home = self.folder.make(&member.name)?;
        let config = CovenantConfig {
            data_dir: home.join("data"),
            covenant_key_file: home.join("member.key"),
            account_key_file: home.join("account.key"),
            poll_interval_ms: self.surroundings.poll_interval_ms,
            accept_params_versions: Vec::new(),
            listen: self.board()?,
            chain: self.surroundings.chain.clone(),
            log: LogOptions::default(),
        };
        let secret = covenant_secret(self.seed, &member.name);
        seal(&*secret, "key of a covenant committee member", &config.covenant_key_file)?;
        self.seal_account(&member.name, &config.account_key_file)?;
        write_config(&member.name, &home, &config, Some(config.listen))
    }

    fn provider(&self, provider: &Provider) -> Result<InstalledRole, CannotInstall> {
        let home = self.folder.make(&provider.name)?;
        let eots_key_file = home.join("eots.key");
        let config = ProviderConfig {
            data_dir: home.join("data"),
            eots_key_files: vec![eots_key_file.clone()],
            signer: None,
            account_key_file: home.join("account.key"),
            listen: self.board()?,
            chain: self.surroundings.chain.clone().into(),
            randomness: Randomness { count: 2_000, lead: Lead::Blocks(1_000) },
            voting: Voting { poll_interval_ms: self.surroundings.poll_interval_ms, ..Voting::default() },
            unjail: Unjail::default(),
            ha: None,
            log: LogOptions::default(),
        };
        let key = EotsKey::from_secret_bytes(&eots_secret(self.seed, &provider.name))?;
        store_key(&eots_key_file, &key, &passphrase()?, KdfParams::MINIMUM, &OsEntropy)?;
        self.seal_account(&provider.name, &config.account_key_file)?;
        write_config(&provider.name, &home, &config, Some(config.listen))
    }

    fn slasher(&self) -> Result<InstalledRole, CannotInstall> {
        let name = "slasher";
        let home = self.folder.make(name)?;
        let config = SlasherConfig {
            data_dir: home.join("data"),
            account_key_file: home.join("account.key"),
            poll_interval_ms: self.surroundings.poll_interval_ms,
            listen: self.board()?,
            chain: self.surroundings.chain.clone(),
            bitcoin: self.surroundings.bitcoin.clone(),
            log: LogOptions::default(),
        };
        self.seal_account(name, &config.account_key_file)?;
        write_config(name, &home, &config, Some(config.listen))
    }

    fn staker(&self, staker: &Staker) -> Result<InstalledRole, CannotInstall> {
        let home = self.folder.make(&staker.name)?;
        let config = StakerConfig {
            data_dir: home.join("data"),
            key_file: home.join("phrase.key"),
            birthday_height: 0,
            poll_interval_ms: self.surroundings.poll_interval_ms,
            chain: self.surroundings.chain.clone(),
            bitcoin: self.surroundings.bitcoin.clone(),
            log: LogOptions { filter: "warn".to_owned(), ..LogOptions::default() },
        };
        seal(staker.phrase.words().as_bytes(), "staker phrase (BIP-39)", &config.key_file)?;
        write_config(&staker.name, &home, &config, None)
    }

    fn board(&self) -> io::Result<SocketAddr> {
        match self.surroundings.boards {
            Boards::Anywhere => Ok(http::DEFAULT_LISTEN),
            Boards::Announced => free_address(),
        }
    }

    fn seal_account(&self, name: &str, file: &Path) -> Result<(), CannotInstall> {
        seal(&*self.seed.account(name).0, "account on the staking chain", file)
    }
}

fn passphrase() -> Result<Passphrase, PassphraseError> {
    Passphrase::new(PASSPHRASE.to_owned())
}

fn seal(secret: &[u8], label: &str, file: &Path) -> Result<(), CannotInstall> {
    KeyFile::seal(secret, &passphrase()?, label, KdfParams::MINIMUM, &OsEntropy)?.write(file)?;
    Ok(())
}

fn write_config(
    name: &str,
    home: &Path,
    config: &impl Serialize,
    listen: Option<SocketAddr>,
) -> Result<InstalledRole, CannotInstall> {
    let file = home.join("config.toml");
    fs::write(&file, toml::to_string(config)?)?;
    let listen = listen.filter(|address| address.port() != 0);
    Ok(InstalledRole { name: name.to_owned(), config: file, listen })
}

/// A port nobody listens on now, below those that the system gives out by itself. Another process may take it before the
/// daemon does; then the daemon says so and ends.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    const FIRST: u64 = 10_000;
    const PORTS: u64 = 22_000;
    const TRIES: u32 = 100;
    let mut tried = 0;
    loop {
        let port = FIRST + OsEntropy.next_u64().map_err(io::Error::other)? % PORTS;
        let port = u16::try_from(port).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener.local_addr(),
            Err(error) if tried == TRIES => return Err(error),
            Err(_) => tried += 1,
        }
    }
}
