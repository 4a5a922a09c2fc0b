use super::*;
use crate::height::BtcDepth;
use bitcoin::{
    TxMerkleNode, Work,
    block::Version,
    consensus::encode::deserialize_hex,
    constants::genesis_block,
    hashes::{Hash, sha256d},
};
use proptest::prelude::*;

/// The first four headers of Bitcoin, heights 0 to 3. Their hashes prove them.
const MAINNET: [(&str, &str); 4] = [
    (
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    ),
    (
        "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
        "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048",
    ),
    (
        "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61",
        "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd",
    ),
    (
        "01000000bddd99ccfda39da1b108ce1a5d70038d0a967bacb68b6b63065f626a0000000044f672226090d85db9a9f2fbfe5f0f9609b387af7be5b7fbb7a1767c831c9e995dbe6649ffff001d05e0ed6d",
        "0000000082b5015589a3fdf2d4baff403e6f0be035a5d9742c1cae6295464449",
    ),
];

const REGTEST_START: u32 = 1_600_000_000;

fn height(height: u32) -> BtcHeight {
    BtcHeight::new(height)
}
fn bits(bits: u32) -> CompactTarget {
    CompactTarget::from_consensus(bits)
}
fn mainnet_headers() -> Vec<Header> {
    MAINNET.iter().map(|(header, _)| deserialize_hex(header).unwrap()).collect()
}
fn chain_from(rules: HeaderRules, base: Header) -> HeaderChain {
    HeaderChain::new(rules, ChainedHeader::new(base, height(0), base.work())).unwrap()
}
fn regtest() -> HeaderChain {
    chain_from(HeaderRules::Regtest, genesis_block(bitcoin::Network::Regtest).header)
}

/// An unmined header.
fn header(parent: BlockHash, time: u32, bits: CompactTarget, salt: u32) -> Header {
    let merkle_root = TxMerkleNode::from_raw_hash(sha256d::Hash::hash(&salt.to_le_bytes()));
    Header { version: Version::from_consensus(4), prev_blockhash: parent, merkle_root, time, bits, nonce: 0 }
}
/// Changes the nonce until the header alone is valid, or until it is not.
fn mined(rules: HeaderRules, mut header: Header, valid: bool) -> Header {
    while rules.check_alone(&header).is_ok() != valid {
        header.nonce += 1;
    }
    header
}
/// `count` regtest headers on top of a header, a second apart.
fn branch(parent: &Header, count: u32, salt: u32) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for n in 0..count {
        let parent = headers.last().unwrap_or(parent);
        let next = header(parent.block_hash(), parent.time + 1, parent.bits, salt + n);
        headers.push(mined(HeaderRules::Regtest, next, true));
    }
    headers
}

// Rules of one header.

#[test]
fn the_first_mainnet_headers_form_a_chain() {
    let headers = mainnet_headers();
    for (header, (_, hash)) in headers.iter().zip(MAINNET) {
        assert_eq!(header.block_hash().to_string(), hash);
        assert_eq!(HeaderRules::Mainnet.check_alone(header), Ok(()));
    }
    let mut chain = chain_from(HeaderRules::Mainnet, headers[0]);
    let insertion = chain.insert(&headers[1..]).unwrap();
    assert_eq!(insertion.rollback(), None);
    assert_eq!(insertion.headers().len(), 3);
    assert_eq!(chain.tip().height, height(3));
    // 2^32 + 2^16 + 1 hashes a block.
    assert_eq!(chain.tip().work.to_string(), (4u64 * 0x1_0001_0001).to_string());
}

#[test]
fn genesis_headers_of_all_networks_are_within_their_limit() {
    for network in [
        bitcoin::Network::Bitcoin,
        bitcoin::Network::Testnet,
        bitcoin::Network::Signet,
        bitcoin::Network::Regtest,
    ] {
        let header = genesis_block(network).header;
        let rules = HeaderRules::for_network(network).unwrap();
        assert_eq!(rules.check_alone(&header), Ok(()), "{network}");
        assert_eq!(header.bits, rules.limit(), "{network}");
    }
    assert_eq!(HeaderRules::for_network(bitcoin::Network::Testnet4), None);
    // btcd's simnet genesis.
    let simnet = Header {
        version: Version::from_consensus(1),
        time: 1_401_292_357,
        bits: HeaderRules::Simnet.limit(),
        nonce: 2,
        ..mainnet_headers()[0]
    };
    assert_eq!(
        simnet.block_hash().to_string(),
        "683e86bd5c6d110d91b94b97137ba6bfe02dbbdb8e3dff722a669b5d69d77af6"
    );
    assert_eq!(HeaderRules::Simnet.check_alone(&simnet), Ok(()));
}

#[test]
fn targets_outside_the_limit_are_refused() {
    for (rules, found) in [
        (HeaderRules::Mainnet, 0x1d01_0000),
        (HeaderRules::Mainnet, 0x207f_ffff),
        (HeaderRules::Signet, 0x1e03_77af),
        (HeaderRules::Regtest, 0x2100_ffff),
        (HeaderRules::Regtest, 0),
        (HeaderRules::Regtest, 0x1d80_0001), // negative
        (HeaderRules::Regtest, 0x2000_0000),
        // More than 256 bits: must not wrap around to something small, or to the limit itself.
        (HeaderRules::Regtest, 0x407f_ffff),
        (HeaderRules::Regtest, 0x2201_0001),
        (HeaderRules::Mainnet, 0x3d00_ffff),
        (HeaderRules::Mainnet, 0xff00_0001),
    ] {
        let header = header(BlockHash::all_zeros(), 0, bits(found), 0);
        assert_eq!(
            rules.check_alone(&header),
            Err(HeaderFault::TargetOutOfRange { bits: bits(found), limit: rules.limit() }),
            "{found:08x}"
        );
    }
}

#[test]
fn difficulty_changes_as_in_bitcoin_core() {
    // Vectors of Bitcoin Core's pow_tests.cpp: time of the first block of the period, height and time of its last, bits.
    for (first_time, last_height, last_time, last_bits, expected) in [
        (1_261_130_161, 32_255, 1_262_152_739, 0x1d00_ffff, 0x1d00_d86a),
        (1_231_006_505, 2_015, 1_233_061_996, 0x1d00_ffff, 0x1d00_ffff),
        (1_279_008_237, 68_543, 1_279_297_671, 0x1c05_a3f4, 0x1c01_68fd),
        (1_263_163_443, 46_367, 1_269_211_443, 0x1c38_7f6f, 0x1d00_e1fd),
        // A last block older than the first counts as the shortest time.
        (1_279_008_237, 68_543, 1_279_008_236, 0x1c05_a3f4, 0x1c01_68fd),
    ] {
        let ancestor = |at: BtcHeight| match at.to_u32() {
            at if at == last_height => Some(header(BlockHash::all_zeros(), last_time, bits(last_bits), 0)),
            at if at == last_height - 2015 => {
                Some(header(BlockHash::all_zeros(), first_time, bits(last_bits), 0))
            }
            _ => None,
        };
        for rules in [HeaderRules::Mainnet, HeaderRules::Testnet3] {
            let required = rules.required_bits(last_time + 1, height(last_height + 1), ancestor);
            assert_eq!(required, Ok(bits(expected)), "{last_height}");
        }
    }
}

proptest! {
    #[test]
    fn scaling_agrees_with_the_bitcoin_crate_where_that_does_not_overflow(
        mantissa in 0x8000u32..0x80_0000, size in 4u32..0x1d, taken in 0u32..10_000_000,
    ) {
        let last = bits(size << 24 | mantissa);
        let theirs = CompactTarget::from_next_work_required(last, u64::from(taken), bitcoin::Network::Bitcoin);
        let ancestor = |at: BtcHeight| {
            let time = if at == height(2015) { taken } else { 0 };
            Some(header(BlockHash::all_zeros(), time, last, 0))
        };
        prop_assert_eq!(HeaderRules::Mainnet.required_bits(0, height(2016), ancestor), Ok(theirs));
    }
}

#[test]
fn the_easiest_simnet_target_never_overflows_when_scaled_up() {
    let limit = HeaderRules::Simnet.limit();
    let ancestor = |at: BtcHeight| Some(header(BlockHash::all_zeros(), at.to_u32() * 100_000, limit, 0));
    assert_eq!(HeaderRules::Simnet.required_bits(0, height(2016), ancestor), Ok(limit));
}

#[test]
fn between_changes_the_bits_stay() {
    let ancestor = |_| Some(header(BlockHash::all_zeros(), 0, bits(0x1c05_a3f4), 0));
    for rules in [HeaderRules::Mainnet, HeaderRules::Signet] {
        for at in [1, 2015, 2017, 4031] {
            assert_eq!(rules.required_bits(u32::MAX, height(at), ancestor), Ok(bits(0x1c05_a3f4)));
        }
    }
    let regtest = HeaderRules::Regtest;
    assert_eq!(regtest.required_bits(0, height(2016), ancestor), Ok(bits(0x207f_ffff)));
}

#[test]
fn test_networks_ease_after_twenty_minutes_and_then_return() {
    for (rules, limit) in [(HeaderRules::Testnet3, 0x1d00_ffff), (HeaderRules::Simnet, 0x207f_ffff)] {
        // Height 2016 is hard, 2017 and 2018 were eased; all at second 1000.
        let ancestor = |at: BtcHeight| {
            let found = if at.to_u32() > 2016 { limit } else { 0x1c05_a3f4 };
            Some(header(BlockHash::all_zeros(), 1000, bits(found), 0))
        };
        assert_eq!(rules.required_bits(2201, height(2019), ancestor), Ok(bits(limit)));
        assert_eq!(rules.required_bits(2200, height(2019), ancestor), Ok(bits(0x1c05_a3f4)));
        assert_eq!(rules.required_bits(0, height(2019), ancestor), Ok(bits(0x1c05_a3f4)));
        // The way back ends at the start of the period, even if that was eased too.
        let all_eased = |_| Some(header(BlockHash::all_zeros(), 1000, bits(limit), 0));
        assert_eq!(rules.required_bits(0, height(2019), all_eased), Ok(bits(limit)));
        // And at the end of what is known.
        let little = |at: BtcHeight| {
            (at.to_u32() > 2017).then(|| header(BlockHash::all_zeros(), 1000, bits(limit), 0))
        };
        assert_eq!(rules.required_bits(0, height(2019), little), Ok(bits(limit)));
    }
}

#[test]
fn missing_ancestors_are_named() {
    for (at, missing) in [(5, 4), (2016, 2015)] {
        let fault = HeaderRules::Mainnet.required_bits(0, height(at), |_| None);
        assert_eq!(fault, Err(HeaderFault::MissingAncestor(height(missing))));
    }
    let only_parent =
        |at: BtcHeight| (at == height(4031)).then(|| header(BlockHash::all_zeros(), 0, bits(0x1d00_ffff), 0));
    let fault = HeaderRules::Mainnet.required_bits(0, height(4032), only_parent);
    assert_eq!(fault, Err(HeaderFault::MissingAncestor(height(2016))));
    assert!(matches!(
        HeaderRules::Mainnet.required_bits(0, height(0), |_| None),
        Err(HeaderFault::MissingAncestor(_))
    ));
}

#[test]
fn a_timestamp_must_be_above_the_median_of_eleven() {
    // Times 1 to 11 in an order that is not sorted; the median is 6.
    let times = [11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6];
    let limit = HeaderRules::Regtest.limit();
    for known in 1..=11usize {
        let base = 100 - u32::try_from(known).unwrap();
        let ancestor = |at: BtcHeight| {
            let index = usize::try_from(at.to_u32().checked_sub(base)?).unwrap();
            Some(header(BlockHash::all_zeros(), *times[..known].get(index)?, limit, 0))
        };
        let mut sorted = times[..known].to_vec();
        sorted.sort_unstable();
        let median = sorted[known / 2];
        let check = |time: u32| {
            let header = mined(HeaderRules::Regtest, header(BlockHash::all_zeros(), time, limit, 0), true);
            HeaderRules::Regtest.check_in_context(&header, height(100), ancestor)
        };
        assert_eq!(check(median + 1), Ok(()), "{known}");
        assert_eq!(check(u32::MAX), Ok(()), "no rule on the future");
        for time in [median, median - 1, 0] {
            assert_eq!(check(time), Err(HeaderFault::TimeTooOld { median, found: time }), "{known}");
        }
    }
}

#[test]
fn versions_are_required_from_the_heights_of_each_network() {
    for (rules, [two, three, four]) in [
        (HeaderRules::Mainnet, [227_931, 363_725, 388_381]),
        (HeaderRules::Signet, [1, 1, 1]),
        (HeaderRules::Testnet3, [21_111, 330_776, 581_885]),
        (HeaderRules::Simnet, [0, 0, 0]),
        (HeaderRules::Regtest, [100_000_000, 1251, 1351]),
    ] {
        let versions = [-1, 1, 2, 3, 4, 0x2000_0000];
        for at in [two, three, four].into_iter().flat_map(|at| [at.max(2) - 1, at.max(2), at + 2017]) {
            let required = if at >= four {
                4
            } else if at >= three {
                3
            } else if at >= two {
                2
            } else {
                i32::MIN
            };
            for version in versions {
                // Hard enough not to be met: what follows the version rule is the proof of work.
                let ancestor = |_| Some(header(BlockHash::all_zeros(), 0, bits(0x0300_0001), 0));
                let required_bits = rules.required_bits(1, height(at), ancestor).unwrap();
                let candidate = Header {
                    version: Version::from_consensus(version),
                    ..mined_if_easy(rules, header(BlockHash::all_zeros(), 1, required_bits, 0))
                };
                let verdict = rules.check_in_context(&candidate, height(at), ancestor);
                let refused = matches!(verdict, Err(HeaderFault::Version { .. }));
                assert_eq!(refused, version < required, "{rules:?} {at} {version}");
            }
        }
    }
}
fn mined_if_easy(rules: HeaderRules, header: Header) -> Header {
    if header.bits == HeaderRules::Regtest.limit() { mined(rules, header, true) } else { header }
}

#[test]
fn the_rules_are_asked_in_order() {
    // One header that breaks everything, repaired rule by rule.
    let limit = HeaderRules::Regtest.limit();
    let ancestor = |_| Some(header(BlockHash::all_zeros(), 1000, limit, 0));
    let mut broken = Header {
        version: Version::from_consensus(3),
        ..header(BlockHash::all_zeros(), 1000, bits(0x1d00_ffff), 0)
    };
    let check = |header: &Header| HeaderRules::Regtest.check_in_context(header, height(2000), ancestor);
    assert!(matches!(check(&broken), Err(HeaderFault::Bits { .. })));
    broken.bits = limit;
    assert!(matches!(check(&broken), Err(HeaderFault::TimeTooOld { .. })));
    broken.time = 1001;
    assert_eq!(check(&broken), Err(HeaderFault::Version { required: 4, found: 3 }));
    broken.version = Version::from_consensus(4);
    broken = mined(HeaderRules::Regtest, broken, false);
    assert_eq!(check(&broken), Err(HeaderFault::HashAboveTarget(broken.block_hash())));
    assert_eq!(check(&mined(HeaderRules::Regtest, broken, true)), Ok(()));
}

// Fork choice.

#[test]
fn a_chain_starts_at_a_retarget_height_only() {
    let header = genesis_block(bitcoin::Network::Regtest).header;
    for (at, accepted) in
        [(0, true), (2016, true), (854_784, true), (195_552, true), (1, false), (2015, false)]
    {
        let base = ChainedHeader::new(header, height(at), header.work());
        assert_eq!(HeaderChain::new(HeaderRules::Regtest, base).is_ok(), accepted, "{at}");
    }
}

#[test]
fn headers_extend_the_tip_one_by_one_and_in_batches() {
    let mut chain = regtest();
    let headers = branch(&chain.base().header, 30, 0);
    for batch in [&headers[..1], &headers[1..2], &headers[2..20], &headers[20..]] {
        let insertion = chain.insert(batch).unwrap();
        assert_eq!(insertion.rollback(), None);
        assert_eq!(insertion.headers().last().copied(), Some(chain.tip()));
    }
    assert_eq!(chain.tip().height, height(30));
    for (above, header) in headers.iter().enumerate() {
        let at = height(u32::try_from(above).unwrap() + 1);
        assert_eq!(chain.at(at).unwrap().header, *header);
        assert_eq!(chain.find(&header.block_hash()).unwrap().height, at);
    }
    assert_eq!(chain.at(height(31)), None);
}

#[test]
fn refusals_of_a_list_leave_the_chain_unchanged() {
    let mut chain = regtest();
    let headers = branch(&chain.base().header, 10, 0);
    chain.insert(&headers[..5]).unwrap();
    let before = chain.tip();
    let orphan = branch(&headers[8], 1, 77);
    let gap = [headers[5], headers[7]];
    let swapped = [headers[6], headers[5]];
    for (list, expected) in [
        (&[][..], HeadersRefused::Empty),
        (&gap[..], HeadersRefused::NotLinked { position: 1 }),
        (&swapped[..], HeadersRefused::NotLinked { position: 1 }),
        (&orphan[..], HeadersRefused::UnknownParent { parent: headers[8].block_hash() }),
        (&headers[6..], HeadersRefused::UnknownParent { parent: headers[5].block_hash() }),
        (&headers[4..], HeadersRefused::AlreadyKnown { hash: headers[4].block_hash(), height: height(5) }),
        (&headers[2..], HeadersRefused::AlreadyKnown { hash: headers[2].block_hash(), height: height(3) }),
    ] {
        assert_eq!(chain.insert(list), Err(expected));
        assert_eq!(chain.tip(), before);
    }
}

#[test]
fn an_invalid_header_in_the_middle_is_named_with_its_height() {
    let mut chain = regtest();
    let headers = branch(&chain.base().header, 5, 0);
    let mut broken = headers.clone();
    broken[3] = mined(HeaderRules::Regtest, broken[3], false);
    broken.truncate(4);
    let fault = HeaderFault::HashAboveTarget(broken[3].block_hash());
    assert_eq!(
        chain::check_alone(HeaderRules::Regtest, &broken),
        Err(HeadersRefused::Alone { position: 3, fault: fault.clone() })
    );
    assert_eq!(
        chain.insert(&broken),
        Err(HeadersRefused::InContext { position: 3, height: height(4), fault: fault.clone() })
    );
    chain.insert(&headers[..2]).unwrap();
    // The same on a fork: rows 9 before 10.
    let mut fork = branch(&headers[0], 2, 50);
    fork[1] = mined(HeaderRules::Regtest, fork[1], false);
    let fault = HeaderFault::HashAboveTarget(fork[1].block_hash());
    assert_eq!(chain.insert(&fork), Err(HeadersRefused::InContext { position: 1, height: height(3), fault }));
    assert_eq!(chain::check_alone(HeaderRules::Regtest, &headers), Ok(()));
    assert_eq!(chain::check_alone(HeaderRules::Regtest, &[]), Err(HeadersRefused::Empty));
}

#[test]
fn a_fork_needs_strictly_more_work() {
    let mut chain = regtest();
    let main = branch(&chain.base().header, 10, 0);
    chain.insert(&main).unwrap();
    let tip = chain.tip();
    let fork = branch(&main[5], 5, 100);
    for (count, at) in [(3, 9), (4, 10)] {
        let refused = chain.insert(&fork[..count]);
        assert!(
            matches!(refused, Err(HeadersRefused::NotMoreWork { branch, tip: work }) if branch <= work && work == tip.work),
            "{count} {at}"
        );
        assert_eq!(chain.tip(), tip);
    }
    let insertion = chain.insert(&fork).unwrap();
    let rollback = insertion.rollback().unwrap();
    assert_eq!(rollback.fork_parent.header, main[5]);
    assert_eq!(rollback.fork_parent.height, height(6));
    assert_eq!(rollback.previous_tip, tip);
    assert_eq!(rollback.depth(), BtcDepth::new(4));
    assert_eq!(chain.tip().header, fork[4]);
    assert_eq!(chain.tip().height, height(11));
    for gone in &main[6..] {
        assert_eq!(chain.find(&gone.block_hash()), None);
    }
    // The losing branch is not kept: its headers have no known parent beyond the first.
    assert!(matches!(chain.insert(&main[7..]), Err(HeadersRefused::UnknownParent { .. })));
    // But it can win again with its first header.
    let mut comeback = main[6..].to_vec();
    comeback.extend(branch(&main[9], 2, 200));
    let rollback = *chain.insert(&comeback).unwrap().rollback().unwrap();
    assert_eq!(rollback.depth(), BtcDepth::new(5));
}

#[test]
fn a_fork_at_the_base_replaces_everything_above() {
    let mut chain = regtest();
    let base = *chain.base();
    chain.insert(&branch(&base.header, 3, 0)).unwrap();
    let fork = branch(&base.header, 4, 100);
    let insertion = chain.insert(&fork).unwrap();
    assert_eq!(insertion.rollback().unwrap().fork_parent, base);
    assert_eq!(chain.tip().height, height(4));
    // Nothing forks off below the base.
    let below = header(base.header.prev_blockhash, base.header.time + 1, base.header.bits, 7);
    let below = mined(HeaderRules::Regtest, below, true);
    assert!(matches!(chain.insert(&[below]), Err(HeadersRefused::UnknownParent { .. })));
}

#[test]
fn fewer_harder_headers_beat_more_easy_ones() {
    // Simnet: one period at full speed makes the next four times as hard.
    let rules = HeaderRules::Simnet;
    let base = mined(rules, header(BlockHash::all_zeros(), REGTEST_START, rules.limit(), 0), true);
    let mut chain = chain_from(rules, base);
    let mut headers = vec![base];
    while headers.len() < 2016 {
        let last = headers[headers.len() - 1];
        headers.push(mined(rules, header(last.block_hash(), last.time + 1, last.bits, 0), true));
    }
    chain.insert(&headers[1..]).unwrap();
    let last = chain.tip().header;
    let hard = bits(0x201f_ffff);
    assert_eq!(
        rules.required_bits(last.time + 1, height(2016), |at| chain.at(at).map(|h| h.header)),
        Ok(hard)
    );
    let wrong = mined(rules, header(last.block_hash(), last.time + 1, rules.limit(), 0), true);
    let fault = HeaderFault::Bits { required: hard, found: rules.limit() };
    assert_eq!(
        chain.insert(&[wrong]),
        Err(HeadersRefused::InContext { position: 0, height: height(2016), fault })
    );
    let change = mined(rules, header(last.block_hash(), last.time + 1, hard, 0), true);
    chain.insert(&[change]).unwrap();
    // Three eased blocks (a pause before each) are less work than one at full difficulty.
    let mut eased = vec![];
    for _ in 0..3 {
        let parent = eased.last().unwrap_or(&change);
        eased.push(mined(rules, header(parent.block_hash(), parent.time + 1201, rules.limit(), 0), true));
    }
    chain.insert(&eased).unwrap();
    assert_eq!(chain.tip().height, height(2019));
    let full = mined(rules, header(change.block_hash(), change.time + 1, hard, 1), true);
    let insertion = chain.insert(&[full]).unwrap();
    assert_eq!(insertion.rollback().unwrap().depth(), BtcDepth::new(3));
    assert_eq!(chain.tip().height, height(2017));
}

#[test]
fn a_branch_across_a_change_of_difficulty_is_judged_by_its_own_headers() {
    let rules = HeaderRules::Simnet;
    let base = mined(rules, header(BlockHash::all_zeros(), REGTEST_START, rules.limit(), 0), true);
    let mut chain = chain_from(rules, base);
    let mut headers = vec![base];
    while headers.len() < 2016 {
        let last = headers[headers.len() - 1];
        headers.push(mined(rules, header(last.block_hash(), last.time + 1, last.bits, 0), true));
    }
    chain.insert(&headers[1..]).unwrap();
    // The branch replaces the last header of the period by one two weeks later: its difficulty stays the easiest.
    let late = mined(
        rules,
        header(headers[2014].block_hash(), REGTEST_START + TARGET_TIMESPAN, rules.limit(), 9),
        true,
    );
    let after = mined(rules, header(late.block_hash(), late.time + 1, rules.limit(), 9), true);
    let insertion = chain.insert(&[late, after]).unwrap();
    assert_eq!(insertion.rollback().unwrap().depth(), BtcDepth::new(1));
}

#[test]
fn work_that_overflows_has_no_place() {
    let header = genesis_block(bitcoin::Network::Regtest).header;
    let base = ChainedHeader::new(header, height(0), Work::from_be_bytes([0xff; 32]));
    let mut chain = HeaderChain::new(HeaderRules::Regtest, base).unwrap();
    assert_eq!(chain.insert(&branch(&header, 1, 0)), Err(HeadersRefused::Overflow { position: 0 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_main_chain_stays_linked_and_never_loses_work(
        branches in proptest::collection::vec((0u32..40, 1u32..12), 1..14),
    ) {
        let mut chain = regtest();
        for (salt, (back, length)) in (0..).zip(branches) {
            let before = chain.tip();
            let from = chain.at(height(before.height.to_u32().saturating_sub(back))).unwrap();
            let headers = branch(&from.header, length, salt * 100 + 1);
            let heavier = from.height.to_u32() + length > before.height.to_u32();
            match chain.insert(&headers) {
                Ok(insertion) => {
                    prop_assert!(heavier);
                    prop_assert_eq!(insertion.rollback().is_some(), from != before);
                    prop_assert!(chain.tip().work > before.work);
                }
                Err(refused) => {
                    let less = matches!(refused, HeadersRefused::NotMoreWork { .. });
                    prop_assert!(!heavier && less);
                    prop_assert_eq!(chain.tip(), before);
                }
            }
            let mut work = chain.base().work;
            for at in 1..=chain.tip().height.to_u32() {
                let (parent, child) = (chain.at(height(at - 1)).unwrap(), chain.at(height(at)).unwrap());
                work = work + child.header.work();
                prop_assert_eq!(child.header.prev_blockhash, parent.hash);
                prop_assert_eq!(child.work, work);
                prop_assert_eq!(chain.find(&child.hash), Some(child));
            }
        }
    }
}
