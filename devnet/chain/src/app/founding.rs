//! Writing a state piece by piece, when it is too large for one commit.
//!
//! Every part is a commit of its own; only the last one says that there is a state at all. A founding that is interrupted
//! leaves a folder that [`App::open`](super::App::open) refuses ([`Broken::Unfinished`]). The app hash chains over the
//! parts, so that equal foundings have equal hashes.

use super::{BlockTime, check_empty, hash_genesis, only_broken, position_write};
use crate::{
    error::{Broken, Failure},
    genesis::Genesis,
    state::{Backend, Meter, State, Writes, app_hash},
};
use btc_staking_protocol::height::PosHeight;

/// A state under construction.
pub(crate) struct Founding {
    backend: Box<dyn Backend>,
    genesis_hash: [u8; 32],
    app_hash: [u8; 32],
    parts: u64,
}

impl Founding {
    /// Begins a state in an empty backend.
    ///
    /// # Errors
    /// [`Broken::Unfinished`] when the backend is not empty.
    pub(crate) fn new(backend: Box<dyn Backend>, genesis: &Genesis) -> Result<Self, Broken> {
        check_empty(&*backend)?;
        let genesis_hash = hash_genesis(genesis)?;
        Ok(Self { backend, genesis_hash, app_hash: genesis_hash, parts: 0 })
    }

    /// Writes a part.
    ///
    /// # Errors
    /// [`Broken`] of `fill` or when the part could not be made durable.
    pub(crate) fn part(
        &mut self,
        fill: impl FnOnce(&mut State<'_>) -> Result<(), Failure>,
    ) -> Result<(), Broken> {
        let meter = Meter::unlimited();
        let mut state = State::new(&*self.backend, &meter);
        only_broken(fill(&mut state))?;
        let writes = state.into_writes();
        self.app_hash = app_hash::next(&self.app_hash, self.parts, &writes);
        self.parts = self.parts.saturating_add(1);
        self.backend.commit(&writes, &Writes::new())
    }

    /// Makes the parts a state at `height` and returns its hash.
    ///
    /// # Errors
    /// [`Broken`] when that could not be made durable.
    pub(crate) fn finish(mut self, height: PosHeight, time: BlockTime) -> Result<[u8; 32], Broken> {
        let (key, position) = position_write(height, time, self.app_hash, self.genesis_hash);
        self.backend.commit(&Writes::from([(key, Some(position))]), &Writes::new())?;
        Ok(self.app_hash)
    }
}
