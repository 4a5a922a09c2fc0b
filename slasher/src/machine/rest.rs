//! Tasks that rest: the chain took them or refused them, and what it shows did not change since.
//!
//! No rest is for good. What was taken is told again after the longest rest if its effect never shows; what was refused
//! is tried again after rests that double, because one wrong answer of one node must not end a task.

use super::event::Task;
use std::collections::BTreeMap;

/// Ticks of the first rest after a refusal.
const FIRST: u32 = 4;
/// Ticks of the longest rest: an hour at the sample configuration's poll interval.
pub(super) const LONGEST: u32 = 720;

/// The tasks that rest, or did and may be refused again.
#[derive(Debug, Default)]
pub(super) struct Resting(BTreeMap<Task, Rest>);

#[derive(Debug)]
struct Rest {
    /// Ticks left.
    left: u32,
    /// Length of the next rest.
    next: u32,
}

impl Resting {
    /// Counts a tick.
    pub(super) fn tick(&mut self) {
        for rest in self.0.values_mut() {
            rest.left = rest.left.saturating_sub(1);
        }
    }

    /// Whether a task is to be left alone now.
    pub(super) fn contains(&self, task: &Task) -> bool {
        self.0.get(task).is_some_and(|rest| rest.left > 0)
    }

    /// The chain took it.
    pub(super) fn taken(&mut self, task: Task) {
        self.0.insert(task, Rest { left: LONGEST, next: FIRST });
    }

    /// The chain refused it.
    pub(super) fn refused(&mut self, task: Task) {
        let rest = self.0.entry(task).or_insert(Rest { left: 0, next: FIRST });
        rest.left = rest.next;
        rest.next = rest.next.saturating_mul(2).min(LONGEST);
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
        for _ in 1..LONGEST {
            resting.tick();
        }
        assert!(resting.contains(&task));
        resting.tick();
        assert!(!resting.contains(&task));
    }
}
