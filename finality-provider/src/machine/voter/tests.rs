//! The voter, event by event, and under random answers with its laws checked at every step.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn block(height: u64) -> [u8; 32] {
    [u8::try_from(height % 251).unwrap(); 32]
}

fn commitment(start: u64, count: u64, epoch: u64) -> StoredCommitment {
    StoredCommitment { start_height: h(start), count, root: [0; 32], epoch: Epoch::new(epoch) }
}

fn at(tip: u64) -> Observation {
    Observation {
        tip: h(tip),
        syncing: false,
        activated: Some(h(10)),
        last_finalised: None,
        last_finalised_epoch: Epoch::new(5),
        params: FinalityParams {
            max_active_finality_providers: 100,
            signed_blocks_window: 100,
            finality_sig_timeout: 3,
            min_signed_per_window: "0.5".parse().unwrap(),
            min_pub_rand: 1,
            jail_duration_s: 600,
            activation_height: h(1),
        },
        standing: Some(Standing { slashed: false, jailed: false, highest_voted: h(0) }),
        commitments: vec![commitment(1, 1_000_000, 5)],
    }
}

fn observe(voter: &mut Voter, observation: Observation) -> Vec<Action> {
    voter.on_event(Event::Observed(Box::new(observation)))
}

fn asked(actions: &[Action]) -> Vec<u64> {
    match actions {
        [] => Vec::new(),
        [Action::Ask(questions)] => questions.iter().map(|question| question.height().to_u64()).collect(),
        other => panic!("{other:?}"),
    }
}

fn voted(actions: &[Action]) -> Vec<u64> {
    match actions {
        [] => Vec::new(),
        [Action::Vote(ballots)] => ballots.iter().map(|ballot| ballot.message.height.to_u64()).collect(),
        other => panic!("{other:?}"),
    }
}

fn reply(voter: &mut Voter, answers: impl IntoIterator<Item = (u64, Answer)>) -> Vec<Action> {
    voter.on_event(Event::Answered(answers.into_iter().map(|(height, answer)| (h(height), answer)).collect()))
}

fn decide(voter: &mut Voter, verdicts: impl IntoIterator<Item = (u64, Verdict)>) -> Vec<Action> {
    voter.on_event(Event::Decided(verdicts.into_iter().map(|(height, v)| (h(height), v)).collect()))
}

/// The chain shows these votes at the next look.
fn shown(voter: &mut Voter, tip: u64, heights: impl IntoIterator<Item = u64>) -> Vec<Action> {
    let asked = asked(&observe(voter, at(tip)));
    let heights: Vec<_> = heights.into_iter().collect();
    assert!(heights.iter().all(|height| asked.contains(height)), "{heights:?} in {asked:?}");
    reply(voter, heights.into_iter().map(|height| (height, Answer::Voted)))
}

/// A voter that has votes for 10 to 12 under way.
fn casting() -> Voter {
    let mut voter = Voter::new(100, None);
    assert_eq!(asked(&observe(&mut voter, at(12))), [10, 11, 12]);
    let votes = reply(&mut voter, (10..=12).map(|height| (height, Answer::Votable(block(height)))));
    assert_eq!(voted(&votes), [10, 11, 12]);
    voter
}

#[test]
fn a_height_with_power_is_voted_on_once() {
    let mut voter = casting();
    assert_eq!(asked(&observe(&mut voter, at(12))), [0; 0], "nothing is asked or cast twice");
    assert_eq!(decide(&mut voter, (10..=12).map(|height| (height, Verdict::Stored))), []);
    assert_eq!(voter.reason(), None);
    assert_eq!(shown(&mut voter, 12, 10..=12), []);
    assert_eq!((voter.queued(), voter.last_voted(), voter.settled_below()), (0, Some(h(12)), Some(h(13))));
    assert_eq!(voter.reason(), None);
    assert_eq!(asked(&observe(&mut voter, at(13))), [13]);
}

#[test]
fn an_unknown_power_keeps_the_height_and_does_not_hold_up_the_next() {
    let mut voter = Voter::new(100, None);
    observe(&mut voter, at(11));
    let unknown = || Answer::Unknown("node is down".to_owned());
    assert_eq!(voted(&reply(&mut voter, [(10, unknown()), (11, Answer::Votable(block(11)))])), [11]);
    decide(&mut voter, [(11, Verdict::Stored)]);
    shown(&mut voter, 11, [11]);
    assert_eq!(voter.reason(), None, "it is voting");
    assert_eq!(voter.waiting().unwrap().1.code(), "power_unknown");
    let mut asked_again = 0;
    for _ in 0..200 {
        if asked(&observe(&mut voter, at(11))) == [10] {
            asked_again += 1;
            assert_eq!(reply(&mut voter, [(10, unknown())]), []);
        }
    }
    assert!((6..30).contains(&asked_again), "asked {asked_again} times in 200 rounds: less and less often");
    assert_eq!(voter.settled_below(), Some(h(10)));
    while asked(&observe(&mut voter, at(11))).is_empty() {}
    assert_eq!(voted(&reply(&mut voter, [(10, Answer::Votable(block(10)))])), [10]);
}

#[test]
fn a_missing_table_is_believed_only_when_a_later_block_is_final_or_it_lies_far_back() {
    let mut voter = Voter::new(100, None);
    observe(&mut voter, at(10));
    reply(&mut voter, [(10, Answer::NoTable)]);
    observe(&mut voter, at(20));
    assert_eq!(voter.settled_below(), Some(h(10)), "it may lie ahead of a lagging node");
    let mut after = voter.clone();
    let finalised = Observation { last_finalised: Some(h(11)), ..at(20) };
    assert!(asked(&observe(&mut after, finalised)).contains(&10));
    assert_eq!(after.settled_below(), Some(h(10)), "the table may have come since it was asked for");
    reply(&mut after, [(10, Answer::NoTable)]);
    assert_eq!(after.settled_below(), Some(h(11)), "the tally skipped it");
    for _ in 0..10 {
        if asked(&observe(&mut voter, at(110))).contains(&10) {
            reply(&mut voter, [(10, Answer::NoTable)]);
        }
    }
    assert_eq!(voter.settled_below(), Some(h(11)), "missing three times, 100 blocks back");
}

#[test]
fn every_verdict_settles_or_keeps_as_it_should() {
    let text = || "why".to_owned();
    // (verdict of height 10, heights left in the queue, reason)
    let all: &[u64] = &[10, 11, 12];
    let table: [(Verdict, &[u64], Option<&str>); 9] = [
        (Verdict::Stored, all, None),
        (Verdict::Void(text()), all, None),
        (Verdict::GivenUp(text()), &[11, 12], Some("given_up")),
        (Verdict::Closed, all, None),
        (Verdict::Later(text()), all, Some("refused")),
        (Verdict::FateUnknown(text()), all, Some("refused")),
        (Verdict::Jailed, all, Some("jailed")),
        (Verdict::SignerAway(SignerAway::Unreachable("gone".to_owned())), all, Some("signer_unreachable")),
        (Verdict::Slashed, all, Some("refused")),
    ];
    for (verdict, left, reason) in table {
        let mut voter = casting();
        assert_eq!(decide(&mut voter, [(10, verdict.clone())]), [], "{verdict:?}");
        let queued: Vec<u64> = voter.queue.keys().map(|height| height.to_u64()).collect();
        assert_eq!(queued, left, "{verdict:?}");
        assert_eq!(voter.reason().as_ref().map(Reason::code), reason, "{verdict:?}");
    }
}

#[test]
fn what_a_node_answers_to_a_vote_settles_the_height_only_when_the_chain_shows_it() {
    let (votable, voted_on) = (|| Answer::Votable(block(10)), || Answer::Voted);
    let unknown = || Answer::Unknown("down".to_owned());
    let void = || Verdict::Void("why".to_owned());
    // (verdict of height 10, last final block, the chain's answer, whether it is settled, whether it is voted on again)
    let table = [
        (Verdict::Stored, None, voted_on(), true, false),
        (Verdict::Stored, None, votable(), false, false),
        (Verdict::Stored, None, unknown(), false, false),
        (void(), None, Answer::Powerless, true, false),
        (void(), None, votable(), false, true),
        (void(), None, unknown(), false, false),
        (Verdict::Closed, Some(10), votable(), true, false),
        (Verdict::Closed, Some(9), votable(), false, true),
        (Verdict::Closed, None, votable(), false, true),
        (Verdict::Closed, None, voted_on(), true, false),
    ];
    for (verdict, finalised, answer, settled, again) in table {
        let row = format!("{verdict:?}, {finalised:?}, {answer:?}");
        let mut voter = casting();
        assert_eq!(decide(&mut voter, [(10, verdict)]), [], "{row}");
        observe(&mut voter, Observation { last_finalised: finalised.map(h), ..at(12) });
        let votes = reply(&mut voter, [(10, answer)]);
        assert_eq!(voter.settled_below() > Some(h(10)), settled, "{row}");
        assert_eq!(voted(&votes), if again { vec![10] } else { vec![] }, "{row}");
    }
}

#[test]
fn a_vote_that_is_said_to_be_stored_and_never_shows_is_sent_again() {
    let mut voter = casting();
    decide(&mut voter, [(10, Verdict::Stored)]);
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 20, "it is never sent again");
        if asked(&observe(&mut voter, at(12))) == [10]
            && !reply(&mut voter, [(10, Answer::Votable(block(10)))]).is_empty()
        {
            break;
        }
        if voter.waiting().is_some_and(|(height, reason)| height == h(10) && reason.code() == "refused") {
            break;
        }
    }
    assert!(rounds > 3, "a node that lags gets time to show it: {rounds}");
}

#[test]
fn one_node_that_says_slashed_does_not_stop_the_voter() {
    let mut voter = casting();
    assert_eq!(decide(&mut voter, (10..=12).map(|height| (height, Verdict::Slashed))), []);
    assert_eq!(voted(&observe(&mut voter, at(12))), [10, 11, 12], "the provider's record says otherwise");
    let slashed = Some(Standing { slashed: true, jailed: false, highest_voted: h(0) });
    observe(&mut voter, Observation { standing: slashed, ..at(12) });
    assert_eq!(voter.reason(), Some(Reason::Slashed));
}

#[test]
fn an_answer_that_does_not_fit_together_is_shown_and_the_next_round_goes_on() {
    let mut voter = Voter::new(100, None);
    assert_eq!(voter.on_event(Event::Implausible { voted: h(1_000), tip: h(12) }), []);
    assert_eq!(voter.reason().unwrap().code(), "vote_above_tip");
    assert_eq!(asked(&observe(&mut voter, at(12))), [10, 11, 12]);
}

#[test]
fn a_refused_member_of_a_batch_does_not_hold_up_the_others() {
    let mut voter = casting();
    decide(
        &mut voter,
        [(10, Verdict::Stored), (11, Verdict::Later("odd".to_owned())), (12, Verdict::Stored)],
    );
    assert_eq!(voted(&shown(&mut voter, 12, [10, 12])), [11]);
    assert_eq!((voter.last_voted(), voter.settled_below()), (Some(h(12)), Some(h(11))));
    assert_eq!(decide(&mut voter, [(11, Verdict::Stored)]), []);
    shown(&mut voter, 12, [11]);
    assert_eq!(voter.reason(), None);
}

#[test]
fn a_closed_height_closes_everything_below_it() {
    let mut voter = Voter::new(1, None);
    observe(&mut voter, at(14));
    let answers = [10, 11, 12].map(|height| (height, Answer::Votable(block(height))));
    assert_eq!(voted(&reply(&mut voter, answers)), [10]);
    assert_eq!(voted(&decide(&mut voter, [(10, Verdict::Stored)])), [11]);
    let mut closed = voter.clone();
    assert_eq!(voted(&decide(&mut closed, [(11, Verdict::Closed)])), [12]);
    let final_block = Observation { last_finalised: Some(h(11)), ..at(14) };
    assert_eq!(asked(&observe(&mut closed, final_block)), [10, 13, 14], "said to be stored, not shown yet");
    reply(&mut closed, [(10, Answer::Voted)]);
    assert_eq!(closed.settled_below(), Some(h(12)));
}

#[test]
fn a_fork_vote_gives_the_height_up_for_ever() {
    let mut voter = casting();
    decide(&mut voter, [(12, Verdict::GivenUp("another block was signed".to_owned()))]);
    decide(&mut voter, [(10, Verdict::Stored), (11, Verdict::Stored)]);
    assert_eq!(voter.reason().unwrap().code(), "given_up");
    for tip in [12, 13] {
        assert!(!asked(&observe(&mut voter, at(tip))).contains(&12));
    }
    assert_eq!(reply(&mut voter, [(12, Answer::Votable(block(12)))]), [], "no answer brings it back");
}

#[test]
fn batches_are_bounded_and_follow_one_another() {
    let mut voter = Voter::new(2, None);
    observe(&mut voter, at(14));
    let votes = reply(&mut voter, (10..=14).map(|height| (height, Answer::Votable(block(height)))));
    assert_eq!(voted(&votes), [10, 11]);
    assert_eq!(voted(&decide(&mut voter, [(10, Verdict::Stored), (11, Verdict::Stored)])), [12, 13]);
    assert_eq!(voted(&decide(&mut voter, [(12, Verdict::Stored), (13, Verdict::Stored)])), [14]);
}

#[test]
fn a_height_without_usable_randomness_waits() {
    let cases = [
        (vec![], "no_randomness"),
        (vec![commitment(1, 9, 5)], "no_randomness"),
        (vec![commitment(1, 100, 6)], "randomness_not_usable"),
    ];
    for (commitments, code) in cases {
        let mut voter = Voter::new(100, None);
        let observation = Observation { commitments, ..at(10) };
        observe(&mut voter, observation.clone());
        assert_eq!(reply(&mut voter, [(10, Answer::Votable(block(10)))]), []);
        assert_eq!(voter.reason().unwrap().code(), code, "{observation:?}");
        assert_eq!(voted(&observe(&mut voter, at(10))), [10], "it votes once the randomness is there");
    }
}

#[test]
fn a_height_that_commitments_went_past_is_settled() {
    let mut voter = Voter::new(100, None);
    observe(&mut voter, Observation { commitments: vec![commitment(11, 90, 5)], ..at(10) });
    assert_eq!((voter.queued(), voter.settled_below()), (0, Some(h(11))));
    // A gap in the middle as well; behind the last one a commitment may still come.
    let commitments = vec![commitment(1, 11, 5), commitment(13, 2, 5)];
    let mut voter = Voter::new(100, None);
    assert_eq!(asked(&observe(&mut voter, Observation { commitments, ..at(15) })), [10, 11, 13, 14, 15]);
}

#[test]
fn the_commitment_with_the_largest_start_counts() {
    let commitments = [commitment(1, 100, 1), commitment(50, 10, 1)];
    assert_eq!(covering(&commitments, h(55)).unwrap().start_height, h(50));
    assert_eq!(covering(&commitments, h(60)), None, "the older one does not fill in");
}

#[test]
fn nothing_is_asked_or_cast_while_voting_is_impossible_and_it_resumes_after() {
    let standing = |slashed, jailed| Some(Standing { slashed, jailed, highest_voted: h(0) });
    let table = [
        (Observation { standing: None, ..at(12) }, "not_registered"),
        (Observation { standing: standing(false, true), ..at(12) }, "jailed"),
        (Observation { syncing: true, ..at(12) }, "node_syncing"),
        (Observation { activated: None, ..at(12) }, "not_activated"),
    ];
    for (observation, code) in table {
        let mut voter = Voter::new(100, None);
        assert_eq!(observe(&mut voter, observation), []);
        assert_eq!(voter.reason().unwrap().code(), code);
        assert_eq!(asked(&observe(&mut voter, at(12))), [10, 11, 12], "after {code}");
    }
    let mut voter = casting();
    assert_eq!(observe(&mut voter, at(11)), []);
    assert_eq!(voter.reason().unwrap().code(), "node_behind");
    assert_eq!(voter.on_event(Event::Unreachable("down".to_owned())), []);
    assert_eq!(voter.reason().unwrap().code(), "unreachable");
}

#[test]
fn a_jailing_is_noticed_and_the_votes_it_held_up_go_out_after_it() {
    let mut voter = casting();
    decide(&mut voter, (10..=12).map(|height| (height, Verdict::Jailed)));
    let jailed = Some(Standing { slashed: false, jailed: true, highest_voted: h(0) });
    assert_eq!(observe(&mut voter, Observation { standing: jailed, ..at(20) }), []);
    assert_eq!(voter.reason().unwrap().code(), "jailed");
    let actions = observe(&mut voter, at(21));
    assert_eq!(asked(&actions), (13..=21).collect::<Vec<_>>(), "no height in between is forgotten");
    assert_eq!(voted(&reply(&mut voter, (13..=21).map(|height| (height, Answer::Powerless)))), [10, 11, 12]);
}

#[test]
fn a_signer_that_was_away_is_asked_for_the_same_votes_in_the_very_next_round() {
    let mut voter = casting();
    let away = || SignerAway::Standby { holder: Some("host-b".to_owned()) };
    decide(&mut voter, (10..=12).map(|height| (height, Verdict::SignerAway(away()))));
    assert_eq!(voter.reason().unwrap().code(), "standby");
    voter.on_event(Event::SignerAway(away()));
    assert_eq!(voter.reason().unwrap().to_string(), "standing by, the right to sign is with host-b");
    assert_eq!(voted(&observe(&mut voter, at(12))), [10, 11, 12]);
    assert_eq!(voter.reason(), None);
}

#[test]
fn slashed_is_for_ever() {
    let mut voter = casting();
    let slashed = Some(Standing { slashed: true, jailed: false, highest_voted: h(0) });
    assert_eq!(observe(&mut voter, Observation { standing: slashed, ..at(20) }), []);
    assert_eq!(observe(&mut voter, at(21)), []);
    assert_eq!(voter.reason(), Some(Reason::Slashed));
}

#[test]
fn it_begins_behind_the_last_final_block_but_not_above_what_still_counts() {
    // (activated, last final, tip) -> first height
    for (activated, finalised, tip, first) in [
        (10, None, 500, 10),
        (10, Some(400), 500, 401),
        (10, Some(499), 500, 497),
        (499, Some(500), 500, 499),
    ] {
        let observation =
            Observation { activated: Some(h(activated)), last_finalised: finalised.map(h), ..at(tip) };
        let mut voter = Voter::new(100, None);
        assert_eq!(asked(&observe(&mut voter, observation)).first(), Some(&first));
    }
}

#[test]
fn after_a_restart_the_chain_is_asked_for_votes_of_ours_first() {
    let mut voter = Voter::new(100, Some(h(11)));
    let highest = Some(Standing { slashed: false, jailed: false, highest_voted: h(12) });
    let actions = observe(&mut voter, Observation { standing: highest, ..at(13) });
    let expected = [10, 11, 12].map(|height| Question::VoteAndPower(h(height)));
    assert_eq!(actions, [Action::Ask([expected.as_slice(), &[Question::Power(h(13))]].concat())]);
    assert_eq!(reply(&mut voter, [10, 11, 12].map(|height| (height, Answer::Voted))), []);
    assert_eq!((voter.last_voted(), voter.settled_below()), (Some(h(12)), Some(h(13))));
}

#[test]
fn the_queue_is_bounded_and_later_heights_follow_in_order() {
    let mut voter = Voter::new(MAX_QUEUE, None);
    let tip = 10 + 2 * u64::try_from(MAX_QUEUE).unwrap();
    let mut settled = BTreeSet::new();
    for _ in 0..200 {
        let questions = asked(&observe(&mut voter, at(tip)));
        assert!(questions.len() <= MAX_QUESTIONS && voter.queued() <= MAX_QUEUE);
        settled.extend(questions.iter().copied());
        reply(&mut voter, questions.into_iter().map(|height| (height, Answer::Powerless)));
    }
    assert_eq!(settled, (10..=tip).collect());
    assert_eq!(voter.reason(), Some(Reason::NoPower { height: h(tip) }));
}

fn any_answer() -> impl Strategy<Value = u8> {
    0..10_u8
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever nodes answer and whatever becomes of votes: two different blocks are never put to the signer for one
    /// height by one voter, a settled height never comes back, and once the chain answers every height is settled.
    #[test]
    fn heights_are_settled_once_and_none_is_forgotten(
        rounds in proptest::collection::vec((0..4_u64, any_answer(), any_answer()), 1..60)
    ) {
        let mut voter = Voter::new(3, None);
        let mut tip = 10;
        let mut settled = BTreeSet::new();
        for (grow, answers, verdicts) in rounds {
            tip += grow;
            let mut actions = observe(&mut voter, at(tip));
            let mut seed = usize::from(answers) * 31 + usize::from(verdicts);
            while let Some(action) = actions.pop() {
                seed += 7;
                actions.extend(match action {
                    Action::Ask(questions) => {
                        let heights = questions.iter().map(|question| question.height().to_u64());
                        let replies: Vec<_> = heights.map(|height| (height, arbitrary_answer(height, seed))).collect();
                        for (height, answer) in &replies {
                            prop_assert!(!settled.contains(height), "settled heights are not asked about");
                            if matches!(answer, Answer::Powerless | Answer::Voted) {
                                settled.insert(*height);
                            }
                        }
                        reply(&mut voter, replies)
                    }
                    Action::Vote(ballots) => {
                        let heights: Vec<_> = ballots.iter().map(|b| b.message.height.to_u64()).collect();
                        prop_assert!(heights.len() <= 3);
                        prop_assert!(heights.iter().all(|height| !settled.contains(height)));
                        prop_assert!(ballots.iter().all(|b| b.message.app_hash == block(b.message.height.to_u64())));
                        let verdicts: Vec<_> =
                            heights.iter().map(|height| (*height, arbitrary_verdict(*height, seed))).collect();
                        let given_up = |verdict: &Verdict| matches!(verdict, Verdict::GivenUp(_));
                        settled.extend(verdicts.iter().filter(|(_, v)| given_up(v)).map(|(height, _)| *height));
                        decide(&mut voter, verdicts)
                    }
                });
            }
        }
        // The chain recovers.
        let mut stored = BTreeSet::new();
        for _ in 0..300 {
            let mut actions = observe(&mut voter, at(tip));
            while let Some(action) = actions.pop() {
                actions.extend(match action {
                    Action::Ask(questions) => {
                        let answer = |height: u64| match stored.contains(&height) {
                            true => (height, Answer::Voted),
                            false => (height, Answer::Votable(block(height))),
                        };
                        reply(&mut voter, questions.iter().map(|question| answer(question.height().to_u64())))
                    }
                    Action::Vote(ballots) => {
                        stored.extend(ballots.iter().map(|ballot| ballot.message.height.to_u64()));
                        decide(&mut voter, ballots.iter().map(|b| (b.message.height.to_u64(), Verdict::Stored)))
                    }
                });
            }
        }
        prop_assert_eq!((voter.queued(), voter.settled_below()), (0, Some(h(tip + 1))));
    }
}

fn arbitrary_answer(height: u64, seed: usize) -> Answer {
    match (usize::try_from(height).unwrap() + seed) % 6 {
        0 => Answer::Powerless,
        1 => Answer::Unknown("down".to_owned()),
        2 => Answer::NoTable,
        3 => Answer::Voted,
        _ => Answer::Votable(block(height)),
    }
}

fn arbitrary_verdict(height: u64, seed: usize) -> Verdict {
    match (usize::try_from(height).unwrap() * 3 + seed) % 9 {
        0 => Verdict::Stored,
        1 => Verdict::Later("odd".to_owned()),
        2 => Verdict::FateUnknown("lost".to_owned()),
        3 => Verdict::Void("no power".to_owned()),
        4 => Verdict::GivenUp("signed already".to_owned()),
        5 => Verdict::Slashed,
        6 => Verdict::Closed,
        7 => Verdict::SignerAway(SignerAway::Unreachable("gone".to_owned())),
        _ => Verdict::Jailed,
    }
}
