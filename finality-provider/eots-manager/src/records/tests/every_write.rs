//! A real process on a real disk that kills itself with SIGKILL at every change of a file, one after the other, under a
//! parent that sees every signature it released.
//!
//! The simulated disk (`crashes`) loses what was not synced as well; here the signer, the files and the kill are real.

use super::{
    simulated::Death,
    {files, fresh, subject},
};
use crate::{
    keys::EotsKey,
    manager::EotsManager,
    records::{
        SignRecords,
        disk::Disk,
        files::{Files, Folder, Name},
        history::Limits,
    },
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use rustix::process::{Signal, getpid, kill_process};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

const DIRECTORY: &str = "EOTS_TEST_DIRECTORY";
const DIES_AT: &str = "EOTS_TEST_DIES_AT";
const BLOCK: &str = "EOTS_TEST_BLOCK";
const CHILD: &str = "records::tests::every_write::child_that_signs_until_it_kills_itself";
/// Room for all of the votes, so that each of them is answered again.
const LIMITS: Limits = Limits { votes: 32, commitments: 2, slack: 4 };
const HEIGHTS: u64 = 16;

/// The folder, until the process dies.
struct Dying {
    folder: Folder,
    steps: AtomicU64,
    dies: Option<(u64, Death)>,
}

impl Dying {
    fn die() {
        let _ = kill_process(getpid(), Signal::KILL);
        unreachable!("SIGKILL does not return");
    }

    /// Counts a step and dies before or after it, or halfway through if half a step is given.
    fn step<T>(
        &mut self,
        half: impl FnOnce(&mut Folder) -> io::Result<()>,
        whole: impl FnOnce(&mut Folder) -> io::Result<T>,
    ) -> io::Result<T> {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let death = self.dies.filter(|(at, _)| *at == step).map(|(_, death)| death);
        match death {
            Some(Death::Before) => Self::die(),
            Some(Death::Middle) => {
                half(&mut self.folder)?;
                Self::die();
            }
            Some(Death::After) | None => {}
        }
        let done = whole(&mut self.folder);
        if death.is_some() {
            Self::die();
        }
        done
    }
}

fn nothing(_: &mut Folder) -> io::Result<()> {
    Ok(())
}

impl Files for Dying {
    fn len(&self, name: Name) -> io::Result<u64> {
        self.folder.len(name)
    }
    fn read_at(&self, name: Name, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.folder.read_at(name, buffer, offset)
    }
    fn write_at(&mut self, name: Name, bytes: &[u8], offset: u64) -> io::Result<()> {
        let half = &bytes[..bytes.len() / 2];
        self.step(|f| f.write_at(name, half, offset), |f| f.write_at(name, bytes, offset))
    }
    fn set_len(&mut self, name: Name, len: u64) -> io::Result<()> {
        self.step(nothing, |f| f.set_len(name, len))
    }
    fn sync(&mut self, name: Name) -> io::Result<()> {
        self.step(nothing, |f| f.sync(name))
    }
    fn check_in_place(&self) -> io::Result<()> {
        self.folder.check_in_place()
    }
    fn create_successor(&mut self) -> io::Result<()> {
        self.step(nothing, Folder::create_successor)
    }
    fn rename_successor(&mut self) -> io::Result<()> {
        self.step(nothing, Folder::rename_successor)
    }
    fn sync_directory(&mut self) -> io::Result<()> {
        self.step(nothing, Folder::sync_directory)
    }
}

fn open(directory: &Path, dies: Option<(u64, Death)>) -> EotsManager {
    let folder = Folder::open(directory).unwrap();
    let files = Dying { folder, steps: AtomicU64::new(0), dies };
    let records = SignRecords::open_with(Disk::open_on(Box::new(files), directory).unwrap(), LIMITS).unwrap();
    let bytes = std::array::from_fn(|index| u8::try_from(index + 1).unwrap());
    let key = EotsKey::from_secret_bytes(&bytes).unwrap();
    assert_eq!(key.public_key(), subject().finality_provider);
    EotsManager::new(records, [key])
}

/// Not a test of its own: what the parent starts. Without the variables it does nothing.
#[test]
fn child_that_signs_until_it_kills_itself() {
    let (Ok(directory), Ok(block)) = (std::env::var(DIRECTORY), std::env::var(BLOCK)) else { return };
    let dies = std::env::var(DIES_AT).ok().map(|text| {
        let (step, death) = text.split_once(' ').unwrap();
        let death = match death {
            "Before" => Death::Before,
            "Middle" => Death::Middle,
            _ => Death::After,
        };
        (step.parse().unwrap(), death)
    });
    let manager = open(Path::new(&directory), dies);
    let message =
        |height| VoteMessage { height: PosHeight::new(height), app_hash: [block.parse().unwrap(); 32] };
    let release = |height: u64, signature: &str| println!("signed {height} {block} {signature}");
    for height in (1..HEIGHTS).step_by(4) {
        if let Ok(signature) = manager.sign_vote(&subject(), message(height)) {
            release(height, &hex::encode(signature.to_bytes()));
        }
        let batch: Vec<_> = (height + 1..height + 4).map(message).collect();
        for answer in manager.sign_batch(&subject(), &batch).unwrap() {
            if let Ok(signature) = answer.result {
                release(answer.height.to_u64(), &hex::encode(signature.to_bytes()));
            }
        }
        if height == 5 {
            manager.records().compact().unwrap();
        }
    }
}

fn run(directory: &Path, block: u8, dies: Option<(u64, Death)>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--nocapture"]).stderr(Stdio::null());
    command.env(DIRECTORY, directory).env(BLOCK, block.to_string());
    if let Some((step, death)) = dies {
        command.env(DIES_AT, format!("{step} {death:?}"));
    }
    command.output().unwrap()
}

/// What left the process: of each height the block and the signature.
fn take(output: &Output, released: &mut BTreeMap<u64, (String, String)>, context: &str) -> usize {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut count = 0;
    for line in text.lines().filter_map(|line| line.split_once("signed ").map(|(_, rest)| rest)) {
        let words: Vec<_> = line.split(' ').collect();
        let [height, block, signature] = words[..] else { panic!("{line:?}") };
        let vote = (block.to_owned(), signature.to_owned());
        let before = released.insert(height.parse().unwrap(), vote.clone());
        assert!(before.is_none_or(|before| before == vote), "two signatures at height {height}: {context}");
        count += 1;
    }
    count
}

#[test]
fn a_process_killed_at_every_write_never_signs_two_messages_at_a_height() {
    let mut kills = 0;
    for step in 0.. {
        let mut died = false;
        for death in [Death::Before, Death::Middle, Death::After] {
            let context = format!("step {step}, {death:?}");
            let (directory, records) = fresh();
            drop(records);
            let mut released = BTreeMap::new();
            let ended = run(directory.path(), 1, Some((step, death)));
            take(&ended, &mut released, &context);
            let was_killed = ended.status.signal() == Some(9);
            died |= was_killed;
            kills += usize::from(was_killed);
            if was_killed {
                // It starts again and is asked for another block at every height, then for the first ones.
                take(&run(directory.path(), 2, None), &mut released, &context);
                let again = run(directory.path(), 1, None);
                assert!(again.status.success(), "{context}");
                take(&again, &mut released, &context);
                assert_eq!(released.len() as u64, HEIGHTS, "{context}");
            }
            assert!(fs::exists(files(&directory).0).unwrap());
        }
        if !died {
            break;
        }
    }
    println!("{kills} kills");
    assert!(kills > 90, "the script has {kills} steps");
}
