//! The disk is full: writes of a running node fail, it stops with a typed error, and with room again it goes on to the
//! hashes that an undisturbed one has.
//!
//! The system itself refuses the writes: the node is a process whose files may not grow past a limit (`RLIMIT_FSIZE`), and
//! which ignores the signal that would end it there, so that the writes fail with `EFBIG`.

use super::kill_tests::{check, number_in, open, step, transfer};
use crate::error::Broken;
use std::{
    env, fs,
    io::Write,
    path::Path,
    process::{Command, Output},
};

const CHILD: &str = "BTC_STAKING_CHAIN_DISK_FULL_TEST_CHILD";
/// Far more blocks than there is room for.
const PATIENCE: u64 = 2_000;

/// The child: makes blocks until one cannot be written. Does nothing when run as a test.
#[test]
fn child_that_makes_blocks_until_the_disk_is_full() {
    let Some(path) = env::var_os(CHILD) else { return };
    let core = open(Path::new(&path));
    for _ in 0..PATIENCE {
        transfer(&core);
        let before = (core.height(), core.app_hash());
        match core.produce_block() {
            Ok(height) => tell(&format!("done {height} .")),
            Err(broken) => {
                assert!(matches!(broken, Broken::Storage(_)), "{broken:?}");
                assert_eq!(*core.halted().borrow(), Some(broken.clone()), "the node says why it stopped");
                assert_eq!(core.produce_block(), Err(broken.clone()), "and makes no other block");
                assert_eq!((core.height(), core.app_hash()), before, "nor does it show the one that failed");
                return tell(&format!("stopped: {broken}"));
            }
        }
    }
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Runs the child with files of at most so many bytes (twice as many where the shell counts in blocks of 1,024).
fn run_with_room_for(bytes: u64, path: &Path) -> Output {
    Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f "$0" && exec "$@""#, &(bytes / 512).to_string()])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "node::disk_full_tests::child_that_makes_blocks_until_the_disk_is_full",
            "--nocapture",
        ])
        .env(CHILD, path)
        .output()
        .unwrap()
}

fn largest_file(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() { largest_file(&path) } else { entry.metadata().unwrap().len() }
    };
    fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap())).max().unwrap_or(0)
}

#[test]
fn a_node_whose_disk_is_full_stops_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (path, undisturbed) = (dir.path().join("full"), open(&dir.path().join("undisturbed")));
    let first = open(&path);
    let mut height = (0..3).map(|_| step(&first)).last().unwrap();
    drop(first);
    // Twice: what a full disk left is what the second one begins with.
    for room in [700_000, 900_000] {
        let output = run_with_room_for(largest_file(&path) + room, &path);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let acknowledged = text.lines().filter_map(number_in).next_back().expect("it made blocks before");
        assert!(acknowledged > height, "{text}");
        let stopped = text.lines().find(|line| line.starts_with("stopped: ")).expect("it stopped");
        assert!(stopped.contains("File too large"), "{stopped}");

        let found = check(&path, &undisturbed);
        assert!(found == acknowledged || found == acknowledged + 1, "{acknowledged} done, {found} found");
        let again = open(&path);
        height = step(&again);
        assert_eq!((step(&undisturbed), undisturbed.app_hash()), (height, again.app_hash()));
    }
}
