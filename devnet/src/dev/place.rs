//! Where a running devnet is: a file in its folder.

use crate::keys::Seed;
use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FILE: &str = "devnet.json";

/// The account that may change parameters on a devnet, by its name under the seed.
pub const DEVELOPER: &str = "developer";

/// What another process must know to reach a devnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Chain id of the staking chain.
    pub chain_id: String,
    /// Its CometBFT RPC endpoints.
    pub chain_rpc: Vec<String>,
    /// JSON-RPC of the Bitcoin node.
    pub bitcoin_rpc: String,
    /// The file with its credentials.
    pub bitcoin_cookie: PathBuf,
    /// What every key follows from.
    pub seed: u64,
}

impl Place {
    /// Writes the place into a devnet's folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join(FILE), serde_json::to_vec_pretty(self)?)
    }

    /// Reads the place from a devnet's folder.
    ///
    /// # Errors
    /// [`Failure`] when no devnet was started there, or the file is not one of this program.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = format!("no devnet was started in {}: {FILE} is missing", folder.display());
                return Err(Failure::new(Exit::Usage, why));
            }
            Err(error) => return Err(error.into()),
        };
        let why = |error| io::Error::other(format!("{} is malformed: {error}", path.display()));
        serde_json::from_str(&text).map_err(why).fail_with(Exit::Usage)
    }

    /// What every key follows from.
    pub fn seed(&self) -> Seed {
        Seed(self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_written_and_anything_else_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Place::read(dir.path()).unwrap_err().exit, Exit::Usage);
        let place = Place {
            chain_id: "c".into(),
            chain_rpc: vec!["http://127.0.0.1:1".into()],
            bitcoin_rpc: "http://127.0.0.1:2".into(),
            bitcoin_cookie: "/x/.cookie".into(),
            seed: 7,
        };
        place.write(dir.path()).unwrap();
        assert_eq!(Place::read(dir.path()).unwrap(), place);
        fs::write(dir.path().join(FILE), "{}").unwrap();
        assert_eq!(Place::read(dir.path()).unwrap_err().exit, Exit::Usage);
    }
}
