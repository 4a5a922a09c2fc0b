//! A folder in memory that forgets like a disk.
//!
//! The process that uses it dies at a chosen step, before, in the middle of or right after it. What it wrote is still in
//! the page cache then. If the power goes as well, of what was not synced each sector keeps what it held after any of
//! the writes to it, whatever became of its neighbours; the size and the name of a file may or may not have arrived.

use crate::records::{
    disk,
    files::{Files, Name},
    layout::{self, Fact, Place, Position},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

const SECTOR: usize = 512;
const FILE_ID: [u8; 16] = [0x5a; 16];

/// SplitMix64: small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// What becomes of the step at which the process dies.
#[derive(Clone, Copy, Debug)]
pub enum Death {
    Before,
    Middle,
    After,
}

/// What the disk answers from a step on.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Writes what fits, then no more.
    Full,
    /// Every write and sync fails.
    Broken,
    /// Every change is refused, a sync has nothing to do.
    ReadOnly,
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    seen: Vec<u8>,
    /// Writes since the last sync, none of them longer than a sector or across one.
    unsynced: Vec<(usize, Vec<u8>)>,
}

struct State {
    files: Vec<File>,
    names: HashMap<Name, usize>,
    durable_names: HashMap<Name, usize>,
    steps: u64,
    death: Option<(u64, Death)>,
    dead: bool,
    fault: Option<(u64, Fault)>,
}

/// The folder. Clones are the same folder.
#[derive(Clone)]
pub struct Simulated(Arc<Mutex<State>>);

impl Simulated {
    /// With records of a new key, in which nothing was signed yet.
    pub fn new() -> Self {
        let (records, anchor) = disk::empty(FILE_ID);
        let start = Position { count: 0, last: layout::link(&records) };
        let mut records = records.to_vec();
        disk::push_record(&mut records, start, &super::subject(), Fact::New, Place::ALONE);
        Self::holding(records, anchor)
    }

    /// With these bytes.
    pub fn holding(records: Vec<u8>, anchor: Vec<u8>) -> Self {
        let file = |bytes: Vec<u8>| File { durable: bytes.clone(), seen: bytes, unsynced: Vec::new() };
        let names = HashMap::from([(Name::Records, 0), (Name::Anchor, 1)]);
        Self(Arc::new(Mutex::new(State {
            files: vec![file(records), file(anchor)],
            durable_names: names.clone(),
            names,
            steps: 0,
            death: None,
            dead: false,
            fault: None,
        })))
    }

    /// Begins a process that dies at a step of its own count.
    pub fn start(&self, dies: Option<(u64, Death)>) {
        let mut state = self.state();
        (state.steps, state.death, state.dead, state.fault) = (0, dies, false, None);
    }

    /// Lets the disk fail from a step on, until the next start.
    pub fn fail_from(&self, step: u64, fault: Fault) {
        self.state().fault = Some((step, fault));
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Steps taken since the last start.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// What a copy of the folder would hold.
    pub fn copy(&self) -> (Vec<u8>, Vec<u8>) {
        let state = self.state();
        let bytes = |name| state.files[state.names[&name]].seen.clone();
        (bytes(Name::Records), bytes(Name::Anchor))
    }

    /// The power goes: what was not synced is lost in part.
    pub fn cut_power(&self, random: &mut Random) {
        let mut state = self.state();
        if random.coin() {
            state.names = state.durable_names.clone();
        }
        state.durable_names = state.names.clone();
        for file in &mut state.files {
            file.cut_power(random);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl File {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        self.seen.resize(self.seen.len().max(end), 0);
        self.seen[offset..end].copy_from_slice(bytes);
        let mut at = offset;
        while at < end {
            let next = ((at / SECTOR + 1) * SECTOR).min(end);
            self.unsynced.push((at, bytes[at - offset..next - offset].to_vec()));
            at = next;
        }
    }

    fn set_len(&mut self, len: usize) {
        self.seen.resize(len, 0);
        self.unsynced.retain_mut(|(at, bytes)| {
            bytes.truncate(len.saturating_sub(*at));
            !bytes.is_empty()
        });
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.seen);
        self.unsynced.clear();
    }

    fn cut_power(&mut self, random: &mut Random) {
        let mut writes_of: HashMap<usize, usize> = HashMap::new();
        for (at, _) in &self.unsynced {
            *writes_of.entry(at / SECTOR).or_default() += 1;
        }
        let mut sectors: Vec<_> = writes_of.into_iter().collect();
        sectors.sort_unstable();
        let mut kept: HashMap<usize, usize> =
            sectors.into_iter().map(|(sector, writes)| (sector, random.index(writes + 1))).collect();
        let size_arrived = random.coin();
        if size_arrived {
            self.durable.resize(self.seen.len(), 0);
        }
        for (at, bytes) in std::mem::take(&mut self.unsynced) {
            let left = kept.get_mut(&(at / SECTOR)).unwrap();
            if *left > 0 {
                *left -= 1;
                let end = at + bytes.len();
                self.durable.resize(self.durable.len().max(end), 0);
                self.durable[at..end].copy_from_slice(&bytes);
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

/// What is left of a step that was to be taken.
enum Rest {
    All,
    Part,
    Nothing,
}

impl State {
    /// Counts a step and tells how much of it happens and what the process hears.
    fn step(&mut self, is_sync: bool) -> (Rest, io::Result<()>) {
        let dead = || Err(io::Error::other("the process is dead"));
        if self.dead {
            return (Rest::Nothing, dead());
        }
        let step = self.steps;
        self.steps += 1;
        if let Some((_, death)) = self.death.filter(|(at, _)| *at == step) {
            self.dead = true;
            let rest = match death {
                Death::Before => Rest::Nothing,
                Death::Middle => Rest::Part,
                Death::After => Rest::All,
            };
            return (rest, dead());
        }
        match self.fault.filter(|(from, _)| step >= *from) {
            None => (Rest::All, Ok(())),
            Some((_, Fault::ReadOnly)) if is_sync => (Rest::All, Ok(())),
            Some((_, Fault::Full)) if is_sync => (Rest::All, Ok(())),
            Some((_, Fault::Full)) => (Rest::Part, Err(io::ErrorKind::StorageFull.into())),
            Some((_, Fault::Broken)) => (Rest::Nothing, Err(io::Error::from_raw_os_error(5))),
            Some((_, Fault::ReadOnly)) => (Rest::Nothing, Err(io::ErrorKind::ReadOnlyFilesystem.into())),
        }
    }

    fn file(&mut self, name: Name) -> &mut File {
        let index = self.names[&name];
        &mut self.files[index]
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Files for Simulated {
    fn len(&self, name: Name) -> io::Result<u64> {
        Ok(self.state().file(name).seen.len() as u64)
    }

    fn read_at(&self, name: Name, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        let bytes = state.file(name).seen.get(place(offset)..).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&mut self, name: Name, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let (rest, answer) = state.step(false);
        let written = match rest {
            Rest::All => bytes.len(),
            Rest::Part => bytes.len() / 2,
            Rest::Nothing => 0,
        };
        state.file(name).write(&bytes[..written], place(offset));
        answer
    }

    fn set_len(&mut self, name: Name, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let (rest, answer) = state.step(false);
        if matches!(rest, Rest::All) {
            state.file(name).set_len(place(len));
        }
        answer
    }

    fn sync(&mut self, name: Name) -> io::Result<()> {
        let mut state = self.state();
        let (rest, answer) = state.step(true);
        if matches!(rest, Rest::All) {
            state.file(name).sync();
        }
        answer
    }

    fn check_in_place(&self) -> io::Result<()> {
        Ok(())
    }

    fn create_successor(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let (rest, answer) = state.step(false);
        if matches!(rest, Rest::All) {
            let new = state.files.len();
            state.files.push(File::default());
            state.names.insert(Name::Successor, new);
        }
        answer
    }

    fn rename_successor(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let (rest, answer) = state.step(false);
        if matches!(rest, Rest::All) {
            let successor = state.names.remove(&Name::Successor).unwrap();
            state.names.insert(Name::Records, successor);
        }
        answer
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let (rest, answer) = state.step(true);
        if matches!(rest, Rest::All) {
            state.durable_names = state.names.clone();
        }
        answer
    }
}
