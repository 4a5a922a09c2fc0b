//! How messages that wait are grouped into transactions.

use super::ledger::{Digest, RequestId};
use crate::proto::Any;
use std::collections::{BTreeSet, VecDeque};

/// A message with its place in what a caller gave.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) request: RequestId,
    pub(super) position: usize,
    pub(super) refundable: bool,
    pub(super) digest: Digest,
    pub(super) any: Any,
}

impl Item {
    fn bytes(&self) -> usize {
        self.any.value.len().saturating_add(self.any.type_url.len())
    }
}

/// Takes the next transaction's messages: the first that waits, and whatever else can go with it. They are of one refund
/// class, no message is twice among them, and they stay within the bounds; a message that alone exceeds the bytes stands
/// alone, for the node to judge. Messages of several callers share a transaction, and none overtakes one of its own call.
pub(super) fn take_batch(queue: &mut VecDeque<Item>, max_messages: usize, max_bytes: usize) -> Vec<Item> {
    let mut batch: Vec<Item> = Vec::new();
    let mut bytes = 0usize;
    let mut behind = BTreeSet::new();
    for item in std::mem::take(queue) {
        let size = bytes.saturating_add(item.bytes());
        let room = batch.is_empty() || (batch.len() < max_messages && size <= max_bytes);
        if room && fits(&batch, &item) && !behind.contains(&item.request) {
            bytes = size;
            batch.push(item);
        } else {
            behind.insert(item.request);
            queue.push_back(item);
        }
    }
    batch
}

fn fits(batch: &[Item], item: &Item) -> bool {
    let same_class = batch.first().is_none_or(|first| first.refundable == item.refundable);
    same_class && batch.iter().all(|other| other.digest != item.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender::ledger::digest;
    use proptest::prelude::*;

    fn item(position: usize, request: RequestId, refundable: bool, content: u8, size: usize) -> Item {
        let any = Any { type_url: "/x".into(), value: vec![content; size] };
        Item { request, position, refundable, digest: digest(&any), any }
    }

    proptest! {
        #[test]
        fn every_batch_is_uniform_unique_and_bounded_and_no_message_overtakes_one_of_its_call(
            kinds in prop::collection::vec((0u64..4, any::<bool>(), 0u8..4, 1usize..40), 0..40),
            max_messages in 1usize..6,
            max_bytes in 10usize..80,
        ) {
            let mut queue: VecDeque<_> =
                kinds.iter().enumerate().map(|(i, (q, r, c, s))| item(i, *q, *r, *c, *s)).collect();
            let mut sent = Vec::new();
            while let Some(first) = queue.front().map(|item| item.position) {
                let batch = take_batch(&mut queue, max_messages, max_bytes);
                prop_assert_eq!(batch[0].position, first);
                prop_assert!(batch.len() <= max_messages);
                prop_assert!(batch.iter().all(|item| item.refundable == batch[0].refundable));
                let bytes: usize = batch.iter().map(Item::bytes).sum();
                prop_assert!(bytes <= max_bytes || batch.len() == 1);
                for (index, item) in batch.iter().enumerate() {
                    prop_assert!(batch[..index].iter().all(|other| other.any != item.any));
                }
                sent.extend(batch.into_iter().map(|item| (item.request, item.position)));
            }
            for request in 0..4 {
                let of = |(sender, position): &(u64, usize)| (*sender == request).then_some(*position);
                let given: Vec<_> = kinds.iter().enumerate().map(|(i, kind)| (kind.0, i)).collect();
                let given: Vec<_> = given.iter().filter_map(of).collect();
                prop_assert_eq!(sent.iter().filter_map(of).collect::<Vec<_>>(), given);
            }
        }
    }

    #[test]
    fn messages_of_one_class_go_together_past_others_of_other_calls() {
        let mut queue: VecDeque<_> = [(0, true), (1, false), (2, true), (1, true), (0, true)]
            .into_iter()
            .enumerate()
            .map(|(position, (request, refundable))| item(position, request, refundable, 0, position + 1))
            .collect();
        let mut next =
            || -> Vec<usize> { take_batch(&mut queue, 10, 1_000).iter().map(|item| item.position).collect() };
        assert_eq!([next(), next(), next()], [vec![0, 2, 4], vec![1], vec![3]]);
    }
}
