//! The query language of subscriptions and searches, and `tx_search` and `block_search` themselves.
//!
//! A query is a conjunction of conditions: `tm.event='Tx' AND message.action='/x.MsgY' AND tx.height>5`. Operators are
//! `=`, `<`, `<=`, `>`, `>=`, `CONTAINS` and `EXISTS`. Searches read the blocks between the bounds that the query sets
//! on the height; without such bounds they read the whole chain.

use super::{
    error::RpcError,
    form::{self, Tags},
    params::Params,
};
use crate::{error::Broken, node::core::Core};
use serde_json::{Value, json};
use thiserror::Error;

/// Most results on a page.
const MAX_PER_PAGE: u64 = 100;
const DEFAULT_PER_PAGE: u64 = 30;
/// Longest query accepted.
const MAX_QUERY: usize = 512;

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query(Vec<Condition>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Contains(String),
    Equals(String),
    Compare(Comparison, i128),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum InvalidQuery {
    #[error("query has {0} bytes, at most {MAX_QUERY} are accepted")]
    TooLong(usize),
    #[error("condition {0:?} has no operator")]
    NoOperator(String),
    #[error("condition {0:?} must compare with a number or a quoted text")]
    Value(String),
}

impl Query {
    /// Parses a query.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidQuery> {
        if text.len() > MAX_QUERY {
            return Err(InvalidQuery::TooLong(text.len()));
        }
        let parts = split_conditions(text);
        parts.iter().map(|part| Condition::parse(part)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether all conditions hold.
    pub(crate) fn matches(&self, tags: &Tags) -> bool {
        self.0.iter().all(|condition| condition.holds(tags))
    }

    /// The one value a key must equal, if the query says so.
    fn fixed(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|condition| match &condition.test {
            Test::Equals(value) if condition.key == key => Some(value.as_str()),
            _ => None,
        })
    }

    /// Heights the query can match, inclusive.
    fn heights(&self, key: &str, tip: u64) -> (u64, u64) {
        let (mut low, mut high) = (1i128, i128::from(tip));
        for condition in self.0.iter().filter(|condition| condition.key == key) {
            match &condition.test {
                Test::Equals(value) => {
                    let height = value.parse().unwrap_or(0);
                    (low, high) = (low.max(height), high.min(height));
                }
                Test::Compare(Comparison::Less, n) => high = high.min(n.saturating_sub(1)),
                Test::Compare(Comparison::LessOrEqual, n) => high = high.min(*n),
                Test::Compare(Comparison::Greater, n) => low = low.max(n.saturating_add(1)),
                Test::Compare(Comparison::GreaterOrEqual, n) => low = low.max(*n),
                Test::Exists | Test::Contains(_) => {}
            }
        }
        (u64::try_from(low).unwrap_or(u64::MAX), u64::try_from(high).unwrap_or(0))
    }
}

/// Cuts at ` AND ` outside quotes.
fn split_conditions(text: &str) -> Vec<String> {
    let mut parts = vec![];
    let (mut start, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        if c == '\'' {
            quoted = !quoted;
        }
        // Separators that share a space are one: what begins before `start` belongs to the one already cut at.
        if !quoted && at >= start && text[at..].starts_with(" AND ") {
            parts.push(text[start..at].trim().to_owned());
            start = at + " AND ".len();
        }
    }
    if start <= text.len() {
        parts.push(text.get(start..).unwrap_or_default().trim().to_owned());
    }
    parts
}

impl Condition {
    fn parse(text: &str) -> Result<Self, InvalidQuery> {
        if let Some(key) = text.strip_suffix(" EXISTS") {
            return Ok(Self { key: key.trim().to_owned(), test: Test::Exists });
        }
        if let Some((key, value)) = text.split_once(" CONTAINS ") {
            let value = unquote(value.trim()).ok_or_else(|| InvalidQuery::Value(text.to_owned()))?;
            return Ok(Self { key: key.trim().to_owned(), test: Test::Contains(value) });
        }
        let operator = text.find(['=', '<', '>']).ok_or_else(|| InvalidQuery::NoOperator(text.to_owned()))?;
        let (key, rest) = text.split_at(operator);
        let test = Test::parse(rest).ok_or_else(|| InvalidQuery::Value(text.to_owned()))?;
        Ok(Self { key: key.trim().to_owned(), test })
    }

    fn holds(&self, tags: &Tags) -> bool {
        let Some(values) = tags.get(&self.key) else { return false };
        values.iter().any(|value| match &self.test {
            Test::Exists => true,
            Test::Contains(part) => value.contains(part.as_str()),
            Test::Equals(wanted) => value == wanted,
            Test::Compare(comparison, wanted) => {
                value.parse::<i128>().is_ok_and(|value| comparison.holds(value, *wanted))
            }
        })
    }
}

impl Test {
    fn parse(text: &str) -> Option<Self> {
        for (operator, comparison) in [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ] {
            if let Some(value) = text.strip_prefix(operator) {
                return value.trim().parse().ok().map(|number| Self::Compare(comparison, number));
            }
        }
        let value = text.strip_prefix('=')?.trim();
        match unquote(value) {
            Some(text) => Some(Self::Equals(text)),
            None => value.parse::<i128>().ok().map(|number| Self::Equals(number.to_string())),
        }
    }
}

impl Comparison {
    fn holds(self, value: i128, wanted: i128) -> bool {
        match self {
            Self::Less => value < wanted,
            Self::LessOrEqual => value <= wanted,
            Self::Greater => value > wanted,
            Self::GreaterOrEqual => value >= wanted,
        }
    }
}

fn unquote(text: &str) -> Option<String> {
    text.strip_prefix('\'')?.strip_suffix('\'').map(str::to_owned)
}

/// Answers `tx_search`.
pub(crate) fn tx_search(core: &Core, params: &Params) -> Result<Value, RpcError> {
    let query = asked_query(params)?;
    let mut found: Vec<(u64, usize)> = vec![];
    match query.fixed("tx.hash") {
        Some(hash) => found.extend(find_by_hash(core, hash)?),
        None => visit_blocks(core, query.heights("tx.height", core.height()), |height, record| {
            let matching = |index: &usize| query.matches(&form::tx_tags(height, *index, record));
            found.extend((0..record.txs.len()).filter(matching).map(|index| (height, index)));
        })?,
    }
    let (page, total) = page_of(found, params)?;
    let txs = page.into_iter().map(|(height, index)| {
        let record = core.block(height)?;
        Ok(record.and_then(|record| form::tx(height, index, &record)).unwrap_or(Value::Null))
    });
    Ok(json!({"txs": txs.collect::<Result<Vec<_>, Broken>>()?, "total_count": total.to_string()}))
}

/// Answers `block_search`.
pub(crate) fn block_search(core: &Core, params: &Params) -> Result<Value, RpcError> {
    let query = asked_query(params)?;
    let mut found = vec![];
    visit_blocks(core, query.heights("block.height", core.height()), |height, record| {
        let mut tags = form::tags(&record.events);
        tags.insert("block.height".into(), vec![height.to_string()]);
        if query.matches(&tags) {
            found.push((height, 0));
        }
    })?;
    let (page, total) = page_of(found, params)?;
    let mut blocks = vec![];
    for (height, _) in page {
        if let Some(record) = core.block(height)? {
            let previous = core.block(height.saturating_sub(1))?;
            blocks.push(json!({
                "block_id": form::block_id(&record)?,
                "block": form::block(&record, previous.as_ref())?,
            }));
        }
    }
    Ok(json!({"blocks": blocks, "total_count": total.to_string()}))
}

fn asked_query(params: &Params) -> Result<Query, RpcError> {
    let text = params.text("query")?.ok_or_else(|| RpcError::invalid_params("query is missing"))?;
    Query::parse(&text).map_err(|err| RpcError::internal(format!("failed to parse query: {err}")))
}

fn find_by_hash(core: &Core, hash: &str) -> Result<Option<(u64, usize)>, RpcError> {
    let Ok(hash) = hex::decode(hash) else { return Ok(None) };
    let place = core.place(&hash)?;
    Ok(place.map(|place| (place.height, usize::try_from(place.index).unwrap_or(usize::MAX))))
}

fn visit_blocks(
    core: &Core,
    (low, high): (u64, u64),
    mut visit: impl FnMut(u64, &crate::node::ledger::BlockRecord),
) -> Result<(), Broken> {
    for height in low..=high {
        if let Some(record) = core.block(height)? {
            visit(height, &record);
        }
    }
    Ok(())
}

type Places = Vec<(u64, usize)>;

fn page_of(mut found: Places, params: &Params) -> Result<(Places, usize), RpcError> {
    match params.text("order_by")?.as_deref() {
        None | Some("" | "asc") => {}
        Some("desc") => found.reverse(),
        Some(_) => return Err(RpcError::internal("expected order_by to be either `asc` or `desc` or empty")),
    }
    let per_page = params.number("per_page")?.unwrap_or(DEFAULT_PER_PAGE).clamp(1, MAX_PER_PAGE);
    let page = params.number("page")?.unwrap_or(1);
    let total = found.len();
    let pages = u64::try_from(total).unwrap_or(u64::MAX).div_ceil(per_page).max(1);
    if page == 0 || page > pages {
        return Err(RpcError::internal(format!("page should be within [1, {pages}] range, given {page}")));
    }
    let per_page = usize::try_from(per_page).unwrap_or(usize::MAX);
    let skip = usize::try_from(page - 1).unwrap_or(usize::MAX).saturating_mul(per_page);
    Ok((found.into_iter().skip(skip).take(per_page).collect(), total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags() -> Tags {
        Tags::from([
            ("tm.event".to_owned(), vec!["Tx".to_owned()]),
            ("tx.height".to_owned(), vec!["7".to_owned()]),
            ("a.E.state".to_owned(), vec!["\"ACTIVE\"".to_owned(), "x AND y".to_owned()]),
        ])
    }

    #[test]
    fn conditions_are_joined_and_quotes_protect_their_content() {
        for (query, expected) in [
            ("tm.event='Tx'", true),
            ("tm.event = 'Tx' AND tx.height>6", true),
            ("tx.height>=8", false),
            ("tx.height=7", true),
            ("tx.height = '7'", true),
            ("tx.height<7", false),
            ("a.E.state = '\"ACTIVE\"'", true),
            ("a.E.state = 'x AND y' AND tm.event='Tx'", true),
            ("a.E.state CONTAINS 'ACT'", true),
            ("a.E.state EXISTS", true),
            ("a.E.other EXISTS", false),
        ] {
            assert_eq!(Query::parse(query).unwrap().matches(&tags()), expected, "{query}");
        }
    }

    #[test]
    fn height_bounds_limit_the_scan() {
        for (query, bounds) in [
            ("tm.event='Tx'", (1, 50)),
            ("tx.height=7", (7, 7)),
            ("tx.height>7 AND tx.height<=9", (8, 9)),
            ("tx.height>=60", (60, 50)),
            (&format!("tx.height>{}", i128::MAX), (u64::MAX, 50)),
            (&format!("tx.height<{}", i128::MIN), (1, 0)),
        ] {
            assert_eq!(Query::parse(query).unwrap().heights("tx.height", 50), bounds, "{query}");
        }
    }

    #[test]
    fn separators_that_share_a_space_cut_once() {
        assert_eq!(split_conditions("a=1 AND AND b=2"), ["a=1", "AND b=2"]);
        assert_eq!(split_conditions("a=1 AND  AND b=2"), ["a=1", "", "b=2"]);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for bad in ["", "abc", "a=b", "a>'x'", &"x".repeat(600)] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }

    /// Texts of the language's own tokens in any order.
    fn sentence() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            prop::sample::select(vec![
                " AND ",
                "AND",
                " ",
                "'",
                "=",
                "<",
                "<=",
                ">",
                ">=",
                " CONTAINS ",
                " EXISTS",
                "tx.height",
                "tm.event",
                "'Tx'",
                "-1",
                "0",
                "é",
            ])
            .prop_map(str::to_owned),
            prop::sample::select(vec![i128::MIN, i128::MAX, 7]).prop_map(|number| number.to_string()),
        ];
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop_oneof![sentence(), "\\PC*"]) {
            if let Ok(query) = Query::parse(&text) {
                let _ = (query.matches(&tags()), query.heights("tx.height", 5));
            }
        }
    }
}
