//! The doctor against a chain and a home in which one thing at a time is wrong.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use async_trait::async_trait;
use btc_staking_daemon::{
    cli::Exit,
    entropy::SeededEntropy,
    keyfile::KdfParams,
    passphrase::{Asking, PassphraseSource},
};
use btc_staking_eots_manager::{
    keyfiles::store_key,
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
};
use btc_staking_finality_provider::{
    cli::main_with,
    config::{Config, SAMPLE},
    doctor::{
        Finding, Verdict,
        chain::{ChainExam, judge_keys_held},
        disk::{Disk, FileSystem, SyncLatency},
        home::{
            self, KeyKind, check_config, check_daemon, check_key_file, check_records, judge_disk, judge_sync,
        },
        pair::{examine_pair, judge_pair},
    },
    standby::options::Ha,
    status::{Board, Report},
};
use btc_staking_pos_chain::{
    Outbox,
    connect::{AccountSecret, ChainEndpoint, Connector},
    double::{ChainState, ScriptedChain},
    message::{CommissionRates, Description},
    ports::{
        ChainError, ErrorKind, FinalityProvider, PosChain, Result, SlashedAt, StoredCommitment, Submitter,
    },
    watch::{NodeReport, NodeTold, SigningInfo},
};
use btc_staking_protocol::{
    height::{BtcDepth, BtcHeight, Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
};
use std::{
    ffi::OsString,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const NOW: u64 = 1_700_000_000;

/// Stands where an adapter would. An endpoint named dead answers nobody.
struct Double(ScriptedChain);

#[async_trait]
impl Connector for Double {
    async fn connect(&self, endpoint: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        match endpoint.rpc.iter().find(|url| url.contains("dead")) {
            Some(_) => Err(ChainError::new(ErrorKind::Transient, "nobody answers")),
            None => Ok(Arc::new(self.0.clone())),
        }
    }
    async fn open_account_with(
        &self,
        endpoint: &ChainEndpoint,
        secret: AccountSecret,
        _: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        Ok(Arc::new(self.0.submitter(self.account_address(endpoint, &secret)?)))
    }
    fn account_address(&self, endpoint: &ChainEndpoint, secret: &AccountSecret) -> Result<AccountAddress> {
        Ok(AccountAddress::from_bytes(&endpoint.account_prefix, &secret.0[..20]).unwrap())
    }
}

fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn eots_key() -> EotsKey {
    EotsKey::from_secret_bytes(&[9; 32]).unwrap()
}

fn key() -> FinalityProviderPublicKey {
    eots_key().public_key()
}

fn subject() -> Subject {
    Subject { finality_provider: key(), chain_id: "bbn-1".parse().unwrap() }
}

fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[5; 20]).unwrap()
}

fn registered() -> FinalityProvider {
    let rate = |text: &str| text.parse().unwrap();
    FinalityProvider {
        key: key(),
        account: account(),
        description: Description::default(),
        commission: CommissionRates {
            rate: rate("0.1"),
            max_rate: rate("0.2"),
            max_change_rate: rate("0.01"),
        },
        slashed: None,
        jailed: false,
        highest_voted_height: h(0),
        commission_set_at: None,
    }
}

fn node(name: &str, height: u64) -> NodeReport {
    NodeReport {
        name: name.to_owned(),
        trouble: None,
        told: Some(NodeTold {
            chain_id: "bbn-1".to_owned(),
            height: h(height),
            catching_up: false,
            block_time: Some(NOW - 3),
            clock: Some(NOW),
            has_tx_index: true,
            latency: Duration::from_millis(2),
        }),
    }
}

/// Commitments as the key itself would make them.
fn commitments() -> Vec<StoredCommitment> {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let manager = EotsManager::new(SignRecords::open(directory.path()).unwrap(), [eots_key()]);
    manager.records().declare_new(&subject()).unwrap();
    let commitment = |start: u64, epoch| {
        let made = manager.sign_commitment(&subject(), h(start), 60).unwrap();
        StoredCommitment { start_height: h(start), count: 60, root: made.root, epoch: Epoch::new(epoch) }
    };
    vec![commitment(1_980, 2), commitment(2_040, 4)]
}

/// A chain on which nothing is wrong.
fn sound() -> ChainState {
    let mut state = ChainState::new("bbn-1");
    state.head.height = h(2_000);
    state.finality_providers.insert(key(), registered());
    state.balances.insert(account(), 1_000_000);
    state.last_finalised_epoch = Epoch::new(3);
    let info = SigningInfo { start_height: h(1), missed_blocks: 7, jailed_until: None };
    state.signing_infos.insert(key(), info);
    state.commitments.insert(key(), commitments());
    state.nodes = vec![node("a:26657", 2_000), node("b:26657", 1_999)];
    // Blocks of 200 s: a commitment is usable after 10 blocks of an epoch and 48 for 16 Bitcoin blocks.
    state.block_times.insert(h(2_000), NOW);
    state.block_times.insert(h(1_000), NOW - 200_000);
    state
}

fn config() -> Config {
    let config = SAMPLE.replace("count = 50000", "count = 60").replace("lead = \"auto\"", "lead = 90");
    toml::from_str(&config).unwrap()
}

async fn examine(state: ChainState, change: impl FnOnce(&mut Config)) -> Vec<Finding> {
    let mut config = config();
    change(&mut config);
    let plan = config.plans().unwrap().remove(0);
    let keys = [eots_key()];
    let exam =
        ChainExam { plan: &plan, subjects: vec![subject()], account: Some(account()), keys: &keys, now: NOW };
    exam.examine(&Double(ScriptedChain::new(state))).await
}

fn worst<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    let of_check = findings.iter().filter(|finding| finding.check == check);
    of_check.max_by_key(|finding| finding.verdict).unwrap_or_else(|| panic!("no {check} in {findings:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_sound_chain_every_check_is_ok() {
    let findings = examine(sound(), |_| {}).await;
    for check in ["nodes", "clock", "balance", "lead", "provider", "runway", "randomness"] {
        assert_eq!(worst(&findings, check).verdict, Verdict::Ok, "{findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_wrong_with_a_chain_is_found_with_a_way_to_mend_it() {
    type Change = fn(&mut ChainState);
    use Verdict::{Failure, NotChecked, Warning};
    let table: Vec<(&str, Verdict, &str, Change)> = vec![
        ("nodes", Failure, "0 of 2 nodes usable", |s| {
            s.nodes.iter_mut().for_each(|node| node.trouble = Some("no answer".to_owned()));
        }),
        ("nodes", Warning, "a:26657: node is on chain \"x\"", |s| {
            s.nodes[0].trouble = Some("node is on chain \"x\", not on \"bbn-1\"".to_owned());
        }),
        ("nodes", Warning, "still syncing", |s| s.nodes[1].told.as_mut().unwrap().catching_up = true),
        ("nodes", Warning, "99 blocks behind", |s| s.nodes[1].told.as_mut().unwrap().height = h(1_901)),
        ("nodes", Warning, "no index of transactions", |s| {
            s.nodes[1].told.as_mut().unwrap().has_tx_index = false
        }),
        ("nodes", Warning, "1 of 1 nodes usable", |s| s.nodes.truncate(1)),
        ("clock", Warning, "10 s apart", |s| {
            s.nodes.iter_mut().for_each(|node| node.told.as_mut().unwrap().clock = Some(NOW + 10));
        }),
        ("clock", Failure, "3600 s apart", |s| {
            s.nodes.iter_mut().for_each(|node| node.told.as_mut().unwrap().clock = Some(NOW - 3_600));
        }),
        ("clock", Failure, "50 s in our future", |s| {
            let told = s.nodes[0].told.as_mut().unwrap();
            (told.block_time, told.clock) = (Some(NOW + 50), Some(NOW));
        }),
        ("clock", Warning, "30 min old", |s| {
            s.nodes.iter_mut().for_each(|node| node.told.as_mut().unwrap().block_time = Some(NOW - 1_800));
        }),
        ("clock", NotChecked, "no node tells a time", |s| {
            s.nodes.iter_mut().for_each(|node| node.told = None)
        }),
        ("balance", Failure, "0 ubbn pay for about 0", |s| s.balances.clear()),
        ("balance", Warning, "about 5", |s| {
            s.balances.insert(account(), 9_000);
        }),
        ("lead", Warning, "is usable after", |s| {
            s.checkpoint_params.finalization_timeout = BtcDepth::new(40)
        }),
        ("provider", Failure, "not registered", |s| s.finality_providers.clear()),
        ("provider", Failure, "slashed", |s| {
            s.finality_providers.get_mut(&key()).unwrap().slashed =
                Some(SlashedAt { pos_height: h(5), btc_height: BtcHeight::new(5) });
        }),
        ("provider", Failure, "may be unjailed in 100 s", |s| {
            s.finality_providers.get_mut(&key()).unwrap().jailed = true;
            s.signing_infos.get_mut(&key()).unwrap().jailed_until = Some(NOW + 100);
        }),
        ("provider", Warning, "missed 30 of 100", |s| {
            s.signing_infos.get_mut(&key()).unwrap().missed_blocks = 30
        }),
        ("runway", Failure, "committed for 0 blocks", |s| s.commitments.clear()),
        ("runway", Warning, "likely to come too late", |s| {
            s.commitments.get_mut(&key()).unwrap().pop();
        }),
        ("runway", Warning, "usable for 0", |s| s.last_finalised_epoch = Epoch::new(0)),
        ("randomness", Failure, "from 2040 was not made with this key", |s| {
            s.commitments.get_mut(&key()).unwrap()[1].root = [1; 32];
        }),
    ];
    for (check, verdict, words, change) in table {
        let mut state = sound();
        change(&mut state);
        let findings = examine(state, |_| {}).await;
        let found = findings.iter().find(|found| found.check == check && found.found.contains(words));
        let found = found.unwrap_or_else(|| panic!("no {check} with {words:?} in {findings:#?}"));
        assert_eq!(found.verdict, verdict, "{found:?}");
        assert!(found.mend.as_ref().is_some_and(|mend| mend.len() > 10), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_cannot_be_used_is_told_node_by_node_without_their_addresses() {
    let findings = examine(sound(), |config| {
        config.chain.0[0].endpoint.rpc = vec!["http://a".to_owned(), "http://me:secret@dead".to_owned()];
    })
    .await;
    let words: Vec<_> = findings.iter().map(|finding| (finding.verdict, finding.found.as_str())).collect();
    let expected = [
        (Verdict::Failure, "bbn-1: the chain cannot be used: nobody answers"),
        (Verdict::Ok, "bbn-1: node 1 of chain.rpc can be used"),
        (Verdict::Failure, "bbn-1: node 2 of chain.rpc: nobody answers"),
    ];
    assert_eq!(words, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_the_keys_is_told_as_not_looked_at() {
    let config = config();
    let plan = config.plans().unwrap().remove(0);
    let exam = ChainExam { plan: &plan, subjects: vec![subject()], account: None, keys: &[], now: NOW };
    let mut state = sound();
    let findings = exam.examine(&Double(ScriptedChain::new(state.clone()))).await;
    assert_eq!(worst(&findings, "randomness").verdict, Verdict::NotChecked);
    assert_eq!(worst(&findings, "balance").verdict, Verdict::Ok, "the account that registered is on chain");
    state.finality_providers.clear();
    let findings = exam.examine(&Double(ScriptedChain::new(state))).await;
    assert_eq!(worst(&findings, "balance").verdict, Verdict::NotChecked);
}

#[test]
fn a_key_that_the_configuration_names_and_nobody_holds_is_found() {
    let mut config = config();
    config.chain.0[0].keys = Some(vec![key()]);
    let plan = config.plans().unwrap().remove(0);
    assert!(judge_keys_held(&plan, &[key()]).is_empty());
    assert_eq!(judge_keys_held(&plan, &[])[0].verdict, Verdict::Failure);
}

#[test]
fn disks_are_judged_by_what_they_promise() {
    let path = Path::new("/data");
    let disk = |kind, free, read_only| judge_disk(path, &Disk { free, read_only, kind }).verdict;
    let room = 1 << 40;
    for (kind, verdict) in [
        (FileSystem::Local("ext4"), Verdict::Ok),
        (FileSystem::Overlay, Verdict::Warning),
        (FileSystem::Network("nfs"), Verdict::Warning),
        (FileSystem::Unknown(7), Verdict::Warning),
        (FileSystem::Memory, Verdict::Failure),
    ] {
        assert_eq!(disk(kind, room, false), verdict, "{kind:?}");
    }
    assert_eq!(disk(FileSystem::Local("ext4"), 1 << 20, false), Verdict::Failure, "full");
    assert_eq!(disk(FileSystem::Local("ext4"), room, true), Verdict::Failure, "read-only");
    let sync = |p99| {
        let (median, p99) = (Duration::from_micros(100), Duration::from_millis(p99));
        judge_sync(Ok(SyncLatency { median, p99 })).verdict
    };
    assert_eq!([sync(1), sync(51), sync(501)], [Verdict::Ok, Verdict::Warning, Verdict::Failure]);
    assert_eq!(judge_sync(Err(io::Error::other("input/output error"))).verdict, Verdict::Failure);
    let absent = home::check_data_dir(Path::new("/absent/data"));
    assert_eq!(absent[0].verdict, Verdict::Failure);
}

#[test]
fn files_that_others_may_use_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mode = |path: &PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let config = at("config.toml");
    fs::write(&config, SAMPLE).unwrap();
    mode(&config, 0o644);
    assert_eq!(check_config(&config).verdict, Verdict::Ok);
    mode(&config, 0o666);
    assert!(check_config(&config).mend.unwrap().starts_with("chmod"));
    assert_eq!(check_config(&at("absent")).verdict, Verdict::Failure);

    let sealed = at("eots.key");
    fs::write(at("words"), "correct horse").unwrap();
    let words = PassphraseSource::File(at("words")).read(Asking::Once).unwrap();
    store_key(&sealed, &eots_key(), &words, KdfParams::recommended(), &SeededEntropy::new(1)).unwrap();
    assert_eq!(check_key_file(&sealed, KeyKind::Eots).verdict, Verdict::Ok);
    mode(&sealed, 0o640);
    let found = check_key_file(&sealed, KeyKind::Eots);
    assert_eq!(
        (found.verdict, found.mend.unwrap()),
        (Verdict::Failure, format!("chmod 600 {}", sealed.display()))
    );
    assert_eq!(check_key_file(&at("absent"), KeyKind::Account).verdict, Verdict::Failure);

    mode(&directory.path().to_owned(), 0o777);
    assert_eq!(home::check_data_dir(directory.path())[0].verdict, Verdict::Failure);
}

#[test]
fn sign_records_are_verified_or_left_to_whoever_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let verdict = || {
        let findings = check_records(directory.path(), &[subject()]);
        findings.iter().map(|finding| finding.verdict).max().unwrap()
    };
    assert_eq!(verdict(), Verdict::Failure, "missing");
    SignRecords::create(directory.path()).unwrap();
    assert_eq!(verdict(), Verdict::Failure, "nothing is known of the key");
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!(verdict(), Verdict::Ok, "in use");
    records.declare_new(&subject()).unwrap();
    drop(records);
    assert_eq!(verdict(), Verdict::Ok);
    let records = SignRecords::open(directory.path()).unwrap();
    records.record_high_watermark(&subject(), h(9)).unwrap();
    drop(records);
    assert_eq!(verdict(), Verdict::Warning, "handed over");
    let file = directory.path().join("sign-records");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(verdict(), Verdict::Failure, "edited");
}

#[test]
fn the_daemon_is_asked_if_there_is_one() {
    assert_eq!(check_daemon(None, None)[0].verdict, Verdict::NotChecked);
    let board = Board::default();
    board.add(&subject());
    let report: Report = board.report(0);
    let findings = check_daemon(Some(&report), Some(&serde_json::json!({"alive": true})));
    assert_eq!((findings[0].verdict, findings[1].verdict), (Verdict::Ok, Verdict::Warning));
    assert!(findings[1].found.contains("starting"), "{findings:?}");
    let health = serde_json::json!({
        "alive": false, "checks": {"durable": {"state": "failed", "reason": "full"}, "x": {"state": "ok"}},
    });
    let findings = check_daemon(Some(&report), Some(&health));
    assert!(
        findings.iter().any(|f| f.verdict == Verdict::Failure && f.found == "durable: full"),
        "{findings:?}"
    );
}

/// A home with keys and records, and the command over it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        // On a disk: what lies in memory is found fault with.
        let home = Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let path = |name: &str| home.0.path().join(name).display().to_string();
        let config = SAMPLE
            .replace("finality-provider-data", &path("data"))
            .replace("\"finality-provider-eots.key\"", &format!("\"{}\"", path("eots.key")))
            .replace("\"finality-provider-account.key\"", &format!("\"{}\"", path("account.key")))
            .replace("127.0.0.1:2112", "127.0.0.1:1")
            .replace("count = 50000", "count = 60")
            .replace("lead = \"auto\"", "lead = 90");
        fs::write(path("config.toml"), config).unwrap();
        fs::set_permissions(path("config.toml"), Permissions::from_mode(0o600)).unwrap();
        fs::write(path("words"), "correct horse").unwrap();
        fs::write(path("secret"), "09".repeat(32)).unwrap();
        fs::write(path("account"), "05".repeat(32)).unwrap();
        let state = ChainState::new("bbn-1");
        for arguments in [
            ["keys", "import", "--which", "eots", "--from", &path("secret")].as_slice(),
            &["keys", "import", "--which", "account", "--from", &path("account")],
            &["init", "--key", &key().to_string()],
        ] {
            assert_eq!(home.run(arguments, &state), Exit::Done.into(), "{arguments:?}");
        }
        fs::set_permissions(path("data"), Permissions::from_mode(0o700)).unwrap();
        home
    }

    fn run(&self, arguments: &[&str], state: &ChainState) -> ExitCode {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let fixed = [
            "finality-provider".to_owned(),
            "--config".to_owned(),
            path("config.toml"),
            "--passphrase".to_owned(),
            format!("file:{}", path("words")),
        ];
        let arguments =
            fixed.into_iter().chain(arguments.iter().map(|text| (*text).to_owned())).map(OsString::from);
        main_with(arguments, Arc::new(Double(ScriptedChain::new(state.clone()))))
    }
}

/// The sound chain as of now, because the command reads the clock.
fn sound_now() -> ChainState {
    let mut state = sound();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for node in &mut state.nodes {
        let told = node.told.as_mut().unwrap();
        (told.block_time, told.clock) = (Some(now), Some(now));
    }
    state
}

#[test]
fn the_command_ends_with_zero_where_nothing_fails_and_changes_nothing() {
    let home = Home::new();
    let listing = || {
        let mut names: Vec<_> =
            fs::read_dir(home.0.path().join("data")).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names.iter().map(|path| (path.clone(), fs::read(path).ok())).collect::<Vec<_>>()
    };
    let before = listing();
    for arguments in [["doctor"].as_slice(), &["doctor", "--with-keys"], &["--json", "doctor"]] {
        assert_eq!(home.run(arguments, &sound_now()), Exit::Done.into(), "{arguments:?}");
    }
    assert_eq!(listing(), before);
    // Beside a process that holds the records.
    let _locked = SignRecords::open(&home.0.path().join("data")).unwrap();
    assert_eq!(home.run(&["doctor"], &sound_now()), Exit::Done.into());
}

#[test]
fn the_command_ends_with_one_where_something_fails() {
    let home = Home::new();
    let mut state = sound_now();
    state.balances.clear();
    for arguments in [["doctor"].as_slice(), &["--json", "doctor", "--with-keys"]] {
        assert_eq!(home.run(arguments, &state), Exit::Failure.into(), "{arguments:?}");
    }
}

#[test]
fn a_cluster_is_judged_by_who_answers() {
    let silent = |count: usize| -> Vec<(String, String)> {
        (0..count).map(|index| (format!("http://10.0.0.{index}:2379"), "silent".to_owned())).collect()
    };
    let worst = |members, count| judge_pair(members, &silent(count)).iter().map(|f| f.verdict).max().unwrap();
    assert_eq!([worst(3, 0), worst(3, 1), worst(3, 3)], [Verdict::Ok, Verdict::Warning, Verdict::Failure]);
    assert_eq!(worst(1, 0), Verdict::Warning, "one member is no cluster");
}

#[tokio::test]
async fn a_cluster_that_nobody_runs_is_found() {
    let mut ha: Ha =
        toml::from_str("engine = \"etcd\"\nendpoints = [\"http://127.0.0.1:1\"]\ninstance = \"a\"").unwrap();
    ha.request_timeout_ms = 500;
    let findings = examine_pair(&ha).await;
    assert_eq!(findings[0].verdict, Verdict::Failure);
    assert!(findings[1].found.starts_with("http://127.0.0.1:1: "), "{findings:?}");
}
