//! How messages are grouped into transactions.

use crate::proto::Any;

/// A message with its place in what the caller gave.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) position: usize,
    pub(super) refundable: bool,
    pub(super) any: Any,
}

impl Item {
    fn bytes(&self) -> usize {
        self.any.value.len().saturating_add(self.any.type_url.len())
    }
}

/// Groups messages in order. A group holds one refund class, no message twice, and stays within the bounds; a message
/// that alone exceeds the bytes stands alone, for the node to judge.
pub(super) fn split(items: Vec<Item>, max_messages: usize, max_bytes: usize) -> Vec<Vec<Item>> {
    let mut batches: Vec<Vec<Item>> = Vec::new();
    let mut bytes = 0usize;
    for item in items {
        let size = item.bytes();
        match batches.last_mut() {
            Some(batch) if fits(batch, &item, max_messages) && bytes.saturating_add(size) <= max_bytes => {
                bytes = bytes.saturating_add(size);
                batch.push(item);
            }
            Some(_) | None => {
                bytes = size;
                batches.push(vec![item]);
            }
        }
    }
    batches
}

fn fits(batch: &[Item], item: &Item, max_messages: usize) -> bool {
    let same_class = batch.first().is_none_or(|first| first.refundable == item.refundable);
    same_class && batch.len() < max_messages && batch.iter().all(|other| other.any != item.any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(position: usize, refundable: bool, content: u8, size: usize) -> Item {
        let value = vec![content; size];
        Item { position, refundable, any: Any { type_url: "/x".into(), value } }
    }

    proptest! {
        #[test]
        fn every_batch_is_uniform_unique_bounded_and_in_order(
            kinds in prop::collection::vec((any::<bool>(), 0u8..4, 1usize..40), 0..40),
            max_messages in 1usize..6,
            max_bytes in 10usize..80,
        ) {
            let items: Vec<_> =
                kinds.iter().enumerate().map(|(i, (r, c, s))| item(i, *r, *c, *s)).collect();
            let batches = split(items, max_messages, max_bytes);
            let positions: Vec<_> = batches.iter().flatten().map(|item| item.position).collect();
            prop_assert_eq!(positions, (0..kinds.len()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!(batch.len() <= max_messages);
                prop_assert!(batch.iter().all(|item| item.refundable == batch[0].refundable));
                let bytes: usize = batch.iter().map(Item::bytes).sum();
                prop_assert!(bytes <= max_bytes || batch.len() == 1);
                for (index, item) in batch.iter().enumerate() {
                    prop_assert!(batch[..index].iter().all(|other| other.any != item.any));
                }
            }
        }
    }
}
