//! Several providers ask, and the chain is asked once.

use super::*;
use btc_staking_pos_chain::{
    double::{ChainState, ScriptedChain},
    ports::ErrorKind,
};

fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn key(number: usize) -> FinalityProviderPublicKey {
    let keys = [
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    ];
    keys[number].parse().unwrap()
}

/// A chain on which the first provider has power at even heights of 1 to 100, and the second everywhere.
fn chain() -> ScriptedChain {
    let mut state = ChainState::new("bbn-1");
    for height in 1..=100 {
        state.push_block(h(height), [9; 32]);
        state.set_power(h(height), key(1), 5);
        if height % 2 == 0 {
            state.set_power(h(height), key(0), 7);
        }
    }
    ScriptedChain::new(state)
}

fn heights(chain: &ScriptedChain) -> Heights {
    let heights = Heights::new(Arc::new(chain.clone()), Duration::from_secs(5));
    heights.join(key(0));
    heights.join(key(1));
    heights
}

#[tokio::test]
async fn what_one_provider_asked_for_is_known_to_the_other() {
    let chain = chain();
    let heights = heights(&chain);
    let all: Vec<_> = (1..=100).map(h).collect();
    let (first, second) = tokio::join!(heights.ask(key(0), &all, 1), heights.ask(key(1), &all, 1));
    assert_eq!(chain.reads(), 101, "a power table each, and one page of blocks");
    for (height, told) in first {
        let (power, block) = told.unwrap();
        let expected = if height.to_u64() % 2 == 0 { VotingPower::Has(7) } else { VotingPower::None };
        assert_eq!((power, block.unwrap().height), (expected, height));
    }
    assert!(second.into_iter().all(|(_, told)| told.unwrap().0 == VotingPower::Has(5)));
    heights.ask(key(0), &all, 2).await;
    assert_eq!(chain.reads(), 101, "it is known for good");
}

#[tokio::test]
async fn an_answer_that_says_nothing_holds_for_its_look_only() {
    let chain = chain();
    let heights = heights(&chain);
    let ahead = [h(101)];
    let ask = |number, look| heights.ask(key(number), &ahead, look);
    assert!(matches!(ask(0, 1).await[0].1, Ok((VotingPower::NoTable, None))));
    let reads = chain.reads();
    assert!(matches!(ask(1, 1).await[0].1, Ok((VotingPower::NoTable, None))));
    assert_eq!(chain.reads(), reads + 1, "only the block is looked for again");
    chain.fail_next_reads(2, ErrorKind::Transient);
    assert!(ask(0, 2).await[0].1.is_err());
    let reads = chain.reads();
    assert!(ask(1, 2).await[0].1.is_err());
    assert_eq!(chain.reads(), reads, "a silent node is waited for once");
    chain.update(|state| {
        state.push_block(h(101), [9; 32]);
        state.set_power(h(101), key(1), 5);
    });
    assert!(matches!(ask(1, 3).await[0].1, Ok((VotingPower::Has(5), Some(_)))));
    assert!(matches!(ask(0, 3).await[0].1, Ok((VotingPower::None, Some(_)))));
}

#[tokio::test]
async fn blocks_that_are_missing_in_the_middle_are_not_asked_for_over_and_over() {
    let chain = chain();
    chain.update(|state| {
        for height in (10..=90).filter(|height| height % 10 != 0) {
            state.blocks.remove(&h(height));
        }
    });
    let heights = heights(&chain);
    let all: Vec<_> = (1..=100).map(h).collect();
    let told = heights.ask(key(1), &all, 1).await;
    let without = told.iter().filter(|(_, told)| matches!(told, Ok((_, None)))).count();
    assert_eq!((without, chain.reads()), (72, 101));
}
