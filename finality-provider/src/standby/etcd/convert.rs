//! Between the engine's terms and etcd's messages.

use super::proto;
use crate::standby::engine::{Answers, Committed, Compare, EngineError, Entry, KeyRange, Op, OpAnswer, Txn};

pub fn txn_request(txn: &Txn) -> proto::TxnRequest {
    proto::TxnRequest {
        compare: txn.compare.iter().map(compare).collect(),
        success: txn.success.iter().map(request).collect(),
        failure: txn.failure.iter().map(request).collect(),
    }
}

pub fn committed(response: proto::TxnResponse) -> Result<Committed, EngineError> {
    let header = response.header.clone().ok_or_else(|| broken("an answer without header"))?;
    let proto::ResponseHeader { cluster_id, revision } = header;
    Ok(Committed { cluster: cluster_id, revision, answers: answers(response)? })
}

fn compare(compare: &Compare) -> proto::Compare {
    use proto::{CompareResult as Is, CompareTarget as Of, CompareWith as With};
    let (of, is, key, with) = match compare {
        // A key that does not exist was created at revision 0.
        Compare::Absent(key) => (Of::Create, Is::Equal, key, With::CreateRevision(0)),
        Compare::Present(key) => (Of::Create, Is::Greater, key, With::CreateRevision(0)),
        Compare::CreatedAt(key, at) => (Of::Create, Is::Equal, key, With::CreateRevision(*at)),
        Compare::ModifiedAt(key, at) => (Of::Mod, Is::Equal, key, With::ModRevision(*at)),
        // A key that does not exist has no value, so that neither of these holds.
        Compare::ValueIs(key, value) => (Of::Value, Is::Equal, key, With::Value(bytes(value))),
        Compare::ValueBelow(key, value) => (Of::Value, Is::Less, key, With::Value(bytes(value))),
    };
    proto::Compare { result: is.into(), target: of.into(), key: bytes(key), with: Some(with) }
}

fn request(op: &Op) -> proto::RequestOp {
    let request = match op {
        Op::Put { key, value, lease } => proto::Request::Put(proto::PutRequest {
            key: bytes(key),
            value: bytes(value),
            lease: lease.map_or(0, |lease| lease.0),
        }),
        Op::Range { range, limit } => {
            let (key, range_end) = ends(range);
            proto::Request::Range(proto::RangeRequest { key, range_end, limit: i64::from(*limit) })
        }
        Op::Delete(range) => {
            let (key, range_end) = ends(range);
            proto::Request::DeleteRange(proto::DeleteRangeRequest { key, range_end })
        }
        Op::Txn(txn) => proto::Request::Txn(txn_request(txn)),
    };
    proto::RequestOp { request: Some(request) }
}

fn ends(range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
    (bytes(&range.start), range.end.as_deref().map(bytes).unwrap_or_default())
}

fn answers(response: proto::TxnResponse) -> Result<Answers, EngineError> {
    let ops = response.responses.into_iter().map(answer).collect::<Result<_, _>>()?;
    Ok(Answers { succeeded: response.succeeded, ops })
}

fn answer(response: proto::ResponseOp) -> Result<OpAnswer, EngineError> {
    Ok(match response.response.ok_or_else(|| broken("an empty answer in a transaction"))? {
        proto::Response::Put(_) => OpAnswer::Put,
        proto::Response::Range(range) => {
            let entries = range.kvs.into_iter().map(entry).collect::<Result<_, _>>()?;
            OpAnswer::Range { entries, more: range.more }
        }
        proto::Response::DeleteRange(deletion) => {
            let deleted = u64::try_from(deletion.deleted);
            OpAnswer::Deleted(deleted.map_err(|_| broken("a negative number of deleted keys"))?)
        }
        proto::Response::Txn(inner) => OpAnswer::Txn(answers(inner)?),
    })
}

fn entry(kv: proto::KeyValue) -> Result<Entry, EngineError> {
    let key = String::from_utf8(kv.key).map_err(|_| broken("a key that is no text"))?;
    Ok(Entry { key, value: kv.value, created: kv.create_revision, modified: kv.mod_revision })
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub fn broken(what: &str) -> EngineError {
    EngineError::Broken(what.to_owned())
}
