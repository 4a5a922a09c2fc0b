//! What a devnet consists of: a Bitcoin node, a miner, the staking chain, and the roles as processes.

use crate::{
    bitcoin::BitcoinNode,
    daemons::{Daemons, Residence},
    dev::place::Place,
    folder::RunFolder,
    install::{Boards, InstalledRoles, Surroundings, install},
    keys::Seed,
    ledger::Ledger,
    logging,
    miner::Miner,
    processes::leash_words,
    roles::{Programs, Role},
    roster::{Roster, chain_endpoint},
    staking_chain::{Founder, Founding, StakingChain},
    timeline::Timeline,
};
use bitcoin::Network as BitcoinNetwork;
use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_bitcoin_node::endpoint::BitcoinEndpoint;
use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use btc_staking_devnet_chain::Genesis;
use btc_staking_pos_chain::{PosChain, Submitter, connect::Connector as _};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Chain id of a devnet.
pub const CHAIN_ID: &str = "devnet-1";

/// Sliding window of liveness in blocks; half of it may be missed.
const LIVENESS_WINDOW: u32 = 100_000;

/// How to run a devnet.
#[derive(Debug)]
pub struct NetworkOptions {
    /// The bitcoind to run, instead of one that is found.
    pub bitcoind: Option<PathBuf>,
    /// Run the simulator even if there is a bitcoind.
    pub simulator: bool,
    /// Which staking chain to start.
    pub chain: Arc<dyn Founder>,
    /// How fast everything goes.
    pub pace: Pace,
    /// Where daemons serve their boards.
    pub boards: Boards,
    /// Where data and logs go; else a temporary folder.
    pub folder: Option<PathBuf>,
    /// Installed roles to run; else those in this program.
    pub bin_dir: Option<PathBuf>,
    /// Where the daemons run.
    pub residence: Residence,
    /// What all test keys follow from.
    pub seed: Seed,
}

/// How fast a devnet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between blocks of the staking chain.
    pub block_time: Duration,
    /// Between Bitcoin blocks.
    pub bitcoin_block_time: Duration,
    /// Between two looks of a role at the chains, in milliseconds.
    pub poll_interval_ms: u64,
}

/// A running devnet. Dropping it ends everything; [`Network::stop`] does so in good order.
pub struct Network {
    /// The daemons. The first field, so that they end before the nodes they talk to.
    pub daemons: Daemons,
    /// Their configurations.
    pub roles: InstalledRoles,
    /// Who takes part.
    pub roster: Roster,
    /// Asks the staking chain.
    pub chain: Arc<dyn PosChain>,
    /// Says things to the staking chain from the devnet's own account.
    pub submitter: Arc<dyn Submitter>,
    /// What Bitcoin says.
    pub ledger: Ledger,
    /// Mines.
    pub miner: Miner,
    /// The Bitcoin node.
    pub bitcoin_node: BitcoinNode,
    /// What runs the staking chain.
    pub staking_chain: Box<dyn StakingChain>,
    /// Data and logs. The last field, so that it goes away after everything that writes into it.
    pub folder: RunFolder,
}

impl Network {
    /// Starts everything: the nodes, then the daemons; finality providers are registered.
    ///
    /// # Errors
    /// [`Failure`] with what did not start.
    pub async fn start(options: &NetworkOptions, timeline: &Timeline) -> Result<Self, Failure> {
        let programs = Programs::new(options.bin_dir.as_deref()).fail_with(Exit::Usage)?;
        let folder = RunFolder::create(options.folder.as_deref()).fail_with(Exit::Usage)?;
        let logs = folder.make("logs")?;
        logging::start(&logs.join("devnet.log"))?;
        let roster = Roster::new(options.seed)?;
        let bitcoin_node = start_bitcoin_node(options, &folder).await?;
        timeline.event("bitcoin node", describe(&bitcoin_node, options));
        let bitcoin = Arc::new(bitcoin_node.client()?);
        let miner = Miner::new(Arc::clone(&bitcoin), &options.seed.miner_address());
        let wallets: Vec<_> = roster.stakers.iter().map(|staker| staker.address.clone()).collect();
        miner.fund(&wallets).await?;
        timeline.event("miner", "50 BTC to each of three stakers, and 100 blocks on top");

        let founding = Founding {
            genesis: genesis(&roster)?,
            block_time: options.pace.block_time,
            home: folder.join("chain"),
            logs: logs.clone(),
            bitcoin: Arc::clone(&bitcoin),
            seed: options.seed,
        };
        let staking_chain = options.chain.found(founding).await?;
        let endpoint = chain_endpoint(staking_chain.rpc());
        timeline.event(
            "staking chain",
            format_args!(
                "{CHAIN_ID}, {}, a block every {} ms",
                staking_chain.describe(),
                options.pace.block_time.as_millis()
            ),
        );
        let place = Place {
            chain_id: CHAIN_ID.to_owned(),
            chain_rpc: staking_chain.rpc(),
            bitcoin_rpc: bitcoin_node.url(),
            bitcoin_cookie: bitcoin_node.cookie_file().to_owned(),
            seed: options.seed.0,
        };
        place.write(folder.path())?;
        let surroundings = Surroundings {
            chain: endpoint.clone(),
            bitcoin: BitcoinEndpoint {
                network: BitcoinNetwork::Regtest,
                rpc_url: bitcoin_node.url(),
                cookie_file: Some(bitcoin_node.cookie_file().to_owned()),
                user: None,
                password_file: None,
            },
            poll_interval_ms: options.pace.poll_interval_ms,
            boards: options.boards,
        };
        let roles = install(&roster, &folder, &surroundings)?;
        let daemons = Daemons::new(programs, options.residence, &roles.passphrase_file, logs);
        let network = Self {
            chain: BabylonConnector.connect(&endpoint).await.fail_with(Exit::Unreachable)?,
            submitter: BabylonConnector.open_account(&endpoint, options.seed.account("devnet")).await?,
            ledger: Ledger::new(Arc::clone(&bitcoin)),
            daemons,
            roles,
            roster,
            miner,
            bitcoin_node,
            staking_chain,
            folder,
        };
        network.start_daemons(timeline).await?;
        Ok(network)
    }

    /// Mines a Bitcoin block every `interval` from now on.
    pub fn start_mining(&mut self, interval: Duration) {
        self.miner.start(interval);
    }

    async fn start_daemons(&self, timeline: &Timeline) -> Result<(), Failure> {
        for member in &self.roles.covenants {
            self.daemons.start(Role::Covenant, member)?;
        }
        self.daemons.start(Role::Slasher, &self.roles.slasher)?;
        timeline.event("covenant", "5 members, each a daemon with one key; 3 signatures make a quorum");
        timeline.event("slasher", "relays Bitcoin headers, watches for evidence");
        let providers = self.roles.providers.iter().zip(&self.roster.providers);
        futures::future::try_join_all(providers.map(|(provider, who)| async move {
            let init = ["init", "--key", &who.key.to_string()];
            self.daemons.command(Role::FinalityProvider, provider, &init).await?;
            let register = ["register", "--moniker", provider.name.as_str()];
            self.daemons.command(Role::FinalityProvider, provider, &register).await?;
            self.daemons.start(Role::FinalityProvider, provider)
        }))
        .await?;
        for provider in &self.roster.providers {
            timeline.event(&provider.name, "votes by extractable one-time signatures");
            timeline.detail(format_args!("key {}", provider.key));
        }
        Ok(())
    }

    /// Ends everything in good order. The folder goes away unless it was given or is kept.
    pub async fn stop(self) {
        let Self { daemons, miner, staking_chain, bitcoin_node, folder, .. } = self;
        daemons.stop();
        drop(miner);
        staking_chain.stop().await;
        if let Err(error) = bitcoin_node.stop().await {
            tracing::warn!(%error, "bitcoin node did not stop in good order");
        }
        drop(folder);
    }
}

async fn start_bitcoin_node(options: &NetworkOptions, folder: &RunFolder) -> Result<BitcoinNode, Failure> {
    let home = folder.join("bitcoin-node");
    Ok(if options.simulator {
        BitcoinNode::start_simulator(&home).await?
    } else {
        BitcoinNode::start_through(&leash_words()?, options.bitcoind.as_deref(), &home).await?
    })
}

fn describe(node: &BitcoinNode, options: &NetworkOptions) -> String {
    if options.simulator { "simulator, as asked for".to_owned() } else { node.describe() }
}

/// What the chain starts from, whichever it is.
fn genesis(roster: &Roster) -> Result<Genesis, Failure> {
    let mut genesis = Genesis::fast(CHAIN_ID, roster.committee()?, roster.genesis_accounts()?)?;
    // On a machine with too much to do votes come late; nobody is jailed for that here.
    genesis.finality.signed_blocks_window = LIVENESS_WINDOW;
    genesis.authority = roster.authority()?;
    Ok(genesis)
}
