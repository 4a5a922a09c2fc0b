//! The task that votes.

use super::{Finding, ForeignVote, NoAnswer, Provider, retry_policy, store_failed, unless_fatal};
use crate::{
    machine::{
        answer::{Answer, Verdict, answer, verdict},
        reason::SignerAway,
        voter::{Action, Ballot, Event, Observation, Question, Standing, Voter},
    },
    records::LastVote,
};
use btc_staking_daemon::{
    backoff::Backoff,
    tasks::{Stop, TaskError},
};
use btc_staking_eots_manager::signer::{Refused, VoteAnswer};
use btc_staking_pos_chain::{
    message::ChainMessage,
    ports::{ChainError, FinalityParams, StoredCommitment, VotingPower},
};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::SignedVote},
    height::PosHeight,
};
use futures::{StreamExt, stream};
use std::{collections::VecDeque, sync::Arc};

/// Questions about heights that are under way at once.
const QUESTIONS_AT_ONCE: usize = 16;
/// Rounds between two looks at the parameters.
const PARAMS_ROUNDS: u32 = 100;

/// Votes until told to stop.
///
/// # Errors
/// [`TaskError::Fatal`] when a record could not be made durable.
pub async fn run_voter(provider: Arc<Provider>, mut stop: Stop) -> Result<(), TaskError> {
    let last_vote = provider.records.last_vote(&provider.subject).map_err(store_failed)?;
    if let Some(vote) = last_vote {
        provider.board.note_vote(&provider.subject, vote.at);
    }
    let voter = Voter::new(provider.settings.batch, last_vote.map(|vote| vote.height));
    let mut hints = provider.chain.block_hints();
    let mut task = VoterTask { provider, voter, params: None };
    let mut backoff = Backoff::new(retry_policy(&task.provider.settings));
    while !stop.is_stopping() {
        let round = task.run_round(&stop).await?;
        task.show();
        let waited = match round {
            Round::Done => {
                backoff.reset();
                // Word of a new block is a reason to look sooner; without any the interval passes.
                let wait = tokio::time::timeout(task.provider.settings.poll_interval, hints.next());
                stop.race(wait).await.map(|_| ())
            }
            Round::Unreachable => {
                stop.sleep(backoff.next(task.provider.entropy.next_u64().unwrap_or(0))).await
            }
        };
        if waited.is_err() {
            break;
        }
    }
    Ok(())
}

enum Round {
    Done,
    Unreachable,
}

/// Whether a round may go on.
enum Comparison {
    Done,
    Watching,
    NotNow,
}

struct VoterTask {
    provider: Arc<Provider>,
    voter: Voter,
    params: Option<(FinalityParams, u32)>,
}

impl VoterTask {
    async fn run_round(&mut self, stop: &Stop) -> Result<Round, TaskError> {
        if self.is_stopped()? {
            return Ok(Round::Done);
        }
        let observation = match self.observe().await {
            Ok(observation) => observation,
            Err(error) => {
                self.voter.on_event(Event::Unreachable(error.to_string()));
                return Ok(Round::Unreachable);
            }
        };
        match self.compare(&observation).await? {
            Comparison::Done => {}
            Comparison::Watching => return Ok(Round::Done),
            Comparison::NotNow => return Ok(Round::Unreachable),
        }
        if self.is_stopped()? {
            return Ok(Round::Done);
        }
        let mut actions: VecDeque<_> = self.voter.on_event(Event::Observed(Box::new(observation))).into();
        while let Some(action) = actions.pop_front() {
            if stop.is_stopping() {
                break;
            }
            let event = match action {
                Action::Ask(questions) => Event::Answered(self.answer_all(questions).await),
                Action::Vote(ballots) => Event::Decided(self.vote(ballots).await?),
            };
            actions.extend(self.voter.on_event(event));
        }
        Ok(Round::Done)
    }

    /// Whether all keys are stopped because of another signer. When that is over, a new voter begins where the old one,
    /// and whoever voted meanwhile, got to.
    fn is_stopped(&mut self) -> Result<bool, TaskError> {
        if let Some(other) = self.provider.guard.stopped_by() {
            self.voter.on_event(Event::OtherSigner(other));
            return Ok(true);
        }
        if self.voter.has_ended_for_other_signer() {
            let last_vote = self.provider.records.last_vote(&self.provider.subject).map_err(store_failed)?;
            self.voter = Voter::new(self.provider.settings.batch, last_vote.map(|vote| vote.height));
        }
        Ok(false)
    }

    async fn observe(&mut self) -> Result<Observation, ChainError> {
        let (provider, key) = (&self.provider, &self.provider.subject.finality_provider);
        let chain = provider.chain.as_ref();
        let params = match self.params {
            Some((params, rounds)) if rounds > 0 => (params, rounds - 1),
            Some(_) | None => {
                (provider.ask("parameters", chain.fetch_finality_params()).await?, PARAMS_ROUNDS)
            }
        };
        let (head, record, activated, last_finalised, last_finalised_epoch, commitments) = tokio::try_join!(
            provider.ask("the tip", chain.fetch_head()),
            provider.ask("the finality provider", chain.fetch_finality_provider(key)),
            provider.ask("the activated height", chain.fetch_activated_height()),
            provider.ask("the last final block", chain.fetch_last_finalised()),
            provider.ask("the last final epoch", chain.fetch_last_finalised_epoch()),
            provider.ask("randomness commitments", chain.fetch_randomness_commitments(key)),
        )?;
        self.params = Some(params);
        Ok(Observation {
            tip: head.height,
            syncing: head.catching_up,
            activated,
            last_finalised: last_finalised.map(|block| block.height),
            last_finalised_epoch,
            params: params.0,
            standing: record.map(|record| Standing {
                slashed: record.slashed.is_some(),
                jailed: record.jailed,
                highest_voted: record.highest_voted_height,
            }),
            commitments,
        })
    }

    /// Compares the chain's votes of this key with the sign records, unless the node is syncing and so cannot know them.
    async fn compare(&mut self, observation: &Observation) -> Result<Comparison, TaskError> {
        let done = Ok(Comparison::Done);
        let Some(standing) = observation.standing.filter(|_| !observation.syncing) else { return done };
        let tip = observation.tip;
        let provider = Arc::clone(&self.provider);
        // Asked for after the node answered: our own votes are recorded before the chain can have them.
        let history = match unless_fatal(provider.signer.history(&provider.subject).await)? {
            Ok(history) => history,
            Err(none) => return Ok(self.away(none.into())),
        };
        let recorded = history.highest.unwrap_or(PosHeight::new(0));
        match provider.guard.compare(standing.highest_voted, recorded, tip) {
            Finding::Nothing => done,
            Finding::Implausible => {
                let voted = standing.highest_voted;
                tracing::warn!(
                    finality_provider = %provider.subject.finality_provider,
                    pos_height = voted.to_u64(),
                    tip = tip.to_u64(),
                    "the node tells of a vote above its own latest block; its answers are not used"
                );
                self.voter.on_event(Event::Implausible { voted, tip });
                Ok(Comparison::NotNow)
            }
            Finding::Raise(ForeignVote { voted, recorded }) => {
                tracing::error!(
                    finality_provider = %provider.subject.finality_provider,
                    pos_height = voted.to_u64(),
                    recorded = recorded.to_u64(),
                    "the chain has a vote that is not in the sign records; nothing is signed up to its height"
                );
                let raised = provider.signer.raise_watermark(&provider.subject, voted).await;
                if let Err(none) = unless_fatal(raised)? {
                    return Ok(self.away(none.into()));
                }
                Ok(self.watch(provider.guard.watch(tip)))
            }
            Finding::Watch(until) => Ok(self.watch(until)),
            Finding::Stop(foreign) => {
                tracing::error!(
                    finality_provider = %provider.subject.finality_provider,
                    chain_id = %provider.subject.chain_id,
                    pos_height = foreign.voted.to_u64(),
                    recorded = foreign.recorded.to_u64(),
                    "another signer holds this key: the chain has a vote this signer did not make; all keys are stopped"
                );
                // Not even a passing failure is waited out: a restart compares with the chain anew.
                provider.guard.stop(foreign).map_err(TaskError::fatal)?;
                done
            }
        }
    }

    /// Nothing is signed yet, in case another signer is at work.
    fn watch(&mut self, until: PosHeight) -> Comparison {
        self.voter.on_event(Event::SignerAway(SignerAway::Watching { until }));
        Comparison::Watching
    }

    /// The signer cannot be asked: nothing goes on in this round.
    fn away(&mut self, away: SignerAway) -> Comparison {
        self.voter.on_event(Event::SignerAway(away));
        Comparison::NotNow
    }

    async fn answer_all(&self, questions: Vec<Question>) -> Vec<(PosHeight, Answer)> {
        let answers = questions.into_iter().map(|question| async move {
            let answer = self.answer(question).await;
            (question.height(), answer.unwrap_or_else(|error| Answer::Unknown(error.to_string())))
        });
        let answers: Vec<_> = stream::iter(answers).buffered(QUESTIONS_AT_ONCE).collect().await;
        let powerless = answers.iter().filter(|(_, answer)| *answer == Answer::Powerless).count();
        self.provider.meters.powerless(u64::try_from(powerless).unwrap_or(u64::MAX));
        answers
    }

    async fn answer(&self, question: Question) -> Result<Answer, ChainError> {
        let (provider, key) = (&self.provider, &self.provider.subject.finality_provider);
        let chain = provider.chain.as_ref();
        let height = question.height();
        let voted = match question {
            Question::Power(_) => false,
            Question::VoteAndPower(_) => {
                provider.ask("votes", chain.fetch_votes(height)).await?.contains(key)
            }
        };
        let power = provider.ask("voting power", chain.fetch_voting_power(key, height)).await?;
        let block = match power {
            VotingPower::Has(_) => provider.ask("the block", chain.fetch_indexed_block(height)).await?,
            VotingPower::None | VotingPower::NoTable => None,
        };
        Ok(answer(power, block, voted))
    }

    /// Signs and submits votes and returns what became of each.
    async fn vote(&self, ballots: Vec<Ballot>) -> Result<Vec<(PosHeight, Verdict)>, TaskError> {
        let signed = sign_all(&self.provider, &ballots).await?;
        let mut verdicts = Vec::new();
        let mut votes = Vec::new();
        for (height, outcome) in signed {
            match outcome {
                Ok(vote) => votes.push(vote),
                Err(refused) => verdicts.push((height, refused)),
            }
        }
        verdicts.extend(self.submit(votes).await);
        self.note(&verdicts)?;
        Ok(verdicts)
    }

    async fn submit(&self, votes: Vec<SignedVote>) -> Vec<(PosHeight, Verdict)> {
        if votes.is_empty() {
            return Vec::new();
        }
        let heights: Vec<_> = votes.iter().map(|vote| vote.message.height).collect();
        let messages =
            votes.into_iter().map(|vote| ChainMessage::AddFinalitySignature(Box::new(vote))).collect();
        let submission = self.provider.submitter.submit(messages);
        let lost = |text: String| {
            heights.iter().map(|height| (*height, Verdict::FateUnknown(text.clone()))).collect()
        };
        match tokio::time::timeout(self.provider.settings.submit_timeout, submission).await {
            Err(_) => lost("the chain did not say in time what became of it".to_owned()),
            Ok(Err(error)) => lost(error.to_string()),
            Ok(Ok(outcomes)) => {
                let verdicts = outcomes.iter().map(verdict);
                let missing = std::iter::repeat(Verdict::FateUnknown("the chain gave no outcome".to_owned()));
                heights.iter().copied().zip(verdicts.chain(missing)).collect()
            }
        }
    }

    /// Counts, logs and remembers what became of votes.
    fn note(&self, verdicts: &[(PosHeight, Verdict)]) -> Result<(), TaskError> {
        let provider = &self.provider;
        let key = &provider.subject.finality_provider;
        for (height, verdict) in verdicts {
            let pos_height = height.to_u64();
            match verdict {
                Verdict::Stored => {
                    provider.meters.vote_stored();
                    tracing::info!(finality_provider = %key, pos_height, "voted");
                }
                Verdict::GivenUp(reason) => {
                    provider.meters.double_sign_refused();
                    tracing::error!(finality_provider = %key, pos_height, reason, "height given up");
                }
                Verdict::Closed | Verdict::Void(_) => {
                    tracing::info!(finality_provider = %key, pos_height, ?verdict, "a node takes no vote any more");
                }
                // What the chain says of a slashed or jailed provider is read with the next round.
                Verdict::Later(_)
                | Verdict::FateUnknown(_)
                | Verdict::SignerAway(_)
                | Verdict::Jailed
                | Verdict::Slashed => {
                    provider.meters.vote_failed();
                    tracing::warn!(finality_provider = %key, pos_height, ?verdict, "vote did not get through");
                }
            }
        }
        let highest =
            verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Stored).map(|(h, _)| *h).max();
        let Some(height) = highest else { return Ok(()) };
        let at = provider.clock.since_epoch().as_secs();
        provider.board.note_vote(&provider.subject, at);
        provider.records.record_vote(&provider.subject, LastVote { height, at }).map_err(store_failed)
    }

    fn show(&self) {
        let provider = &self.provider;
        provider.board.show_voter(&provider.subject, &self.voter);
        match self.voter.reason() {
            None => provider.health.ok(),
            Some(reason) => provider.health.degraded(reason.to_string()),
        }
    }
}

type Signed = Vec<(PosHeight, Result<SignedVote, Verdict>)>;

/// Signs every ballot whose vote is safe, those of one commitment at a time; a refused one does not hold up the others.
async fn sign_all(provider: &Provider, ballots: &[Ballot]) -> Result<Signed, TaskError> {
    if !provider.guard.may_sign() {
        let refused = || Verdict::Later("the sign records were not compared with the chain yet".to_owned());
        return Ok(ballots.iter().map(|ballot| (ballot.message.height, Err(refused()))).collect());
    }
    let mut signed = Vec::with_capacity(ballots.len());
    for ballots in ballots.chunk_by(|one, next| one.commitment == next.commitment) {
        signed.extend(sign_some(provider, ballots).await?);
    }
    Ok(signed)
}

/// Signs ballots that are all proven by one commitment.
async fn sign_some(provider: &Provider, ballots: &[Ballot]) -> Result<Signed, TaskError> {
    let Some(StoredCommitment { start_height, count, root, .. }) =
        ballots.first().map(|first| first.commitment)
    else {
        return Ok(Vec::new());
    };
    let range = CommittedRandomness { start_height, count, root };
    let messages = ballots.iter().map(|ballot| ballot.message).collect();
    let answers = provider.signer.vote_batch(&provider.subject, messages, range).await;
    let for_all = |verdict: Verdict| {
        ballots.iter().map(|ballot| (ballot.message.height, Err(verdict.clone()))).collect()
    };
    Ok(match unless_fatal(answers)? {
        Ok(answers) => answers
            .into_iter()
            .map(|VoteAnswer { height, result }| (height, result.map_err(refusal)))
            .collect(),
        Err(NoAnswer::Refused(refused)) => for_all(refusal(refused)),
        Err(NoAnswer::Away(away)) => for_all(Verdict::SignerAway(away)),
    })
}

fn refusal(refused: Refused) -> Verdict {
    if refused.reason.gives_height_up() {
        Verdict::GivenUp(refused.text)
    } else {
        Verdict::Later(refused.text)
    }
}
