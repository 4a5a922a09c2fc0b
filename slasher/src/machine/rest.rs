//! Tasks that rest: the chain took them or refused them, and what it shows did not change since.
//!
//! No rest is for good. What was taken is told again after the longest rest if its effect never shows; what was refused
//! is tried again after rests that double, because one wrong answer of one node must not end a task.

use super::event::Task;
use btc_staking_daemon::backoff::Rest;
use std::collections::BTreeMap;

/// The tasks that rest, or did and may be refused again.
#[derive(Debug, Default)]
pub(super) struct Resting(BTreeMap<Task, Rest>);

impl Resting {
    /// Counts a tick.
    pub(super) fn tick(&mut self) {
        for rest in self.0.values_mut() {
            rest.tick();
        }
    }

    /// Whether a task is to be left alone now.
    pub(super) fn contains(&self, task: &Task) -> bool {
        self.0.get(task).is_some_and(|rest| !rest.is_over())
    }

    /// The chain took it.
    pub(super) fn taken(&mut self, task: Task) {
        self.0.insert(task, Rest::longest());
    }

    /// The chain refused it.
    pub(super) fn refused(&mut self, task: Task) {
        self.0.entry(task).or_default().grow();
    }

    /// What the task rests on has changed.
    pub(super) fn wake(&mut self, task: &Task) {
        self.0.remove(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Txid, hashes::Hash};

    #[test]
    fn refused_tasks_rest_longer_each_time_and_never_for_good() {
        let task = Task::Activate(Txid::all_zeros());
        let mut resting = Resting::default();
        let mut rests = Vec::new();
        for _ in 0..12 {
            resting.refused(task.clone());
            let mut ticks = 0;
            while resting.contains(&task) {
                resting.tick();
                ticks += 1;
            }
            rests.push(ticks);
        }
        assert_eq!(rests, [4, 8, 16, 32, 64, 128, 256, 512, 720, 720, 720, 720]);
        resting.wake(&task);
        resting.refused(task.clone());
        resting.taken(task.clone());
        for _ in 1..Rest::LONGEST {
            resting.tick();
        }
        assert!(resting.contains(&task));
        resting.tick();
        assert!(!resting.contains(&task));
    }
}
