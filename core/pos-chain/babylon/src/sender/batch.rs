//! How messages that wait are grouped into transactions.

use super::ledger::{Digest, RequestId};
use crate::proto::Any;
use std::collections::VecDeque;

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

/// Takes the next transaction's messages from the head of the queue. They are of one refund class, no message is twice
/// among them, and they stay within the bounds; a message that alone exceeds the bytes stands alone, for the node to
/// judge. Messages of several callers share a transaction.
pub(super) fn take_batch(queue: &mut VecDeque<Item>, max_messages: usize, max_bytes: usize) -> Vec<Item> {
    let mut batch: Vec<Item> = Vec::new();
    let mut bytes = 0usize;
    while let Some(next) = queue.front() {
        let size = bytes.saturating_add(next.bytes());
        if !batch.is_empty() && (size > max_bytes || !fits(&batch, next, max_messages)) {
            break;
        }
        bytes = size;
        batch.extend(queue.pop_front());
    }
    batch
}

fn fits(batch: &[Item], item: &Item, max_messages: usize) -> bool {
    let same_class = batch.first().is_none_or(|first| first.refundable == item.refundable);
    same_class && batch.len() < max_messages && batch.iter().all(|other| other.digest != item.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender::ledger::digest;
    use proptest::prelude::*;

    fn item(position: usize, refundable: bool, content: u8, size: usize) -> Item {
        let any = Any { type_url: "/x".into(), value: vec![content; size] };
        Item { request: 1, position, refundable, digest: digest(&any), any }
    }

    proptest! {
        #[test]
        fn every_batch_is_uniform_unique_bounded_and_in_order(
            kinds in prop::collection::vec((any::<bool>(), 0u8..4, 1usize..40), 0..40),
            max_messages in 1usize..6,
            max_bytes in 10usize..80,
        ) {
            let mut queue: VecDeque<_> =
                kinds.iter().enumerate().map(|(i, (r, c, s))| item(i, *r, *c, *s)).collect();
            let mut positions = Vec::new();
            while !queue.is_empty() {
                let batch = take_batch(&mut queue, max_messages, max_bytes);
                prop_assert!(!batch.is_empty() && batch.len() <= max_messages);
                prop_assert!(batch.iter().all(|item| item.refundable == batch[0].refundable));
                let bytes: usize = batch.iter().map(Item::bytes).sum();
                prop_assert!(bytes <= max_bytes || batch.len() == 1);
                for (index, item) in batch.iter().enumerate() {
                    prop_assert!(batch[..index].iter().all(|other| other.any != item.any));
                }
                positions.extend(batch.iter().map(|item| item.position));
            }
            prop_assert_eq!(positions, (0..kinds.len()).collect::<Vec<_>>());
        }
    }
}
