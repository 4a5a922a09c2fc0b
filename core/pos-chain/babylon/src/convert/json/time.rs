//! Times and durations.

use super::{Form, quote, text};
use crate::{
    convert::{InvalidField, Problem, Result, decimal::decode_integer},
    proto::{Duration, Timestamp},
};
use cosmrs::tendermint::Time;
use serde_json::Value;

/// A time: RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second.
#[derive(Debug)]
pub struct Instant;
impl Form for Instant {
    type Field = Option<Timestamp>;
    fn print(field: &Option<Timestamp>) -> String {
        field.as_ref().and_then(print_time).map_or_else(|| "null".to_owned(), |text| quote(&text))
    }
    fn read(name: &str, value: &Value) -> Result<Option<Timestamp>> {
        if value.is_null() {
            return Ok(None);
        }
        let text = text(name, "a time", value)?;
        let invalid = |reason: &dyn std::fmt::Display| {
            InvalidField::new(name, Problem::Consensus { what: "time", reason: reason.to_string() })
        };
        let time = Time::parse_from_rfc3339(text).map_err(|error| invalid(&error))?;
        let nanos = time.unix_timestamp_nanos().rem_euclid(1_000_000_000);
        let time = Timestamp {
            seconds: time.unix_timestamp(),
            nanos: i32::try_from(nanos).map_err(|error| invalid(&error))?,
        };
        match print_time(&time) {
            Some(printed) if printed == text => Ok(Some(time)),
            _ => Err(invalid(&"the chain writes UTC with Z and 0, 3, 6 or 9 digits of a second")),
        }
    }
}

/// `None` for what is no time.
fn print_time(time: &Timestamp) -> Option<String> {
    let nanos = u32::try_from(time.nanos).ok()?;
    let whole = Time::from_unix_timestamp(time.seconds, 0).ok()?.to_rfc3339();
    let whole = whole.strip_suffix('Z')?;
    (nanos < 1_000_000_000).then(|| format!("{whole}{}Z", fraction(nanos)))
}

/// A duration: seconds with 0, 3, 6 or 9 digits behind the point, and an `s`.
#[derive(Debug)]
pub struct Span;
impl Form for Span {
    type Field = Option<Duration>;
    fn print(field: &Option<Duration>) -> String {
        field.as_ref().map_or_else(|| "null".to_owned(), |span| quote(&print_span(span)))
    }
    fn read(name: &str, value: &Value) -> Result<Option<Duration>> {
        if value.is_null() {
            return Ok(None);
        }
        let text = text(name, "a duration", value)?;
        let span = read_span(text).filter(|span| print_span(span) == text);
        span.map(Some).ok_or_else(|| InvalidField::new(name, Problem::Duration(text.to_owned())))
    }
}

fn print_span(span: &Duration) -> String {
    let sign = if span.seconds < 0 || span.nanos < 0 { "-" } else { "" };
    format!("{sign}{}{}s", span.seconds.unsigned_abs(), fraction(span.nanos.unsigned_abs()))
}

fn read_span(text: &str) -> Option<Duration> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let digits = digits.strip_suffix('s')?;
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let seconds = i64::try_from(decode_integer("", whole).ok()?).ok()?;
    let nanos: i32 = if rest.is_empty() { 0 } else { format!("{rest:0<9}").parse().ok()? };
    let fits = rest.len() <= 9 && rest.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(Duration { seconds: sign * seconds, nanos: i32::try_from(sign).ok()? * nanos })
}

/// The digits of a part of a second, with their point: none, 3, 6 or 9.
fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        _ if nanos.is_multiple_of(1_000_000) => format!(".{:03}", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1_000) => format!(".{:06}", nanos / 1_000),
        _ => format!(".{nanos:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_has_3_6_or_9_digits() {
        let time = |seconds, nanos| Some(Timestamp { seconds, nanos });
        let rows = [
            (time(0, 0), "1970-01-01T00:00:00Z"),
            (time(1_700_000_000, 0), "2023-11-14T22:13:20Z"),
            (time(1_700_000_000, 120_000_000), "2023-11-14T22:13:20.120Z"),
            (time(1_700_000_000, 120), "2023-11-14T22:13:20.000000120Z"),
            (time(1_700_000_000, 123_000), "2023-11-14T22:13:20.000123Z"),
            (time(-62_135_596_800, 0), "0001-01-01T00:00:00Z"),
        ];
        for (time, shown) in rows {
            assert_eq!(Instant::print(&time), format!("\"{shown}\""));
            assert_eq!(Instant::read("time", &shown.into()), Ok(time), "{shown}");
        }
        let wrong =
            ["", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20.1Z", "2023-11-14T22:13:20.000Z"];
        for wrong in wrong.into_iter().chain(["2023-11-14T22:13:20+01:00", "2023-11-14t22:13:20z"]) {
            assert!(Instant::read("time", &wrong.into()).is_err(), "{wrong}");
        }
        assert_eq!(Instant::read("time", &Value::Null), Ok(None));
        assert_eq!(Instant::print(&time(0, 1_000_000_000)), "null", "no time");
    }

    #[test]
    fn a_duration_is_seconds_with_an_s() {
        let span = |seconds, nanos| Some(Duration { seconds, nanos });
        let rows = [
            (span(600, 0), "600s"),
            (span(0, 0), "0s"),
            (span(1, 500_000_000), "1.500s"),
            (span(-1, -500_000_000), "-1.500s"),
            (span(0, -1), "-0.000000001s"),
        ];
        for (span, shown) in rows {
            assert_eq!(Span::print(&span), format!("\"{shown}\""));
            assert_eq!(Span::read("jail_duration", &shown.into()), Ok(span), "{shown}");
        }
        for wrong in ["", "600", "s", "600 s", "10m", "0600s", "+1s", "1.5s", "1.s", "-0s", "1.0000000001s"] {
            let error = Span::read("jail_duration", &wrong.into()).unwrap_err();
            assert_eq!(error.problem, Problem::Duration(wrong.to_owned()));
        }
    }
}
