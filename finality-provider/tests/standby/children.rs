//! Instances as processes of their own: killed, stopped for longer than their lease and woken again, by a parent that saw
//! every signature they released. Each would sign a block of its own invention at every height.

use crate::{
    etcd::Cluster,
    node::{block, committed, initialise, open_manager, standby, subject},
    oracle::Oracle,
};
use btc_staking_daemon::tasks::StopSource;
use btc_staking_eots_manager::signer::{Local, Signer, SignerError};
use btc_staking_finality_provider::{
    records::Records,
    standby::{etcd::Etcd, run_keeper, seat::Seat},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DIRECTORY: &str = "STANDBY_TEST_DIRECTORY";
const NAME: &str = "STANDBY_TEST_NAME";
const ENDPOINTS: &str = "STANDBY_TEST_ENDPOINTS";

/// The shortest that etcd grants, and as long as a block takes here: the failover in blocks is the worst there is, since
/// a lease that is longer than a block is not needed.
const LEASE: Duration = Duration::from_secs(2);
const BLOCK_TIME: Duration = Duration::from_secs(2);
/// A voter asks again for what is not signed yet.
const RETRY: Duration = Duration::from_millis(250);
/// Heights asked for, below the tip.
const WINDOW: u64 = 12;

/// Not a test of its own: what the processes run. Without the variables it does nothing.
#[test]
fn child_instance() {
    let (Ok(directory), Ok(name), Ok(endpoints)) =
        (std::env::var(DIRECTORY), std::env::var(NAME), std::env::var(ENDPOINTS))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run_child(Path::new(&directory), &name, &endpoints));
}

async fn run_child(directory: &Path, name: &str, endpoints: &str) {
    let endpoints: Vec<_> = endpoints.split(',').map(str::to_owned).collect();
    let etcd = Arc::new(Etcd::connect(&endpoints, None, Duration::from_secs(2)).unwrap());
    let range = committed(tempfile::tempdir().unwrap().path());
    let inner = Arc::new(Local::new(open_manager(directory)));
    let standby = standby(name, inner, etcd, Records::open(directory).unwrap(), LEASE);
    let stop = StopSource::new();
    let _keeper = tokio::spawn(run_keeper(Arc::clone(&standby), stop.stop()));
    let (send, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.map_err(drop).and_then(|line| send.send(line).map_err(drop)).is_err() {
                break;
            }
        }
    });
    let by = name.as_bytes()[0];
    while let Some(line) = lines.recv().await {
        if matches!(standby.seat(&subject()), Seat::Held(_)) {
            println!("holder");
        }
        let height: u64 = line.parse().unwrap();
        match standby.vote_batch(&subject(), vec![block(height, by)], range).await {
            Ok(answers) => {
                if let Ok(vote) = &answers[0].result {
                    let signature = hex::encode(vote.signature.to_bytes());
                    println!("signed {height} {} {signature}", hex::encode(vote.message.app_hash));
                }
            }
            Err(SignerError::Fatal(error)) => panic!("{error}"),
            Err(_) => {}
        }
    }
}

struct Instance {
    name: &'static str,
    directory: TempDir,
    child: Child,
    stdin: ChildStdin,
    is_holder: Arc<AtomicBool>,
}

impl Instance {
    fn start(name: &'static str, directory: TempDir, cluster: &Cluster, oracle: &Oracle) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "children::child_instance", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(NAME, name)
            .env(ENDPOINTS, cluster.endpoints().join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let is_holder = Arc::new(AtomicBool::new(false));
        let (holder, oracle) = (Arc::clone(&is_holder), oracle.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let words: Vec<_> = line.split(' ').collect();
                match words.as_slice() {
                    ["holder"] => holder.store(true, Ordering::SeqCst),
                    ["signed", height, app_hash, signature] => oracle.released_text(
                        name,
                        height.parse().unwrap(),
                        ((*app_hash).to_owned(), (*signature).to_owned()),
                    ),
                    _ => {}
                }
            }
        });
        Self { name, directory, child, stdin, is_holder }
    }

    fn ask(&mut self, height: u64) {
        // A killed one takes nothing any more.
        let _ = writeln!(self.stdin, "{height}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Blocks that come at their time, whoever signs.
struct Chain {
    begin: Instant,
    oracle: Oracle,
}

impl Chain {
    fn tip(&self) -> u64 {
        1 + u64::try_from(self.begin.elapsed().as_millis() / BLOCK_TIME.as_millis()).unwrap()
    }

    /// Asks all for what is not signed yet, until a fact holds; returns the tip at that moment.
    fn run_until(
        &self,
        what: &str,
        instances: &mut [&mut Instance],
        mut fact: impl FnMut(&[&mut Instance]) -> bool,
    ) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(90);
        let mut asked_at = None;
        loop {
            assert!(
                Instant::now() < deadline,
                "not seen in time: {what}; signed: {:?}",
                self.oracle.heights()
            );
            if fact(instances) {
                return self.tip();
            }
            if asked_at.is_none_or(|at: Instant| at.elapsed() >= RETRY) {
                asked_at = Some(Instant::now());
                let tip = self.tip();
                for height in tip.saturating_sub(WINDOW).max(1)..=tip {
                    if !self.oracle.has(height) {
                        instances.iter_mut().for_each(|instance| instance.ask(height));
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn start_pair(cluster: &Cluster) -> (Chain, Instance, Instance) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        initialise(&Etcd::connect(&cluster.endpoints(), None, Duration::from_secs(2)).unwrap()).await;
    });
    let chain = Chain { begin: Instant::now(), oracle: Oracle::default() };
    let folder = || tempfile::tempdir().unwrap();
    let mut a = Instance::start("a", folder(), cluster, &chain.oracle);
    chain.run_until("a signs", &mut [&mut a], |_| !chain.oracle.heights().is_empty());
    let b = Instance::start("b", folder(), cluster, &chain.oracle);
    (chain, a, b)
}

/// How many blocks came until another signed, from the block at which the holder was gone.
fn failover(chain: &Chain, gone_at: u64, left: &mut Instance) -> u64 {
    let start = Instant::now();
    left.is_holder.store(false, Ordering::SeqCst);
    let tip = chain.run_until("another signs", &mut [left], |left| {
        left[0].is_holder.load(Ordering::SeqCst)
            && chain.oracle.heights().iter().any(|height| *height >= gone_at)
    });
    println!(
        "{} signed {} ms after the other was gone, {} blocks of {} s later",
        left.name,
        start.elapsed().as_millis(),
        tip - gone_at,
        BLOCK_TIME.as_secs()
    );
    tip - gone_at
}

#[test]
fn a_killed_holder_is_replaced_within_three_blocks_and_may_come_back() {
    let Some(cluster) = Cluster::start(3) else { return };
    let (chain, a, b) = start_pair(&cluster);
    let mut pair = [Some(a), Some(b)];
    for round in 0..3 {
        let [holder, other] = &mut pair;
        let (holder, other) = if round % 2 == 0 { (holder, other) } else { (other, holder) };
        // Both run, and the next block is signed by whoever may.
        let tip = chain.tip() + 1;
        chain.run_until(
            "a block is signed",
            &mut [holder.as_mut().unwrap(), other.as_mut().unwrap()],
            |_| chain.oracle.has(tip),
        );
        let name = holder.as_ref().unwrap().name;
        let gone_at = chain.tip() + 1;
        let directory = holder.take().unwrap().kill();
        let blocks = failover(&chain, gone_at, other.as_mut().unwrap());
        assert!(blocks <= 3, "{blocks} blocks without a signature");
        *holder = Some(Instance::start(name, directory, &cluster, &chain.oracle));
    }
    assert_eq!(chain.oracle.heights(), (1..=*chain.oracle.heights().last().unwrap()).collect::<Vec<_>>());
}

#[test]
fn a_holder_that_was_stopped_beyond_its_lease_wakes_up_and_signs_nothing_else() {
    let Some(cluster) = Cluster::start(3) else { return };
    let (chain, a, b) = start_pair(&cluster);
    let mut pair = [a, b];
    for round in 0..4_u64 {
        let [holder, other] = &mut pair;
        let (holder, other) = if round % 2 == 0 { (holder, other) } else { (other, holder) };
        let tip = chain.tip() + 1;
        chain.run_until("a block is signed", &mut [&mut *holder, &mut *other], |_| chain.oracle.has(tip));
        // In the middle of a vote, at another moment each time.
        let gone_at = chain.tip() + 1;
        chain.run_until("the next block", &mut [], |_| chain.tip() >= gone_at);
        holder.ask(gone_at);
        let begin = Instant::now();
        chain.run_until("a moment", &mut [], |_| begin.elapsed() >= Duration::from_millis(2 * round));
        holder.signal(Signal::STOP);
        let blocks = failover(&chain, gone_at, other);
        assert!(blocks <= 3, "{blocks} blocks without a signature");
        // What it is asked while it stands still it answers when it wakes: for heights that are signed by now.
        for height in gone_at.saturating_sub(2)..=chain.tip() {
            holder.ask(height);
        }
        holder.signal(Signal::CONT);
        let until = chain.tip() + 2;
        chain.run_until("blocks with both awake", &mut [&mut *holder, &mut *other], |_| {
            chain.oracle.has(until)
        });
    }
}
