//! The signer killed, and the power cut, at every step and at random ones. A permit stands for the signature it allows:
//! there is one signature to each permit, and it leaves only after the permit was given.

use super::{
    simulated::{Death, Fault, Random, Simulated},
    subject, variable, vote,
};
use crate::records::{NotSafe, SignRecords, VoteRequest, disk::Disk, history::Limits};
use btc_staking_protocol::{finality::randomness::CommittedRandomness, height::PosHeight};
use std::{collections::BTreeMap, path::Path};

/// So small that almost every run forgets votes and compacts.
const LIMITS: Limits = Limits { votes: 6, commitments: 2, slack: 6 };

/// Every signature that ever left, and the check that no second one did.
#[derive(Default)]
struct Parent {
    released: BTreeMap<u64, u8>,
}

impl Parent {
    fn take(&mut self, height: u64, block: u8, context: &str) {
        let before = self.released.insert(height, block);
        assert!(before.is_none_or(|before| before == block), "two signatures at height {height}: {context}");
    }

    /// Nothing that left is forgotten: no other block gets a signature at any of the heights.
    fn check(&self, records: &SignRecords, context: &str) {
        for (height, block) in &self.released {
            assert!(records.check_and_record(vote(*height, block ^ 1)).is_err(), "{height}: {context}");
            match records.check_and_record(vote(*height, *block)) {
                Ok(_) | Err(NotSafe::BelowWatermark { .. }) => {}
                Err(other) => panic!("{other}: {context}"),
            }
        }
    }
}

fn open(folder: &Simulated) -> Result<SignRecords, String> {
    Disk::open_on(Box::new(folder.clone()), Path::new("simulated"))
        .and_then(|opened| SignRecords::open_with(opened, LIMITS))
        .map_err(|error| error.to_string())
}

fn ask(
    records: &SignRecords,
    votes: &[(u64, u8)],
    parent: &mut Parent,
    context: &str,
) -> Result<(), NotSafe> {
    let requests = votes.iter().map(|(height, block)| vote(*height, *block)).collect();
    for (answer, (height, block)) in records.check_and_record_batch(requests)?.into_iter().zip(votes) {
        if answer.is_ok() {
            parent.take(*height, *block, context);
        }
    }
    Ok(())
}

/// One thing a signer is asked to do, near the highest height it knows.
fn do_something(
    records: &SignRecords,
    random: &mut Random,
    parent: &mut Parent,
    context: &str,
) -> Result<(), NotSafe> {
    let top = records.highest(&subject()).map_or(0, PosHeight::to_u64);
    let near = |random: &mut Random| (top + 4).saturating_sub(random.below(8)).max(1);
    let block = |random: &mut Random| u8::try_from(random.below(2)).unwrap();
    match random.below(16) {
        0 => records.record_watermark(&subject(), PosHeight::new(near(random).saturating_sub(3))),
        1 => {
            let start_height = PosHeight::new(near(random));
            let root = [block(random); 32];
            records.record_commitment(&subject(), CommittedRandomness { start_height, count: 5, root })
        }
        2 => records.compact(),
        3 => take_in(records, (near(random), block(random)), parent, context),
        4..9 => ask(records, &[(near(random), block(random))], parent, context),
        _ => {
            let votes: Vec<_> = (0..2 + random.below(7)).map(|_| (near(random), block(random))).collect();
            ask(records, &votes, parent, context)
        }
    }
}

/// Takes in what another signer released for two heights, unless these records hold something else there.
fn take_in(
    records: &SignRecords,
    (height, block): (u64, u8),
    parent: &mut Parent,
    context: &str,
) -> Result<(), NotSafe> {
    let votes = [height, height + 1].map(|height| vote(height, block));
    let answers = votes.clone().map(|vote| (vote.message, vote.public_randomness));
    let bar = PosHeight::new(height + 1);
    let is_free = |vote: &VoteRequest| match parent.released.get(&vote.message.height.to_u64()) {
        Some(released) => *released == block,
        None => true,
    };
    if !votes.iter().all(is_free) {
        return Ok(());
    }
    match records.import(&subject(), answers, Some(bar)) {
        Ok(()) => votes.iter().for_each(|vote| parent.take(vote.message.height.to_u64(), block, context)),
        // A vote that is on record but was never released.
        Err(NotSafe::DoubleSign { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// One life of the process, to its death.
fn live(folder: &Simulated, random: &mut Random, parent: &mut Parent, context: &str) {
    let death = [Death::Before, Death::Middle, Death::After][random.index(3)];
    folder.start(Some((random.below(24), death)));
    let records = match open(folder) {
        Ok(records) => records,
        Err(_) if folder.is_dead() => return,
        Err(error) => panic!("{error}: {context}"),
    };
    while let Ok(()) = do_something(&records, random, parent, context) {}
    assert!(folder.is_dead(), "only death ends it: {context}");
}

#[test]
fn no_two_messages_are_signed_at_a_height_through_any_sequence_of_kills_and_power_cuts() {
    let injections = variable("EOTS_TEST_INJECTIONS", 10_000);
    let seed = variable("EOTS_TEST_SEED", 2_024);
    println!("EOTS_TEST_INJECTIONS={injections} EOTS_TEST_SEED={seed}");
    let mut random = Random(seed);
    let (mut folder, mut parent) = (Simulated::new(), Parent::default());
    for injection in 0..injections {
        if injection % 50 == 0 {
            (folder, parent) = (Simulated::new(), Parent::default());
        }
        let context = format!("seed {seed}, injection {injection}");
        live(&folder, &mut random, &mut parent, &context);
        if random.below(2) == 0 {
            folder.cut_power(&mut random);
        }
        if injection % 10 == 9 {
            folder.start(None);
            parent.check(&open(&folder).unwrap_or_else(|error| panic!("{error}: {context}")), &context);
        }
    }
}

/// Votes alone and in a batch, a repetition, and a compaction.
fn script(records: &SignRecords, parent: &mut Parent, context: &str) -> Result<(), NotSafe> {
    ask(records, &[(1, 0)], parent, context)?;
    ask(records, &[(2, 0), (3, 0), (4, 0), (3, 1), (5, 0)], parent, context)?;
    records.compact()?;
    ask(records, &[(6, 0), (2, 0)], parent, context)?;
    ask(records, &[(7, 0), (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0)], parent, context)?;
    records.compact()?;
    ask(records, &[(14, 0)], parent, context)
}

#[test]
fn a_crash_at_every_step_of_voting_and_compacting_loses_no_released_vote() {
    let whole = Simulated::new();
    script(&open(&whole).unwrap(), &mut Parent::default(), "no crash").unwrap();
    assert!(whole.steps() > 30, "the script takes {} steps", whole.steps());
    for step in 0..whole.steps() {
        for (death, power) in [Death::Before, Death::Middle, Death::After]
            .into_iter()
            .flat_map(|death| [None, Some(1), Some(2), Some(3), Some(4), Some(5)].map(|power| (death, power)))
        {
            let context = format!("step {step}, {death:?}, power {power:?}");
            let (folder, mut parent) = (Simulated::new(), Parent::default());
            folder.start(Some((step, death)));
            if let Ok(records) = open(&folder) {
                let _until_dead = script(&records, &mut parent, &context);
            }
            if let Some(seed) = power {
                folder.cut_power(&mut Random(seed));
            }
            folder.start(None);
            parent.check(&open(&folder).unwrap_or_else(|error| panic!("{error}: {context}")), &context);
        }
    }
}

/// A process that was killed left its last write in the page cache only. The next one reads it, signs it again, and
/// then the power goes: it must have made it durable first.
#[test]
fn what_a_killed_process_left_in_the_page_cache_is_durable_before_it_is_believed() {
    for step in 0..60 {
        for (death, seed) in
            [Death::Middle, Death::After].into_iter().flat_map(|d| (0..8).map(move |s| (d, s)))
        {
            let context = format!("step {step}, {death:?}, seed {seed}");
            let (folder, mut parent) = (Simulated::new(), Parent::default());
            folder.start(Some((step, death)));
            if let Ok(records) = open(&folder) {
                let _until_dead = script(&records, &mut parent, &context);
            }
            folder.start(None);
            let records = open(&folder).unwrap_or_else(|error| panic!("{error}: {context}"));
            for height in 1..=14 {
                ask(&records, &[(height, 0)], &mut parent, &context).unwrap();
            }
            folder.cut_power(&mut Random(seed));
            parent.check(&open(&folder).unwrap_or_else(|error| panic!("{error}: {context}")), &context);
        }
    }
}

#[test]
fn a_full_broken_or_read_only_disk_stops_the_signer_at_any_step_and_it_says_so() {
    let whole = Simulated::new();
    script(&open(&whole).unwrap(), &mut Parent::default(), "no fault").unwrap();
    for step in 0..whole.steps() {
        for fault in [Fault::Full, Fault::Broken, Fault::ReadOnly] {
            let context = format!("step {step}, {fault:?}");
            let (folder, mut parent) = (Simulated::new(), Parent::default());
            folder.fail_from(step, fault);
            if let Ok(records) = open(&folder) {
                let refused = script(&records, &mut parent, &context).err();
                let refused = refused.unwrap_or_else(|| panic!("it went on: {context}"));
                assert!(
                    matches!(refused, NotSafe::NotDurable(_)) && refused.is_fatal(),
                    "{refused}: {context}"
                );
                assert!(refused.to_string().contains("stop this process and mend the disk"), "{refused}");
                let released = parent.released.len();
                // Also when the disk is well again: what it holds is not known any more.
                folder.start(None);
                for height in 1..=14 {
                    assert!(ask(&records, &[(height, 0)], &mut parent, &context).is_err(), "{context}");
                }
                assert_eq!(parent.released.len(), released, "{context}");
            }
            folder.start(None);
            folder.cut_power(&mut Random(step));
            parent.check(&open(&folder).unwrap_or_else(|error| panic!("{error}: {context}")), &context);
        }
    }
}
