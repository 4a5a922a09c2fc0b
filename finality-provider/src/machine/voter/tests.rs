//! The voter, event by event.

mod random;

use super::*;
use btc_staking_pos_chain::ports::FinalityParams;
use btc_staking_protocol::height::Epoch;
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
        epoch_interval: None,
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

/// Heights asked about, ascending.
fn asked(actions: &[Action]) -> Vec<u64> {
    let questions = actions.iter().filter_map(|action| match action {
        Action::Ask(questions) => Some(questions),
        Action::Vote(_) => None,
    });
    let mut heights: Vec<u64> = questions.flatten().map(|question| question.height().to_u64()).collect();
    heights.sort_unstable();
    heights
}

/// Batches of votes, in their order.
fn batches(actions: &[Action]) -> Vec<Vec<u64>> {
    let batch = |ballots: &Vec<Ballot>| ballots.iter().map(|ballot| ballot.message.height.to_u64()).collect();
    let votes = actions.iter().filter_map(|action| match action {
        Action::Ask(_) => None,
        Action::Vote(ballots) => Some(batch(ballots)),
    });
    votes.collect()
}

/// Heights voted on, ascending.
fn voted(actions: &[Action]) -> Vec<u64> {
    let mut heights = batches(actions).concat();
    heights.sort_unstable();
    heights
}

fn reply(voter: &mut Voter, answers: impl IntoIterator<Item = (u64, Answer)>) -> Vec<Action> {
    voter.on_event(Event::Answered(answers.into_iter().map(|(height, answer)| (h(height), answer)).collect()))
}

fn decide(voter: &mut Voter, verdicts: impl IntoIterator<Item = (u64, Verdict)>) -> Vec<Action> {
    voter.on_event(Event::Decided(verdicts.into_iter().map(|(height, v)| (h(height), v)).collect()))
}

/// The chain shows these votes, which it was asked about.
fn shown(voter: &mut Voter, heights: impl IntoIterator<Item = u64>) -> Vec<Action> {
    reply(voter, heights.into_iter().map(|height| (height, Answer::Voted)))
}

/// The chain is asked whether it shows what a node answered to votes, and nothing else happens.
fn decide_and_ask(voter: &mut Voter, verdicts: impl IntoIterator<Item = (u64, Verdict)>) -> Vec<u64> {
    let actions = decide(voter, verdicts);
    assert_eq!(voted(&actions), [0; 0]);
    asked(&actions)
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
    assert_eq!(observe(&mut voter, at(12)), [], "nothing is asked or cast twice");
    let stored = (10..=12).map(|height| (height, Verdict::Stored));
    assert_eq!(decide_and_ask(&mut voter, stored), [10, 11, 12]);
    assert_eq!(voter.reason(), None);
    assert_eq!(observe(&mut voter, at(12)), [], "nor is it asked twice whether they show");
    assert_eq!(shown(&mut voter, 10..=12), []);
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
    shown(&mut voter, [11]);
    assert_eq!(voter.reason(), None, "it is voting");
    assert_eq!(voter.waiting().unwrap().1.code(), "power_unknown");
    let mut asked_again = 0;
    for _ in 0..200 {
        if asked(&observe(&mut voter, at(11))) == [10] {
            asked_again += 1;
            assert_eq!(reply(&mut voter, [(10, unknown())]), []);
        }
    }
    assert!((5..30).contains(&asked_again), "asked {asked_again} times in 200 rounds: less and less often");
    assert_eq!(voter.settled_below(), Some(h(10)));
    while asked(&observe(&mut voter, at(11))).is_empty() {}
    assert_eq!(voted(&reply(&mut voter, [(10, Answer::Votable(block(10)))])), [10]);
}

#[test]
fn a_missing_table_is_believed_only_when_a_later_block_is_final_or_it_lies_far_back() {
    let mut voter = Voter::new(100, None);
    observe(&mut voter, at(10));
    reply(&mut voter, [(10, Answer::NoTable)]);
    assert!(asked(&observe(&mut voter, at(20))).contains(&10));
    assert_eq!(voter.settled_below(), Some(h(10)), "it may lie ahead of a lagging node");
    let mut after = voter.clone();
    let finalised = || Observation { last_finalised: Some(h(11)), ..at(20) };
    observe(&mut after, finalised());
    reply(&mut after, [(10, Answer::NoTable)]);
    assert_eq!(after.settled_below(), Some(h(10)), "the table may have come since it was asked for");
    while !asked(&observe(&mut after, finalised())).contains(&10) {}
    reply(&mut after, [(10, Answer::NoTable)]);
    assert_eq!(after.settled_below(), Some(h(11)), "the tally skipped it");
    reply(&mut voter, [(10, Answer::NoTable)]);
    for _ in 0..30 {
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
        decide_and_ask(&mut voter, [(10, verdict.clone())]);
        let queued: Vec<u64> = voter.queue.iter().map(|(height, _)| height.to_u64()).collect();
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
        let look = || Observation { last_finalised: finalised.map(h), ..at(12) };
        let mut asked_about = decide_and_ask(&mut voter, [(10, verdict)]);
        asked_about.extend(asked(&observe(&mut voter, look())));
        let is_open = voter.settled_below() == Some(h(10));
        assert_eq!(asked_about, if is_open { vec![10] } else { vec![] }, "{row}");
        reply(&mut voter, [(10, answer)]);
        assert_eq!(voter.settled_below() > Some(h(10)), settled, "{row}");
        let votes = observe(&mut voter, look());
        assert_eq!(voted(&votes), if again { vec![10] } else { vec![] }, "{row}");
    }
}

#[test]
fn a_vote_that_is_said_to_be_stored_and_never_shows_is_sent_again() {
    let mut voter = casting();
    let mut actions = decide(&mut voter, [(10, Verdict::Stored)]);
    let (mut asked_for, mut looks) = (0, 0);
    while voted(&actions) != [10] {
        if asked(&actions) == [10] {
            asked_for += 1;
            reply(&mut voter, [(10, Answer::Votable(block(10)))]);
        }
        actions = observe(&mut voter, at(12));
        looks += 1;
        assert!(looks < 40, "it is never sent again");
    }
    assert!(asked_for > 3 && looks > 7, "a node that lags gets time to show it: {asked_for}, {looks}");
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
    let odd = Verdict::Later("odd".to_owned());
    let verdicts = [(10, Verdict::Stored), (11, odd), (12, Verdict::Stored)];
    assert_eq!(decide_and_ask(&mut voter, verdicts), [10, 12]);
    assert_eq!(shown(&mut voter, [10, 12]), [], "the refused one waits for the next look");
    assert_eq!((voter.last_voted(), voter.settled_below()), (Some(h(12)), Some(h(11))));
    assert_eq!(voted(&observe(&mut voter, at(12))), [11]);
    assert_eq!(decide_and_ask(&mut voter, [(11, Verdict::Stored)]), [11]);
    shown(&mut voter, [11]);
    assert_eq!(voter.reason(), None);
}

#[test]
fn a_closed_height_closes_everything_below_it_but_votes_under_way() {
    let mut voter = Voter::new(100, None);
    observe(&mut voter, at(14));
    let votable = [10, 11].map(|height| (height, Answer::Votable(block(height))));
    assert_eq!(voted(&reply(&mut voter, votable)), [10, 11]);
    assert_eq!(decide_and_ask(&mut voter, [(10, Verdict::Stored), (11, Verdict::Closed)]), [10]);
    reply(&mut voter, [(12, Answer::Unknown("down".to_owned()))]);
    observe(&mut voter, Observation { last_finalised: Some(h(11)), ..at(14) });
    assert_eq!(voter.settled_below(), Some(h(10)), "said to be stored, not shown yet");
    shown(&mut voter, [10]);
    assert_eq!(voter.settled_below(), Some(h(12)));
}

#[test]
fn a_height_that_is_final_and_timestamped_is_dropped_before_it_is_sent() {
    let interval = std::num::NonZeroU64::new(10);
    let look = |tip, finalised, epoch| Observation {
        last_finalised: Some(h(finalised)),
        last_finalised_epoch: Epoch::new(epoch),
        epoch_interval: interval,
        commitments: vec![commitment(1, 1_000, 1)],
        ..at(tip)
    };
    // (last final block, last epoch final on Bitcoin) -> lowest height left
    for (finalised, epoch, left) in [(31, 2, 21), (17, 9, 18), (31, 0, 12), (u64::MAX, 9, 12)] {
        let mut voter = Voter::new(100, None);
        observe(&mut voter, look(40, 11, 1));
        observe(&mut voter, look(40, finalised, epoch));
        assert_eq!(voter.settled_below(), Some(h(left)), "{finalised} {epoch}");
    }
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
    let late = reply(&mut voter, [(12, Answer::Votable(block(12)))]);
    assert_eq!(voted(&late), [0; 0], "no answer brings it back");
}

#[test]
fn the_newest_heights_go_first_and_the_others_follow_in_bounded_batches() {
    let mut voter = Voter::new(2, None);
    let tip = 30;
    let actions = observe(&mut voter, at(tip));
    let first = actions.iter().map(|action| match action {
        Action::Ask(questions) => questions.iter().map(|q| q.height().to_u64()).collect::<Vec<_>>(),
        Action::Vote(ballots) => panic!("{ballots:?}"),
    });
    assert_eq!(first.collect::<Vec<_>>(), [vec![28, 29, 30], (10..28).collect()]);
    let votable = |height| (height, Answer::Votable(block(height)));
    assert_eq!(batches(&reply(&mut voter, [28, 29, 30].map(votable))), [vec![28, 29], vec![30]]);
    // Four batches are under way at most.
    let votes = reply(&mut voter, (10..28).map(votable));
    assert_eq!(batches(&votes), [vec![10, 11], vec![12, 13]]);
    let later = |heights: [u64; 2]| heights.map(|height| (height, Verdict::Stored));
    assert_eq!(batches(&decide(&mut voter, later([12, 13]))), [vec![14, 15]], "outcomes come in any order");
    // A new block does not wait for room.
    assert_eq!(asked(&observe(&mut voter, at(tip + 1))), [31]);
    assert_eq!(batches(&reply(&mut voter, [votable(31)])), [vec![31]]);
    assert_eq!(batches(&decide(&mut voter, later([28, 29]))), Vec::<Vec<u64>>::new(), "there are four still");
    assert_eq!(batches(&decide(&mut voter, later([10, 11]))), [vec![16, 17]]);
}

#[test]
fn a_backlog_that_does_not_fit_holds_up_no_new_block() {
    let mut voter = Voter::new(100, None);
    let tip = 10 + 3 * u64::try_from(MAX_QUEUE).unwrap();
    let fresh = |tip: u64| (tip - 2..=tip).collect::<Vec<_>>();
    let actions = observe(&mut voter, at(tip));
    assert!(asked(&actions).ends_with(&fresh(tip)) && asked(&actions).starts_with(&[10]));
    assert_eq!(voter.settled_below(), Some(h(10)));
    // Nothing of the backlog is answered, and new blocks are voted on all the same.
    for tip in tip + 1..tip + 50 {
        assert_eq!(asked(&observe(&mut voter, at(tip))), [tip]);
        assert_eq!(voted(&reply(&mut voter, [(tip, Answer::Votable(block(tip)))])), [tip]);
        assert_eq!(decide_and_ask(&mut voter, [(tip, Verdict::Stored)]), [tip]);
        shown(&mut voter, [tip]);
        assert_eq!(voter.last_voted(), Some(h(tip)));
    }
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
    assert_eq!(voted(&actions), [10, 11, 12]);
}

#[test]
fn after_a_jailing_it_goes_on_behind_the_last_final_block() {
    let mut voter = casting();
    decide(&mut voter, [(10, Verdict::Stored)]);
    let jailed = Some(Standing { slashed: false, jailed: true, highest_voted: h(0) });
    let look = |tip, finalised| Observation { last_finalised: Some(h(finalised)), ..at(tip) };
    for tip in [13, 5_000, 90_000] {
        assert_eq!(observe(&mut voter, Observation { standing: jailed, ..look(tip, tip - 3) }), []);
    }
    let actions = observe(&mut voter, look(90_005, 89_997));
    assert_eq!(asked(&actions), (89_998..=90_005).collect::<Vec<_>>());
    assert_eq!(voter.settled_below(), Some(h(10)), "what was sent before is followed to its end");
    shown(&mut voter, [10]);
    decide(&mut voter, [(11, Verdict::Jailed), (12, Verdict::Jailed)]);
    assert_eq!(voter.reason().unwrap().code(), "jailed", "by the verdict, until the next look");
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
fn after_standing_by_it_goes_on_behind_the_last_final_block_and_asks_which_votes_the_other_cast() {
    let mut voter = casting();
    let away = SignerAway::Standby { holder: Some("other".to_owned()) };
    assert_eq!(decide(&mut voter, (10..=12).map(|height| (height, Verdict::SignerAway(away.clone())))), []);
    assert_eq!(voter.reason().map(|reason| reason.code()), Some("standby"));
    let mut later = at(500);
    later.last_finalised = Some(h(490));
    later.standing = Some(Standing { slashed: false, jailed: false, highest_voted: h(498) });
    let questions: Vec<_> = observe(&mut voter, later)
        .into_iter()
        .flat_map(|action| match action {
            Action::Ask(questions) => questions,
            Action::Vote(ballots) => panic!("votes of long ago: {ballots:?}"),
        })
        .collect();
    for height in 491..=500 {
        let expected = match height <= 498 {
            true => Question::VoteAndPower(h(height)),
            false => Question::Power(h(height)),
        };
        assert!(questions.contains(&expected), "{height}: {questions:?}");
    }
    assert_eq!(questions.len(), 10);
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
    let questions = |action: &Action| match action {
        Action::Ask(questions) => questions.clone(),
        Action::Vote(ballots) => panic!("{ballots:?}"),
    };
    let mut asked: Vec<_> = actions.iter().flat_map(questions).collect();
    asked.sort_unstable_by_key(Question::height);
    assert_eq!(asked, [expected.as_slice(), &[Question::Power(h(13))]].concat());
    assert_eq!(reply(&mut voter, [10, 11, 12].map(|height| (height, Answer::Voted))), []);
    assert_eq!((voter.last_voted(), voter.settled_below()), (Some(h(12)), Some(h(13))));
}

#[test]
fn the_queue_is_bounded_and_later_heights_follow_in_order() {
    let mut voter = Voter::new(MAX_QUEUE, None);
    let tip = 10 + 2 * u64::try_from(MAX_QUEUE).unwrap();
    let mut settled = BTreeSet::new();
    let mut actions = observe(&mut voter, at(tip));
    let mut under_way = 0;
    while let Some(action) = actions.pop() {
        let Action::Ask(questions) = action else { panic!("{action:?}") };
        under_way = under_way.max(actions.len() + 1);
        assert!(questions.len() <= MAX_QUESTIONS && voter.queued() <= MAX_QUEUE + 3);
        let heights: Vec<_> = questions.iter().map(|question| question.height().to_u64()).collect();
        settled.extend(heights.iter().copied());
        actions.extend(reply(&mut voter, heights.into_iter().map(|height| (height, Answer::Powerless))));
    }
    assert_eq!(settled, (10..=tip).collect());
    assert_eq!(under_way, MAX_ASKINGS);
    assert_eq!(voter.reason(), Some(Reason::NoPower { height: h(tip) }));
}
