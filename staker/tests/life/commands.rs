//! The program as a whole, against a node over JSON-RPC: exit codes, and that a kill between commands loses nothing.

use super::world::{STAKING_TIME, World, account, keys, provider_key};
use async_trait::async_trait;
use btc_staking_bitcoin_node::simulator::rpc::{Credentials, RpcServer};
use btc_staking_daemon::{
    cli::Exit,
    entropy::OsEntropy,
    keyfile::{KdfParams, KeyFile},
    passphrase::Passphrase,
};
use btc_staking_pos_chain::{
    Outbox, PosChain, Result, Submitter,
    connect::{AccountSecret, ChainEndpoint, Connector},
    double::ScriptedChain,
};
use btc_staking_protocol::keys::AccountAddress;
use btc_staking_staker::{main_with, report::StakeReport, service::Service, stake::Step};
use std::{ffi::OsString, process::ExitCode, sync::Arc};

struct Scripted(ScriptedChain);

#[async_trait]
impl Connector for Scripted {
    async fn connect(&self, _: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        Ok(Arc::new(self.0.clone()))
    }
    async fn open_account_with(
        &self,
        _: &ChainEndpoint,
        _: AccountSecret,
        _: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        Ok(Arc::new(self.0.submitter(account())))
    }
    fn account_address(&self, _: &ChainEndpoint, _: &AccountSecret) -> Result<AccountAddress> {
        Ok(account())
    }
}

struct Program<'a> {
    world: &'a World,
    _server: RpcServer,
}

impl<'a> Program<'a> {
    async fn new(world: &'a World) -> Self {
        let credentials = Credentials::cookie("secret");
        let path = |name: &str| world.dir.path().join(name);
        credentials.write_cookie(&path("cookie")).unwrap();
        let server = RpcServer::start(world.bitcoin.clone(), "127.0.0.1:0".parse().unwrap(), &credentials);
        let server = server.await.unwrap();
        let config = format!(
            "data_dir = {data:?}\nkey_file = {key:?}\npoll_interval_ms = 50\n[chain]\nid = \"devnet\"\n\
             rpc = [\"http://127.0.0.1:1\"]\n[bitcoin]\nnetwork = \"regtest\"\nrpc_url = {url:?}\n\
             cookie_file = {cookie:?}\n",
            data = world.data_dir(),
            key = path("phrase.key"),
            url = server.url(),
            cookie = path("cookie"),
        );
        std::fs::write(path("staker.toml"), config).unwrap();
        std::fs::write(path("passphrase"), "correct horse\n").unwrap();
        let words =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
        let passphrase = Passphrase::new("correct horse".to_owned()).unwrap();
        let sealed =
            KeyFile::seal(words.as_bytes(), &passphrase, "test", KdfParams::MINIMUM, &OsEntropy).unwrap();
        sealed.write(&path("phrase.key")).unwrap();
        Self { world, _server: server }
    }

    /// Runs a command and returns its exit code. Programs of one world share nothing but files and chains.
    async fn run(&self, command: &str) -> ExitCode {
        let path = |name: &str| self.world.dir.path().join(name).to_str().unwrap().to_owned();
        let passphrase = format!("file:{}", path("passphrase"));
        let mut args: Vec<OsString> = vec!["staker".into(), "--json".into()];
        args.extend([
            "--config".into(),
            path("staker.toml").into(),
            "--passphrase".into(),
            passphrase.into(),
        ]);
        args.extend(command.split_whitespace().map(OsString::from));
        let connector = Arc::new(Scripted(self.world.chain.clone()));
        tokio::task::spawn_blocking(move || main_with(args, connector)).await.unwrap()
    }

    async fn expect(&self, command: &str, exit: Exit) {
        assert_eq!(self.run(command).await, exit.into(), "staker {command}");
    }
}

async fn state(world: &World) -> serde_json::Value {
    let mut service: Service = world.service();
    service.sync().await.unwrap();
    let machine = service.stakes().next().unwrap();
    serde_json::to_value(StakeReport::new(&service, machine, None)).unwrap()["state"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_typed_command_by_command() {
    let world = World::new().await;
    let program = Program::new(&world).await;
    let stake = format!(
        "stake --amount 500000 --finality-provider {} --timelock {STAKING_TIME} --timeout 0",
        provider_key()
    );
    program.expect("balance", Exit::Done).await;
    program.expect("address --new", Exit::Done).await;
    program.expect("list", Exit::Done).await;
    program.expect(&format!("{stake} --yes"), Exit::NotReady).await;
    assert_eq!(state(&world).await, "registered");
    let txid = world.chain.update(|state| *state.delegations.keys().next().unwrap());
    program.expect("resume --timeout 0", Exit::NotReady).await;
    world.sign(1, &txid).await;
    world.sign(2, &txid).await;
    program.expect("resume --wait verified --timeout 0", Exit::Done).await;
    assert_eq!(state(&world).await, "verified");
    program.expect(&format!("unbond {txid}"), Exit::Refused).await;
    program.expect("resume --timeout 0", Exit::Done).await;
    assert_eq!(state(&world).await, "broadcast");
    program.expect(&format!("unbond {txid}"), Exit::NotReady).await;
    program.expect(&format!("abandon {txid}"), Exit::Refused).await;
    world.mine(3).await;
    program.expect(&format!("show {txid}"), Exit::Done).await;
    program.expect(&format!("withdraw {txid}"), Exit::NotReady).await;
    program.expect("withdraw --all", Exit::NotReady).await;
    program.expect(&format!("unbond {txid}"), Exit::Done).await;
    assert_eq!(state(&world).await, "leaving");
    world.mine(6).await;
    assert_eq!(state(&world).await, "unbonded");
    let foreign = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    program.expect(&format!("withdraw {txid} --to {foreign}"), Exit::Refused).await;
    program.expect(&format!("withdraw {txid} --to nowhere"), Exit::Usage).await;
    program.expect(&format!("withdraw {txid} --max-fee 1"), Exit::Refused).await;
    program.expect("withdraw --all --fee-rate 2.5", Exit::Done).await;
    world.mine(1).await;
    assert_eq!(state(&world).await, "withdrawn");
    program.expect(&format!("withdraw {txid}"), Exit::Refused).await;
    program.expect("withdraw --all", Exit::NotReady).await;
    program.expect("list --offline", Exit::Done).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_has_its_exit_code() {
    let world = World::new().await;
    let program = Program::new(&world).await;
    let stake = |flags: &str| {
        format!(
            "stake --finality-provider {} --timelock {STAKING_TIME} --yes --timeout 0 {flags}",
            provider_key()
        )
    };
    let unknown = "00".repeat(32);
    for (command, exit) in [
        (stake("--amount 0.005"), Exit::Usage),
        (stake("--amount -5"), Exit::Usage),
        (stake("--amount 1000"), Exit::Refused),
        (stake("--amount 1btc"), Exit::Refused),
        (stake("--amount 500000 --fee-rate 20000"), Exit::Usage),
        (stake("--amount 500000 --max-fee 1"), Exit::Refused),
        (stake("--amount 500000 --wait soon"), Exit::Usage),
        (format!("show {unknown}"), Exit::Usage),
        (format!("unbond {unknown}"), Exit::Usage),
        (format!("withdraw {unknown}"), Exit::Usage),
        ("withdraw".to_owned(), Exit::Usage),
        ("withdraw --all".to_owned(), Exit::NotReady),
        ("nothing".to_owned(), Exit::Usage),
    ] {
        program.expect(&command, exit).await;
    }
    let held = world.service();
    program.expect("list", Exit::Locked).await;
    drop(held);
    // Another phrase's records are left alone.
    let mut identity = world.identity();
    identity.chain_id = "elsewhere".to_owned();
    drop(world.service_as(identity));
    program.expect("list", Exit::Refused).await;
    assert_eq!(keys().staker_public_key(), world.identity().staker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_stake_signs_none_that_its_holder_stopped() {
    let world = World::new().await;
    let program = Program::new(&world).await;
    let stake = format!(
        "stake --amount 500000 --finality-provider {} --timelock {STAKING_TIME} --yes --timeout 0",
        provider_key()
    );
    program.expect(&format!("{stake} --wait registered"), Exit::Done).await;
    let first = world.chain.update(|state| *state.delegations.keys().next().unwrap());
    world.sign(1, &first).await;
    world.sign(2, &first).await;
    program.expect(&format!("{stake} --wait registered"), Exit::Done).await;
    let step = world.service().stake(&first).unwrap().stake().step.clone();
    assert!(matches!(step, Step::Verified { .. }), "{step:?}");
}
