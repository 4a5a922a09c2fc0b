//! Whether what is recorded can still be made durable: the part of `/healthz` that is not about the process.

use crate::doctor::disk::{Disk, read_disk};
use btc_staking_daemon::{
    health::Check,
    tasks::{Stop, TaskError},
};
use std::{io, path::Path, path::PathBuf, time::Duration};

/// Between two looks.
pub const INTERVAL: Duration = Duration::from_secs(15);
/// Free bytes below which the next records may not fit.
const LEAST_FREE: u64 = 16 * 1024 * 1024;

/// Looks at the data directory until told to stop, and says on the health board whether it can be written to.
///
/// # Errors
/// None.
pub async fn watch_disk(
    data_dir: PathBuf,
    check: Check,
    interval: Duration,
    mut stop: Stop,
) -> Result<(), TaskError> {
    while !stop.is_stopping() {
        match trouble(&data_dir, read_disk(&data_dir)) {
            None => check.ok(),
            Some(trouble) => check.failed(trouble),
        }
        if stop.sleep(interval).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What keeps records in a directory from being durable.
fn trouble(data_dir: &Path, disk: io::Result<Disk>) -> Option<String> {
    let path = data_dir.display();
    match disk {
        Err(error) => Some(format!("{path} cannot be read: {error}")),
        Ok(disk) if disk.read_only => Some(format!("{path} is on a file system that is read-only now")),
        Ok(disk) if disk.free < LEAST_FREE => Some(format!(
            "{path} has {} kB left, at least {} are needed",
            disk.free / 1024,
            LEAST_FREE / 1024
        )),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::disk::FileSystem;
    use btc_staking_daemon::{health::Health, tasks::StopSource};

    fn disk(free: u64, read_only: bool) -> io::Result<Disk> {
        Ok(Disk { free, read_only, kind: FileSystem::Local("ext4") })
    }

    #[test]
    fn a_full_read_only_or_vanished_disk_is_no_place_for_records() {
        let told = |disk| trouble(Path::new("/data"), disk);
        assert_eq!(told(disk(LEAST_FREE, false)), None);
        assert!(told(disk(LEAST_FREE - 1, false)).unwrap().contains("16383 kB left"));
        assert!(told(disk(u64::MAX, true)).unwrap().contains("read-only"));
        assert!(told(Err(io::Error::other("gone"))).unwrap().contains("/data cannot be read: gone"));
    }

    #[tokio::test]
    async fn the_health_board_fails_while_the_directory_is_away_and_recovers_after() {
        let directory = tempfile::tempdir().unwrap();
        let (health, stop) = (Health::new(), StopSource::new());
        let data_dir = directory.path().join("data");
        let check = health.check("durable");
        let watching = watch_disk(data_dir.clone(), check, Duration::from_millis(1), stop.stop());
        let watching = tokio::spawn(watching);
        let until = async |alive: bool, ready: bool| {
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            while (health.report().alive, health.report().ready) != (alive, ready) {
                assert!(std::time::Instant::now() < deadline, "{:?}", health.report());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        until(false, false).await;
        std::fs::create_dir(&data_dir).unwrap();
        until(true, true).await;
        stop.trigger();
        watching.await.unwrap().unwrap();
    }
}
