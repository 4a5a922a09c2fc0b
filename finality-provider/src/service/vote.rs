//! The task that votes: it tells the voter what happens and does what the voter wants, several things at once.

use super::{
    Provider, cast,
    heights::AtHeight,
    own::{Known, observe},
    store_failed,
    watch::{Look, within},
};
use crate::{
    machine::{
        answer::{Answer, answer},
        reason::Reason,
        voter::{Action, Ballot, Event, Question, Voter},
    },
    records::LastVote,
};
use btc_staking_daemon::tasks::{Stop, TaskError};
use btc_staking_pos_chain::ports::ChainError;
use btc_staking_protocol::height::PosHeight;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Votes that are asked for by the page.
const VOTES_PAGE: usize = 1_000;
/// Least time between two records of the highest vote, and between two changes of the board by answers and verdicts.
const RECORD_INTERVAL: Duration = Duration::from_secs(1);
const SHOW_INTERVAL: Duration = Duration::from_millis(10);

/// Votes until told to stop.
///
/// # Errors
/// [`TaskError::Fatal`] when a record could not be made durable.
pub async fn run_voter(provider: Arc<Provider>, mut stop: Stop) -> Result<(), TaskError> {
    let last_vote = provider.records.last_vote(&provider.subject).map_err(store_failed)?;
    if let Some(vote) = last_vote {
        provider.board.note_vote(&provider.subject, vote.at);
    }
    provider.watch.heights.join(provider.subject.finality_provider);
    let mut looks = provider.watch.looks();
    let mut task = VoterTask {
        voter: Voter::new(provider.settings.batch, last_vote.map(|vote| vote.height)),
        provider,
        known: Some(Known::default()),
        look: 0,
        recorded: last_vote.map(|vote| (vote.height, Duration::ZERO)),
        shown_at: Duration::ZERO,
    };
    let mut reading = FuturesUnordered::new();
    let mut voting = FuturesUnordered::new();
    loop {
        let actions = tokio::select! {
            stopped = stop.stopped() => { let () = stopped; break }
            Some(done) = voting.next(), if !voting.is_empty() => task.tell(done?)?,
            Some(done) = reading.next(), if !reading.is_empty() => {
                let Read { event, known } = done?;
                task.known = known.or(task.known);
                task.tell(event)?
            }
            // The watch lives as long as the provider, which holds it.
            Ok(()) = looks.changed(), if task.known.is_some() => {
                let look = looks.borrow_and_update().clone();
                task.begin_look(look).into_iter().for_each(|read| reading.push(read));
                continue;
            }
        };
        for action in actions {
            match action {
                Action::Ask(questions) => reading.push(task.ask(questions)),
                Action::Vote(ballots) => voting.push(task.vote(ballots)),
            }
        }
    }
    // What was signed is seen to its end, as far as the stop allows; nothing new begins.
    while let Some(done) = voting.next().await {
        task.tell(done?)?;
    }
    task.record(Duration::ZERO)
}

/// What was read: an event, and what was known before if it was lent for it.
struct Read {
    event: Event,
    known: Option<Known>,
}

struct VoterTask {
    provider: Arc<Provider>,
    voter: Voter,
    /// Lent to the look that is being completed.
    known: Option<Known>,
    look: u64,
    recorded: Option<(PosHeight, Duration)>,
    shown_at: Duration,
}

impl VoterTask {
    /// Begins to complete a look with what concerns this provider alone.
    fn begin_look(&mut self, look: Look) -> Option<BoxFuture<'static, Result<Read, TaskError>>> {
        let view = look.view?;
        self.look = look.number;
        self.begin_anew();
        let mut known = self.known.take()?;
        let waits = matches!(
            self.voter.waiting(),
            Some((_, Reason::NoRandomness { .. } | Reason::RandomnessNotUsable { .. }))
        );
        let provider = Arc::clone(&self.provider);
        let read = async move {
            let event = match view {
                Ok(view) => observe(&provider, view, &mut known, waits).await?,
                Err(error) => Event::Unreachable(error.to_string()),
            };
            Ok(Read { event, known: Some(known) })
        };
        Some(read.boxed())
    }

    /// When a stop because of another signer is over, a new voter begins where the old one, and whoever voted meanwhile,
    /// got to. What the old one has under way comes back to nobody's question.
    fn begin_anew(&mut self) {
        if self.voter.has_ended_for_other_signer() && self.provider.guard.stopped_by().is_none() {
            self.voter = Voter::new(self.provider.settings.batch, self.voter.last_voted());
        }
    }

    fn ask(&self, questions: Vec<Question>) -> BoxFuture<'static, Result<Read, TaskError>> {
        let (provider, look) = (Arc::clone(&self.provider), self.look);
        let answered = async move {
            let answers = answer_all(&provider, questions, look).await;
            Ok(Read { event: Event::Answered(answers), known: None })
        };
        answered.boxed()
    }

    fn vote(&self, ballots: Vec<Ballot>) -> BoxFuture<'static, Result<Event, TaskError>> {
        let provider = Arc::clone(&self.provider);
        async move { Ok(Event::Decided(cast::vote(&provider, ballots).await?)) }.boxed()
    }

    /// Tells the voter what happened, and everybody else what comes of it.
    fn tell(&mut self, event: Event) -> Result<Vec<Action>, TaskError> {
        let now = self.provider.clock.monotonic();
        let is_progress = matches!(event, Event::Answered(_) | Event::Decided(_));
        let actions = self.voter.on_event(event);
        if !is_progress || now.saturating_sub(self.shown_at) >= SHOW_INTERVAL {
            self.shown_at = now;
            self.show();
        }
        self.record(RECORD_INTERVAL)?;
        Ok(actions)
    }

    /// Records the highest vote the chain shows, not more often than once in `interval`.
    fn record(&mut self, interval: Duration) -> Result<(), TaskError> {
        let Some(height) = self.voter.last_voted() else { return Ok(()) };
        let now = self.provider.clock.monotonic();
        let is_due =
            |(recorded, at): (PosHeight, Duration)| height > recorded && now.saturating_sub(at) >= interval;
        if !self.recorded.is_none_or(is_due) {
            return Ok(());
        }
        self.recorded = Some((height, now));
        let at = self.provider.clock.since_epoch().as_secs();
        let vote = LastVote { height, at };
        self.provider.records.record_vote(&self.provider.subject, vote).map_err(store_failed)
    }

    fn show(&self) {
        let provider = &self.provider;
        provider.board.show_voter(&provider.subject, &self.voter);
        match self.voter.reason() {
            None => provider.health.ok(),
            Some(reason) => provider.health.degraded(format!("{}: {reason}", reason.code())),
        }
    }
}

async fn answer_all(provider: &Provider, questions: Vec<Question>, look: u64) -> Vec<(PosHeight, Answer)> {
    let key = &provider.subject.finality_provider;
    let heights: Vec<_> = questions.iter().map(Question::height).collect();
    let maybe_voted: Vec<_> = questions
        .iter()
        .filter_map(|question| match question {
            Question::Power(_) => None,
            Question::VoteAndPower(height) => Some(*height),
        })
        .collect();
    let voted = match voted_among(provider, &maybe_voted).await {
        Ok(voted) => voted,
        Err(error) => {
            let unknown = |height| (height, Answer::Unknown(error.to_string()));
            return heights.into_iter().map(unknown).collect();
        }
    };
    let open: Vec<_> = heights.iter().filter(|height| !voted.contains(height)).copied().collect();
    let told = provider.watch.heights.ask(*key, &open, look).await;
    let understood = |(height, told): (PosHeight, AtHeight)| match told {
        Ok((power, block)) => (height, answer(power, block, false)),
        Err(error) => (height, Answer::Unknown(error.to_string())),
    };
    let mut answers: Vec<_> = told.into_iter().map(understood).collect();
    let powerless = answers.iter().filter(|(_, answer)| *answer == Answer::Powerless).count();
    provider.meters.powerless(u64::try_from(powerless).unwrap_or(u64::MAX));
    answers.extend(voted.into_iter().map(|height| (height, Answer::Voted)));
    answers
}

/// Those of `heights` for which the chain has a vote of the provider, read by the page.
async fn voted_among(provider: &Provider, heights: &[PosHeight]) -> Result<BTreeSet<PosHeight>, ChainError> {
    let (chain, key) = (provider.watch.chain(), &provider.subject.finality_provider);
    let limit = provider.settings.request_timeout;
    let mut left: BTreeSet<PosHeight> = heights.iter().copied().collect();
    let mut voted = BTreeSet::new();
    while let Some(first) = left.first().copied() {
        let page = within(limit, "votes", chain.fetch_voted_heights(key, first, VOTES_PAGE)).await?;
        // Of what lies behind the page's last member nothing is known, unless there was none.
        let Some(last) = page.last() else { break };
        let behind = left.split_off(&last.next());
        voted.extend(page.into_iter().filter(|height| left.contains(height)));
        left = behind;
    }
    Ok(voted)
}
