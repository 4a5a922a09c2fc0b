//! Where the records are kept: room, whether it can be written to, what file system it is, and how long a durable
//! write takes.

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// Free bytes below which a day of records and logs may not fit.
pub const LEAST_FREE: u64 = 256 * 1024 * 1024;
/// Writes measured.
const WRITES: usize = 200;
/// Bytes of one write: about a sign record.
const RECORD: usize = 256;

/// The file system of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Bytes this process may still write.
    pub free: u64,
    /// Whether it is mounted so that nothing can be written.
    pub read_only: bool,
    /// What it is.
    pub kind: FileSystem,
}

/// File systems as far as it matters to records that must be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// One of a disk.
    Local(&'static str),
    /// In memory: everything is gone after a restart of the machine.
    Memory,
    /// On another machine, whose locks and syncs are its own.
    Network(&'static str),
    /// A layer over another one, as containers have it: gone with the container.
    Overlay,
    /// One this program does not know, by the number the system gives it.
    Unknown(u64),
}

/// How long appending a record and syncing it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncLatency {
    /// Half of the writes take no longer.
    pub median: Duration,
    /// 99 of 100 writes take no longer.
    pub p99: Duration,
}

/// Reads the file system of a directory.
///
/// # Errors
/// [`io::Error`] when the directory is not there.
pub fn read_disk(directory: &Path) -> io::Result<Disk> {
    let about = statvfs(directory)?;
    // The type's width differs between machines; as a number it does not.
    let kind = u64::try_from(statfs(directory)?.f_type).unwrap_or(0);
    Ok(Disk {
        free: about.f_bavail.saturating_mul(about.f_frsize),
        read_only: about.f_flag.contains(StatVfsMountFlags::RDONLY),
        kind: FileSystem::of(kind),
    })
}

impl FileSystem {
    /// By the number in `linux/magic.h`.
    fn of(number: u64) -> Self {
        match number {
            0xEF53 => Self::Local("ext4"),
            0x5846_5342 => Self::Local("xfs"),
            0x9123_683E => Self::Local("btrfs"),
            0x2FC1_2FC1 => Self::Local("zfs"),
            0xF2F5_2010 => Self::Local("f2fs"),
            0xCA45_1A4E => Self::Local("bcachefs"),
            0x0102_1994 | 0x8584_58F6 => Self::Memory,
            0x6969 => Self::Network("nfs"),
            0xFE53_4D42 | 0xFF53_4D42 | 0x517B => Self::Network("smb"),
            0x00C3_6400 => Self::Network("ceph"),
            0x6573_5546 => Self::Network("fuse"),
            0x0102_1997 => Self::Network("9p"),
            0x794C_7630 => Self::Overlay,
            other => Self::Unknown(other),
        }
    }
}

/// Appends records to a file of its own in the directory, syncing each, and removes it.
///
/// # Errors
/// [`io::Error`] of the first write that fails.
pub fn measure_sync(directory: &Path) -> io::Result<SyncLatency> {
    let path = directory.join(format!(".doctor-{}", std::process::id()));
    let measured = measure_at(&path);
    // What cannot be removed was not made, or says so at the next write.
    let _ = std::fs::remove_file(&path);
    measured
}

fn measure_at(path: &Path) -> io::Result<SyncLatency> {
    let mut file = OpenOptions::new().create_new(true).append(true).open(path)?;
    let mut taken = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begin = Instant::now();
        file.write_all(&[0x5a; RECORD])?;
        file.sync_data()?;
        taken.push(begin.elapsed());
    }
    taken.sort_unstable();
    let at = |percent: usize| taken.get(WRITES * percent / 100).copied().unwrap_or_default();
    Ok(SyncLatency { median: at(50), p99: at(99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_room_a_kind_and_a_latency() {
        let directory = tempfile::tempdir().unwrap();
        let disk = read_disk(directory.path()).unwrap();
        assert!(disk.free > 0 && !disk.read_only, "{disk:?}");
        let latency = measure_sync(directory.path()).unwrap();
        assert!(latency.median <= latency.p99 && latency.p99 > Duration::ZERO, "{latency:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing stays behind");
    }

    #[test]
    fn a_directory_that_is_not_there_or_not_writable_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read_disk(&directory.path().join("absent")).is_err());
        assert!(measure_sync(&directory.path().join("absent")).is_err());
        assert_eq!(read_disk(Path::new("/proc")).unwrap().kind, FileSystem::of(0x9fa0));
    }

    #[test]
    fn file_systems_are_told_apart_by_what_they_promise() {
        assert_eq!(FileSystem::of(0xEF53), FileSystem::Local("ext4"));
        assert_eq!(FileSystem::of(0x0102_1994), FileSystem::Memory);
        assert_eq!(FileSystem::of(0x6969), FileSystem::Network("nfs"));
        assert_eq!(FileSystem::of(0x794C_7630), FileSystem::Overlay);
    }
}
