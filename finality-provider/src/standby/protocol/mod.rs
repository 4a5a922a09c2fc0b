//! The protocol between the instances of a pair, pure: which transactions are sent, and what their answers mean.
//!
//! | transaction | condition | does |
//! |---|---|---|
//! | [`build_campaign`] | nobody holds the right, and there is a low watermark | creates `holder` on our lease |
//! | [`build_votes`] | `holder` is the one we created; and for each height: no vote there, low watermark below it | creates `vote/HEIGHT` |
//! | [`build_check`] | `holder` is the one we created | reads low watermark and votes |
//! | [`build_raise`] | low watermark below the new one | raises it |
//! | [`build_forget`] | `holder` is ours, the low watermark was not touched | raises it, deletes the votes up to it |
//! | [`build_release`], [`build_eviction`] | `holder` is ours, or another run's of our data directory | deletes `holder` |
//! | [`build_initialise`] | there is no low watermark | creates it |
//!
//! Safety rests on one thing: a vote's key is created once and never overwritten, and it is deleted only together with a
//! low watermark that covers it. Whoever holds the right, believes to hold it, or held it before a pause: at each height
//! all can only ever win the same message. The holder's key keeps the instances from getting into each other's way.

pub mod names;
pub mod values;

use super::engine::{Answers, Committed, Compare, Entry, KeyRange, LeaseId, Op, OpAnswer, Txn};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use names::{Keys, Prefix};
use thiserror::Error;
use values::{Instance, InstanceName, StoredVote, low_text, parse_low, parse_vote, vote_text};

/// Most heights in one transaction: etcd takes 128 operations, of which an inner transaction's count as well.
pub const MAX_HEIGHTS: usize = 100;
/// Votes read at a time.
pub const PAGE: u32 = 1_000;
/// Most holders that are looked at.
const MAX_HOLDERS: u32 = 10_000;

/// The right to sign, as long as the engine says so: the revision at which our `holder` was created fences off
/// everyone who held it before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    /// When our `holder` was created.
    pub created: i64,
    /// What it holds.
    pub value: String,
}

/// What came of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Campaign {
    /// The right is ours.
    Won(Token),
    /// It is another's.
    Held(Instance),
    /// The subject was never initialised in this engine, whose empty history is no history.
    NotInitialised,
}

/// May this vote be signed?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Yes: this message, and no other ever, stands at its height.
    Won,
    /// No: another message stands there.
    Taken(StoredVote),
    /// No: the height is at or below the low watermark.
    Barred {
        /// The low watermark.
        low: PosHeight,
    },
}

/// What came of a transaction that only the holder may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced<T> {
    /// We held the right.
    Held(T),
    /// We did not; who does, if anyone.
    Lost(Option<Instance>),
}

/// What the engine remembers of a subject, from some height on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The low watermark.
    pub low: PosHeight,
    /// When it was last raised.
    pub low_modified: i64,
    /// Ascending by height.
    pub votes: Vec<StoredVote>,
    /// Whether there are higher ones.
    pub more: bool,
}

/// What the engine holds is not of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// A value that no instance writes.
    #[error("the engine's key {0} does not hold what it should; somebody else writes under this prefix")]
    Malformed(String),
    /// An answer to another question.
    #[error("the engine's answer does not fit the transaction")]
    OtherShape,
}

impl ProtocolError {
    fn malformed(entry: &Entry) -> Self {
        Self::Malformed(entry.key.clone())
    }
}

type Result<T> = std::result::Result<T, ProtocolError>;

impl Token {
    fn compare(&self, keys: &Keys) -> Vec<Compare> {
        // The value as well: an engine put back from a backup counts the same revisions again.
        let (holder, value) = (keys.holder.clone(), self.value.clone());
        vec![Compare::CreatedAt(holder.clone(), self.created), Compare::ValueIs(holder, value)]
    }
}

/// Reads who holds the right, for every subject.
pub fn build_look(prefix: &Prefix) -> Txn {
    Txn::read(vec![Op::Range { range: prefix.holders(), limit: MAX_HOLDERS }])
}

/// The `holder` entries found, of all subjects.
///
/// # Errors
/// [`ProtocolError`].
pub fn read_look(committed: Committed) -> Result<Vec<Entry>> {
    let mut ops = Ops::of(committed.answers);
    Ok(ops.range()?.0)
}

/// Asks for the right to sign.
pub fn build_campaign(keys: &Keys, me: &Instance, lease: LeaseId) -> Txn {
    let put = Op::Put { key: keys.holder.clone(), value: me.to_text(), lease: Some(lease) };
    Txn {
        compare: vec![Compare::Absent(keys.holder.clone()), Compare::Present(keys.low.clone())],
        success: vec![put, Op::get(&keys.holder)],
        failure: vec![Op::get(&keys.holder)],
    }
}

/// # Errors
/// [`ProtocolError`].
pub fn read_campaign(me: &Instance, committed: Committed) -> Result<Campaign> {
    let succeeded = committed.answers.succeeded;
    let mut ops = Ops::of(committed.answers);
    if succeeded {
        ops.put()?;
    }
    let Some(holder) = ops.one()? else { return Ok(Campaign::NotInitialised) };
    let instance = Instance::parse(&holder)?;
    // Also when this is the second try, and the answer to the first was lost.
    if instance == *me {
        return Ok(Campaign::Won(Token { created: holder.created, value: instance.to_text() }));
    }
    Ok(Campaign::Held(instance))
}

/// Claims each of these heights for its message. The heights must differ, and be at most [`MAX_HEIGHTS`].
pub fn build_votes(keys: &Keys, token: &Token, messages: &[VoteMessage], by: &InstanceName) -> Txn {
    let claim = |message: &VoteMessage| {
        let vote = keys.vote(message.height);
        let put = Op::Put { key: vote.clone(), value: vote_text(message, by), lease: None };
        Op::Txn(Txn {
            compare: vec![
                Compare::Absent(vote.clone()),
                Compare::ValueBelow(keys.low.clone(), low_text(message.height)),
            ],
            success: vec![put],
            failure: vec![Op::get(&vote), Op::get(&keys.low)],
        })
    };
    Txn {
        compare: token.compare(keys),
        success: messages.iter().map(claim).collect(),
        failure: vec![Op::get(&keys.holder)],
    }
}

/// One claim for each message, in their order.
///
/// # Errors
/// [`ProtocolError`].
pub fn read_votes(keys: &Keys, messages: &[VoteMessage], committed: Committed) -> Result<Fenced<Vec<Claim>>> {
    let mut ops = match fenced(committed.answers)? {
        Fenced::Lost(holder) => return Ok(Fenced::Lost(holder)),
        Fenced::Held(ops) => ops,
    };
    messages
        .iter()
        .map(|message| read_claim(keys, message, ops.txn()?))
        .collect::<Result<_>>()
        .map(Fenced::Held)
}

fn read_claim(keys: &Keys, message: &VoteMessage, answers: Answers) -> Result<Claim> {
    let succeeded = answers.succeeded;
    let mut ops = Ops::of(answers);
    if succeeded {
        ops.put()?;
        return Ok(Claim::Won);
    }
    let (vote, low) = (ops.one()?, ops.one()?);
    match vote.map(|vote| parse_vote(keys, &vote)).transpose()? {
        // An earlier answer was lost, or the other instance won the very same: the nonce is a function of key and
        // height, so that its signature and ours are the same bytes.
        Some(stored) if stored.message == *message => Ok(Claim::Won),
        Some(stored) => Ok(Claim::Taken(stored)),
        None => Ok(Claim::Barred { low: parse_low(&low.ok_or(ProtocolError::OtherShape)?)? }),
    }
}

/// Reads low watermark and votes above a height, if we hold the right.
pub fn build_check(keys: &Keys, token: &Token, above: Option<PosHeight>) -> Txn {
    Txn { compare: token.compare(keys), success: history(keys, above), failure: vec![Op::get(&keys.holder)] }
}

/// `None` where the subject is not initialised.
///
/// # Errors
/// [`ProtocolError`].
pub fn read_check(keys: &Keys, committed: Committed) -> Result<Fenced<Option<Shared>>> {
    Ok(match fenced(committed.answers)? {
        Fenced::Lost(holder) => Fenced::Lost(holder),
        Fenced::Held(mut ops) => Fenced::Held(read_shared(keys, &mut ops)?),
    })
}

/// Reads low watermark and votes above a height, whoever holds the right.
pub fn build_history(keys: &Keys, above: Option<PosHeight>) -> Txn {
    Txn::read(history(keys, above))
}

/// `None` where the subject is not initialised.
///
/// # Errors
/// [`ProtocolError`].
pub fn read_history(keys: &Keys, committed: Committed) -> Result<Option<Shared>> {
    read_shared(keys, &mut Ops::of(committed.answers))
}

fn history(keys: &Keys, above: Option<PosHeight>) -> Vec<Op> {
    vec![Op::get(&keys.low), Op::Range { range: keys.votes_above(above), limit: PAGE }]
}

fn read_shared(keys: &Keys, ops: &mut Ops) -> Result<Option<Shared>> {
    let (low, (votes, more)) = (ops.one()?, ops.range()?);
    let Some(low) = low else { return Ok(None) };
    let votes = votes.iter().map(|vote| parse_vote(keys, vote)).collect::<Result<_>>()?;
    Ok(Some(Shared { low: parse_low(&low)?, low_modified: low.modified, votes, more }))
}

/// Makes a subject known to the engine, once.
pub fn build_initialise(keys: &Keys, low: PosHeight) -> Txn {
    Txn {
        compare: vec![Compare::Absent(keys.low.clone())],
        success: vec![Op::Put { key: keys.low.clone(), value: low_text(low), lease: None }],
        failure: vec![Op::get(&keys.low)],
    }
}

/// Raises the low watermark, which refuses more and never less, so that anyone may.
pub fn build_raise(keys: &Keys, to: PosHeight) -> Txn {
    Txn {
        compare: vec![Compare::ValueBelow(keys.low.clone(), low_text(to))],
        success: vec![Op::Put { key: keys.low.clone(), value: low_text(to), lease: None }],
        failure: vec![Op::get(&keys.low)],
    }
}

/// The low watermark that was there already, of a subject that was initialised or needed no raising; `None` when it was
/// written now, or is still missing.
///
/// # Errors
/// [`ProtocolError`].
pub fn read_low(committed: Committed) -> Result<Option<PosHeight>> {
    let succeeded = committed.answers.succeeded;
    let mut ops = Ops::of(committed.answers);
    if succeeded {
        ops.put()?;
        return Ok(None);
    }
    ops.one()?.map(|low| parse_low(&low)).transpose()
}

/// Forgets the votes up to a height, as one step with a low watermark that bars them. `low_modified` is that of the
/// [`Shared`] from which the height was chosen.
pub fn build_forget(keys: &Keys, token: &Token, low_modified: i64, to: PosHeight) -> Txn {
    let mut compare = token.compare(keys);
    compare.push(Compare::ModifiedAt(keys.low.clone(), low_modified));
    compare.push(Compare::ValueBelow(keys.low.clone(), low_text(to)));
    let put = Op::Put { key: keys.low.clone(), value: low_text(to), lease: None };
    Txn { compare, success: vec![put, Op::Delete(keys.votes_up_to(to))], failure: Vec::new() }
}

/// Gives the right up, if it is ours.
pub fn build_release(keys: &Keys, token: &Token) -> Txn {
    let success = vec![Op::Delete(KeyRange::one(&keys.holder))];
    Txn { compare: token.compare(keys), success, failure: Vec::new() }
}

/// Takes the right from an earlier run of our own data directory, which is over, or could not have been opened again.
/// `None` for anyone else.
pub fn build_eviction(keys: &Keys, me: &Instance, holder: &Instance) -> Option<Txn> {
    (holder.home == me.home && holder.run != me.run).then(|| Txn {
        compare: vec![Compare::ValueIs(keys.holder.clone(), holder.to_text())],
        success: vec![Op::Delete(KeyRange::one(&keys.holder))],
        failure: Vec::new(),
    })
}

fn fenced(answers: Answers) -> Result<Fenced<Ops>> {
    let succeeded = answers.succeeded;
    let mut ops = Ops::of(answers);
    if succeeded {
        return Ok(Fenced::Held(ops));
    }
    Ok(Fenced::Lost(ops.one()?.map(|holder| Instance::parse(&holder)).transpose()?))
}

/// The answers to a transaction's steps, taken one by one.
struct Ops(std::vec::IntoIter<OpAnswer>);

impl Ops {
    fn of(answers: Answers) -> Self {
        Self(answers.ops.into_iter())
    }

    fn put(&mut self) -> Result<()> {
        match self.0.next() {
            Some(OpAnswer::Put) => Ok(()),
            _ => Err(ProtocolError::OtherShape),
        }
    }

    fn range(&mut self) -> Result<(Vec<Entry>, bool)> {
        match self.0.next() {
            Some(OpAnswer::Range { entries, more }) => Ok((entries, more)),
            _ => Err(ProtocolError::OtherShape),
        }
    }

    fn one(&mut self) -> Result<Option<Entry>> {
        Ok(self.range()?.0.into_iter().next())
    }

    fn txn(&mut self) -> Result<Answers> {
        match self.0.next() {
            Some(OpAnswer::Txn(answers)) => Ok(answers),
            _ => Err(ProtocolError::OtherShape),
        }
    }
}
