//! The query language of subscriptions and searches.
//!
//! A query is a conjunction of conditions: `tm.event='Tx' AND message.action='/x.MsgY' AND tx.height>5`. Operators are
//! `=`, `<`, `<=`, `>`, `>=`, `CONTAINS` and `EXISTS`. What is compared is a quoted text or a number, with or without a
//! fraction; dates and times are not known. As in CometBFT 0.38, a subscription's conditions may be met by different
//! events, and a search's must be met by one event together.

use super::form::Tags;
use crate::event::Event;
use std::cmp::Ordering;
use thiserror::Error;

/// Longest query accepted.
const MAX_QUERY: usize = 512;

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query(Vec<Condition>);

/// One condition: a composite key `type.key` and what must hold of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) key: String,
    pub(crate) test: Test,
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// That it is there.
    Exists,
    /// That it holds this text.
    Contains(String),
    /// That it is this text; a number is its text.
    Equals(String),
    /// How it compares with a number.
    Compare(Comparison, Number),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A decimal number of any size, without needless zeros: sign, digits before the point, digits behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    whole: String,
    fraction: String,
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

    /// Whether each condition holds of some tag: what a subscription asks.
    pub(crate) fn matches(&self, tags: &Tags) -> bool {
        self.0.iter().all(|condition| {
            let values = tags.get(&condition.key);
            values.is_some_and(|values| values.iter().any(|value| condition.test.holds(value)))
        })
    }

    /// The conditions but those on `key`.
    pub(crate) fn without(&self, key: &str) -> Vec<&Condition> {
        self.0.iter().filter(|condition| condition.key != key).collect()
    }

    /// The one value a key must equal, if the query says so.
    pub(crate) fn fixed(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|condition| match &condition.test {
            Test::Equals(value) if condition.key == key => Some(value.as_str()),
            _ => None,
        })
    }

    /// Heights up to `tip` that the query can match, inclusive; an empty range where there are none.
    pub(crate) fn heights(&self, key: &str, tip: u64) -> (u64, u64) {
        let (mut low, mut high) = (1, tip);
        for condition in self.0.iter().filter(|condition| condition.key == key) {
            match &condition.test {
                Test::Equals(value) => match value.parse::<u64>() {
                    Ok(height) => (low, high) = (low.max(height), high.min(height)),
                    Err(_) => high = 0,
                },
                Test::Compare(comparison, number) => {
                    let (whole, exact) = number.floor();
                    match (comparison, whole) {
                        (Comparison::Less, Some(n)) if exact => high = high.min(n.saturating_sub(1)),
                        (Comparison::Less | Comparison::LessOrEqual, Some(n)) => high = high.min(n),
                        (Comparison::Less | Comparison::LessOrEqual, None) => high = 0,
                        (Comparison::GreaterOrEqual, Some(n)) if exact => low = low.max(n),
                        (Comparison::Greater | Comparison::GreaterOrEqual, Some(n)) => {
                            low = low.max(n.saturating_add(1));
                        }
                        (Comparison::Greater | Comparison::GreaterOrEqual, None) => {}
                    }
                }
                Test::Exists | Test::Contains(_) => {}
            }
        }
        (low, high)
    }
}

/// Whether one event meets all conditions.
pub(crate) fn meets(event: &Event, conditions: &[&Condition]) -> bool {
    conditions.iter().all(|condition| {
        let key = condition.key.strip_prefix(event.kind.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let values = event.attributes.iter().filter(|attribute| Some(attribute.key.as_str()) == key);
        values.into_iter().any(|attribute| condition.test.holds(&attribute.value))
    })
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
                return Number::parse(value.trim()).map(|number| Self::Compare(comparison, number));
            }
        }
        let value = text.strip_prefix('=')?.trim();
        match unquote(value) {
            Some(text) => Some(Self::Equals(text)),
            None => Number::parse(value).map(|_| Self::Equals(value.to_owned())),
        }
    }

    /// Whether it holds of a value.
    pub(crate) fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::Contains(part) => value.contains(part.as_str()),
            Self::Equals(wanted) => value == wanted,
            Self::Compare(comparison, wanted) => {
                Number::parse(value).is_some_and(|value| comparison.accepts(value.compare(wanted)))
            }
        }
    }
}

impl Comparison {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || fraction.is_some_and(|fraction| !are_digits(fraction)) {
            return None;
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.unwrap_or_default().trim_end_matches('0').to_owned();
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole.clone(), number.fraction.clone());
        match (self.negative, other.negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
        }
    }

    /// The largest height not above it, saturating, and whether it is that height exactly; `None` below 0.
    fn floor(&self) -> (Option<u64>, bool) {
        if self.negative {
            return (None, false);
        }
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        match whole.parse() {
            Ok(height) => (Some(height), self.fraction.is_empty()),
            Err(_) => (Some(u64::MAX), false),
        }
    }
}

fn unquote(text: &str) -> Option<String> {
    text.strip_prefix('\'')?.strip_suffix('\'').map(str::to_owned)
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
            ("tx.height<7.1 AND tx.height>6.9 AND tx.height>-1", true),
            ("a.E.state = '\"ACTIVE\"'", true),
            ("a.E.state = 'x AND y' AND tm.event='Tx'", true),
            ("a.E.state CONTAINS 'ACT'", true),
            ("a.E.state EXISTS", true),
            ("a.E.other EXISTS", false),
            ("a.E.state > 1", false),
        ] {
            assert_eq!(Query::parse(query).unwrap().matches(&tags()), expected, "{query}");
        }
    }

    #[test]
    fn a_search_wants_all_of_it_from_one_event() {
        let event = Event::plain("a.E", &[("x", "1"), ("y", "2"), ("x", "3")]);
        for (query, expected) in [
            ("a.E.x='1' AND a.E.y='2'", true),
            ("a.E.x='3'", true),
            ("a.E.x>=3 AND a.E.y<3", true),
            ("a.E.x='2'", false),
            ("a.E.x='1' AND b.E.y='2'", false),
            ("a.E='1'", false),
            ("a.E. EXISTS", false),
        ] {
            assert_eq!(
                meets(&event, &Query::parse(query).unwrap().without("tx.height")),
                expected,
                "{query}"
            );
        }
    }

    #[test]
    fn height_bounds_limit_the_scan() {
        let huge = format!("tx.height>{}", i128::MAX);
        for (query, bounds) in [
            ("tm.event='Tx'", (1, 50)),
            ("tx.height=7", (7, 7)),
            ("tx.height='x'", (1, 0)),
            ("tx.height>7 AND tx.height<=9", (8, 9)),
            ("tx.height>=6.5 AND tx.height<9.5", (7, 9)),
            ("tx.height>=60", (60, 50)),
            ("tx.height>-3", (1, 50)),
            (&huge, (u64::MAX, 50)),
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
        for bad in ["", "abc", "a=b", "a>'x'", "a=1.", "a=.1", "a>--1", &"x".repeat(600)] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }

    /// Texts of the language's own tokens in any order.
    fn sentence() -> impl Strategy<Value = String> {
        let tokens = vec![
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
            ".",
            "é",
        ];
        let token = prop_oneof![
            prop::sample::select(tokens).prop_map(str::to_owned),
            prop::sample::select(vec![i128::MIN, i128::MAX, 7]).prop_map(|number| number.to_string()),
        ];
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop_oneof![sentence(), "\\PC*"]) {
            if let Ok(query) = Query::parse(&text) {
                let event = Event::plain("tm", &[("event", "Tx")]);
                let _ = (query.matches(&tags()), query.heights("tx.height", 5), meets(&event, &query.without("")));
            }
        }

        #[test]
        fn numbers_compare_as_numbers(a in any::<i64>(), b in any::<i64>(), c in 0..1_000u32, d in 0..1_000u32) {
            let number = |whole: i64, part: u32| Number::parse(&format!("{whole}.{part:03}")).unwrap();
            let scaled = |whole: i64, part: u32| {
                let size = i128::from(whole.unsigned_abs()) * 1_000 + i128::from(part);
                if whole < 0 { -size } else { size }
            };
            prop_assert_eq!(number(a, c).compare(&number(b, d)), scaled(a, c).cmp(&scaled(b, d)));
            prop_assert_eq!(number(a, c).compare(&number(a, d)), scaled(a, c).cmp(&scaled(a, d)));
        }
    }
}
