//! Logging: to standard error, as text for people or JSON lines for collectors.
//!
//! Standard output belongs to a command's result and is never logged to.

use serde::{Deserialize, Serialize};
use std::{env, io, io::IsTerminal};
use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, util::SubscriberInitExt};

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people. Coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how. Can be a section of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogOptions {
    /// Form of a line.
    pub format: LogFormat,
    /// Directives such as `info` or `warn,slasher=debug`.
    pub filter: String,
}

/// Why logging could not be started.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter {filter:?} is invalid, it must look like \"info\" or \"warn,slasher=debug\"")]
    Filter {
        /// The filter given.
        filter: String,
        /// What does not parse.
        source: ParseError,
    },
    /// A logger is already there.
    #[error("logging has already been started")]
    AlreadyStarted,
}

impl Default for LogOptions {
    /// Text at level `info`.
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Starts logging for this process. A process that has a logger keeps it: it runs this program among others.
///
/// # Errors
/// [`TelemetryError`] when the filter does not parse or another thread starts logging at the same time.
pub fn init(options: &LogOptions) -> Result<(), TelemetryError> {
    let filter = parse_filter(&options.filter)?;
    if tracing::dispatcher::has_been_set() {
        return Ok(());
    }
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    let colour =
        wants_colour(io::stderr().is_terminal(), env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()));
    let started = match options.format {
        LogFormat::Text => builder.with_ansi(colour).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|_| TelemetryError::AlreadyStarted)
}

fn parse_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|source| TelemetryError::Filter { filter: text.to_owned(), source })
}

fn wants_colour(on_terminal: bool, no_color: bool) -> bool {
    on_terminal && !no_color
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_does_not_parse_is_named() {
        assert!(parse_filter("warn,slasher=debug").is_ok());
        let error = parse_filter("slasher=loud").unwrap_err();
        assert!(error.to_string().contains("slasher=loud"), "{error}");
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        assert!(wants_colour(true, false));
        assert!(!wants_colour(true, true) && !wants_colour(false, false));
    }
}
