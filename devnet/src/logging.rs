//! The devnet's own log: its nodes and tasks, and the daemons too when they run in this process.

use std::{fs::File, io, path::Path, sync::Mutex};
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

/// Writes all log lines of this process from now on to `file`.
///
/// # Errors
/// What the system says about the file; or that this process logs somewhere already.
pub fn start(file: &Path) -> io::Result<()> {
    let file = Mutex::new(File::create(file)?);
    let logger = fmt().with_env_filter(EnvFilter::new("info")).with_ansi(false).with_writer(file).finish();
    logger.try_init().map_err(io::Error::other)
}
