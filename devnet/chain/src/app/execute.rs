//! Running one transaction: decoding, the ante checks, the messages in order, the refund (`chain.md` 12).

use super::{
    ante::{self, FeePaid},
    auth, bank,
    context::{BlockInfo, Ctx, Purpose},
    router,
    tx::Tx,
};
use crate::{
    error::{Broken, Failure, Refusal, sdk},
    event::Event,
    state::{Meter, State, Writes},
    wire::messages::Msg,
};
use btc_staking_babylon::proto::{Any, TxMsgData};
use prost::Message;

/// What became of a transaction; stored with its block.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct TxResult {
    #[prost(string, tag = "1")]
    pub(crate) codespace: String,
    #[prost(uint32, tag = "2")]
    pub(crate) code: u32,
    #[prost(string, tag = "3")]
    pub(crate) log: String,
    /// Encoded `TxMsgData`.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) data: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) events: Vec<Event>,
    #[prost(uint64, tag = "6")]
    pub(crate) gas_wanted: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) gas_used: u64,
}

/// Admission to the mempool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) result: TxResult,
    /// Made only of kinds that outrank all others.
    pub(crate) priority: bool,
    /// Accounts whose sequence the transaction uses.
    pub(crate) signers: Vec<String>,
}

/// Messages that ran, with what they answered.
struct Ran {
    responses: Vec<Any>,
    events: Vec<Event>,
}

/// Executes a transaction of a block on `state`.
pub(crate) fn deliver(state: &mut State<'_>, block: &BlockInfo, bytes: &[u8]) -> Result<TxResult, Broken> {
    let tx = match decode(bytes) {
        Ok(tx) => tx,
        Err(failure) => return refused(failure, 0, 0, vec![]),
    };
    let meter = Meter::with_limit(tx.fee.gas_limit);
    let (paid, fee_events) = match ante(state, block, &tx, Purpose::Deliver, &meter) {
        Ok((paid, writes, events)) => {
            state.absorb(writes);
            (paid, events)
        }
        Err(failure) => return refused(failure, tx.fee.gas_limit, meter.used(), vec![]),
    };
    match run_messages(state, block, &tx, &paid, &meter, Purpose::Deliver) {
        Ok((ran, writes)) => {
            state.absorb(writes);
            Ok(succeeded(ran, fee_events, &tx, &meter))
        }
        Err(failure) => refused(failure, tx.fee.gas_limit, meter.used(), fee_events),
    }
}

/// Looks at a transaction for the mempool; its fee and sequences move on in `state`.
pub(crate) fn check(
    state: &mut State<'_>,
    block: &BlockInfo,
    bytes: &[u8],
    purpose: Purpose,
) -> Result<Checked, Broken> {
    let refused = |failure, wanted| {
        refused(failure, wanted, 0, vec![]).map(|result| Checked { result, priority: false, signers: vec![] })
    };
    let tx = match decode(bytes) {
        Ok(tx) => tx,
        Err(failure) => return refused(failure, 0),
    };
    let limit = tx.fee.gas_limit;
    if limit > ante::MAX_GAS_WANTED {
        let why = format!("Too much gas wanted: {limit}, maximum is {}", ante::MAX_GAS_WANTED);
        return refused(sdk::OUT_OF_GAS.because(why), limit);
    }
    let meter = Meter::with_limit(limit);
    match ante(state, block, &tx, purpose, &meter) {
        Ok((_, writes, events)) => {
            state.absorb(writes);
            let result = TxResult { gas_wanted: limit, gas_used: meter.used(), events, ..Default::default() };
            let signers = tx.required_signers().into_iter().map(str::to_owned).collect();
            Ok(Checked { result, priority: tx.only_refundable_kinds(), signers })
        }
        Err(failure) => refused(failure, limit),
    }
}

/// Runs a transaction for its gas; nothing is kept.
pub(crate) fn simulate(state: &State<'_>, block: &BlockInfo, bytes: &[u8]) -> Result<TxResult, Failure> {
    let meter = Meter::unlimited();
    let run = || -> Result<TxResult, Failure> {
        let tx = decode(bytes)?;
        let (paid, writes, fee_events) = ante(state, block, &tx, Purpose::Simulate, &meter)?;
        let free = Meter::unlimited();
        let mut layer = State::new(state, &free);
        layer.absorb(writes);
        let (ran, _) = run_messages(&layer, block, &tx, &paid, &meter, Purpose::Simulate)?;
        Ok(succeeded(ran, fee_events, &tx, &meter))
    };
    run().map_err(|failure| match failure {
        Failure::Refused(refusal) => {
            let text = format!("{}{} with gas used: '{}'", refusal.log, place_of(&refusal), meter.used());
            crate::error::status(crate::error::Status::Unknown, text)
        }
        Failure::Broken(broken) => Failure::Broken(broken),
    })
}

/// What a node of v4.3.1 adds to the failure of a simulated message: it tells the place in its source where messages are
/// run, unless the error tells another.
fn place_of(refusal: &Refusal) -> &'static str {
    let in_message = refusal.log.starts_with("failed to execute message; ");
    if in_message && !refusal.log.ends_with(']') {
        " [cosmos/cosmos-sdk@v0.53.4/baseapp/baseapp.go:1051]"
    } else {
        ""
    }
}

/// What a proposer needs to know of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TxForm {
    pub(crate) gas_limit: u64,
    /// Made only of kinds that outrank all others.
    pub(crate) priority: bool,
    /// Accounts whose sequence the transaction uses.
    pub(crate) signers: Vec<String>,
}

/// Reads what needs no state; `None` for bytes that are no transaction.
pub(crate) fn tx_form(bytes: &[u8]) -> Option<TxForm> {
    let tx = decode(bytes).ok()?;
    let signers = tx.required_signers().into_iter().map(str::to_owned).collect();
    Some(TxForm { gas_limit: tx.fee.gas_limit, priority: tx.only_refundable_kinds(), signers })
}

/// Decodes a transaction and checks the form of its messages.
pub(crate) fn decode(bytes: &[u8]) -> Result<Tx, Failure> {
    let tx = Tx::decode(bytes)?;
    if tx.messages.is_empty() {
        return Err(sdk::INVALID_REQUEST.because("must contain at least one message"));
    }
    tx.messages.iter().try_for_each(router::check_message)?;
    tx.messages.iter().try_for_each(router::check_handled)?;
    Ok(tx)
}

type AnteDone = (FeePaid, Writes, Vec<Event>);

fn ante(
    below: &State<'_>,
    block: &BlockInfo,
    tx: &Tx,
    purpose: Purpose,
    meter: &Meter,
) -> Result<AnteDone, Failure> {
    let mut layer = State::new(below, meter);
    let mut ctx = Ctx::new(&mut layer, block);
    let paid = ante::check_and_charge(&mut ctx, tx, purpose)?;
    match purpose {
        Purpose::Deliver => {}
        Purpose::Check | Purpose::Recheck | Purpose::Simulate => {
            tx.messages.iter().try_for_each(|msg| router::check_outside_blocks(&ctx, msg))?;
        }
    }
    ante::check_granter(tx)?;
    let events = ctx.events;
    Ok((paid, layer.into_writes(), events))
}

fn run_messages(
    below: &State<'_>,
    block: &BlockInfo,
    tx: &Tx,
    paid: &FeePaid,
    meter: &Meter,
    purpose: Purpose,
) -> Result<(Ran, Writes), Failure> {
    let mut layer = State::new(below, meter);
    let mut ran = Ran { responses: vec![], events: vec![] };
    let mut all_refundable = true;
    for (index, msg) in tx.messages.iter().enumerate() {
        let mut ctx = Ctx::new(&mut layer, block);
        router::execute(&mut ctx, msg).map_err(|failure| in_message(failure, index))?;
        all_refundable &= ctx.is_refundable();
        ran.responses.push(Any { type_url: msg.response_type_url(), value: ctx.take_response() });
        ran.events.extend(message_events(msg, index, ctx.events));
    }
    let refund = all_refundable && tx.has_distinct_messages() && paid.amount > 0;
    match purpose {
        Purpose::Deliver | Purpose::Simulate if refund => {
            let mut ctx = Ctx::new(&mut layer, block);
            bank::transfer(&mut ctx, &auth::module_address(bank::FEE_COLLECTOR), &paid.payer, paid.amount)?;
            ran.events.append(&mut ctx.events);
        }
        Purpose::Deliver | Purpose::Simulate | Purpose::Check | Purpose::Recheck => {}
    }
    Ok((ran, layer.into_writes()))
}

/// A crash and running out of gas end the transaction, not the message: their logs do not name one.
fn in_message(failure: Failure, index: usize) -> Failure {
    match failure {
        Failure::Refused(refusal) if refusal.ends_transaction() => refusal.into(),
        Failure::Refused(refusal) => refusal.in_message(index).into(),
        Failure::Broken(broken) => broken.into(),
    }
}

/// The `message` event first, then the module's, all with the index of the message.
fn message_events(msg: &Msg, index: usize, events: Vec<Event>) -> impl Iterator<Item = Event> {
    let action = msg.type_url();
    let own = [("action", action.as_str()), ("sender", msg.signer()), ("module", msg.module())];
    let own = Event::plain("message", &own);
    std::iter::once(own).chain(events).map(move |event| event.with("msg_index", index))
}

fn succeeded(ran: Ran, fee_events: Vec<Event>, tx: &Tx, meter: &Meter) -> TxResult {
    let data = TxMsgData { msg_responses: ran.responses, ..Default::default() };
    TxResult {
        data: data.encode_to_vec(),
        events: [fee_events, ran.events].concat(),
        gas_wanted: tx.fee.gas_limit,
        gas_used: meter.used(),
        ..Default::default()
    }
}

fn refused(failure: Failure, gas_wanted: u64, gas_used: u64, events: Vec<Event>) -> Result<TxResult, Broken> {
    match failure {
        Failure::Refused(Refusal { codespace, code, log, .. }) => Ok(TxResult {
            codespace: codespace.to_owned(),
            code,
            log,
            data: vec![],
            events,
            gas_wanted,
            gas_used,
        }),
        Failure::Broken(broken) => Err(broken),
    }
}
