//! Exit codes, and how a failure is shown to people and to scripts.
//!
//! A `main` is one call of [`run`] around a function that returns [`Failure`] for whatever went wrong:
//!
//! ```
//! use btc_staking_daemon::cli::{self, Exit, FailWith, Output};
//!
//! fn program() -> Result<(), cli::Failure> {
//!     let _port: u16 = "80".parse().fail_with(Exit::Usage)?;
//!     Ok(())
//! }
//! let code = cli::run(Output::Text, program); // what `main` returns
//! # assert_eq!(code, std::process::ExitCode::SUCCESS);
//! ```

use crate::config::set_flag;
use serde_json::json;
use std::{
    error::Error,
    fmt,
    future::Future,
    io::Write as _,
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::ExitCode,
};

/// How a command ended. The numbers are part of the interface and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: what was asked for is done.
    Done,
    /// 1: a failure that has no code of its own.
    Failure,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: a safety rule forbids what was asked for.
    Refused,
    /// 4: not possible yet; the same command will work later.
    NotReady,
    /// 5: a node or chain cannot be reached.
    Unreachable,
    /// 6: a chain rejected the transaction.
    Rejected,
    /// 7: the user said no.
    Declined,
    /// 8: the data directory is in use by another process.
    Locked,
    /// 9: some of it is done, some is not.
    Partial,
    /// 70: a bug in this program.
    Bug,
}

/// A failure on its way to the end of `main`: what went wrong, and the exit code that says so.
///
/// Any error turns into one with [`Exit::Failure`]; [`FailWith`] chooses another code.
#[derive(Debug)]
pub struct Failure {
    /// The code the process ends with.
    pub exit: Exit,
    /// What went wrong.
    pub error: Box<dyn Error + Send + Sync>,
}

/// What went wrong stands in the output already; only the exit code is left to tell.
#[derive(Debug, thiserror::Error)]
#[error("told already")]
pub struct AlreadyTold;

/// Gives a result's error an exit code.
pub trait FailWith<T> {
    /// Turns the error into a [`Failure`] that ends the process with `exit`.
    ///
    /// # Errors
    /// The error of `self`.
    fn fail_with(self, exit: Exit) -> Result<T, Failure>;
}

/// For whom output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For people; failures go to standard error.
    Text,
    /// For scripts; a failure is one JSON object on standard output.
    Json,
}

impl Exit {
    /// Every way to end.
    pub const ALL: [Exit; 11] = [
        Exit::Done,
        Exit::Failure,
        Exit::Usage,
        Exit::Refused,
        Exit::NotReady,
        Exit::Unreachable,
        Exit::Rejected,
        Exit::Declined,
        Exit::Locked,
        Exit::Partial,
        Exit::Bug,
    ];

    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotReady => 4,
            Self::Unreachable => 5,
            Self::Rejected => 6,
            Self::Declined => 7,
            Self::Locked => 8,
            Self::Partial => 9,
            Self::Bug => 70,
        }
    }

    /// The word for it in JSON output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::NotReady => "not_ready",
            Self::Unreachable => "unreachable",
            Self::Rejected => "rejected",
            Self::Declined => "declined",
            Self::Locked => "locked",
            Self::Partial => "partial",
            Self::Bug => "bug",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into() }
    }

    /// The error's message and those of its sources, outermost first.
    pub fn chain(&self) -> Vec<String> {
        let first: &(dyn Error + 'static) = self.error.as_ref();
        let mut chain: Vec<String> =
            std::iter::successors(Some(first), |&error| error.source()).map(ToString::to_string).collect();
        // Wrappers that only repeat their source tell nothing twice.
        chain.dedup();
        chain
    }

    /// The failure as scripts read it:
    /// `{"error": {"kind", "exit_code", "message", "causes": [...]}}`.
    pub fn to_json(&self) -> serde_json::Value {
        let chain = self.chain();
        json!({"error": {
            "kind": self.exit.word(),
            "exit_code": self.exit.code(),
            "message": chain.first(),
            "causes": chain.get(1..).unwrap_or_default(),
        }})
    }

    /// Writes the failure where `output` wants it, unless it was told already.
    pub fn print(&self, output: Output) {
        if self.error.is::<AlreadyTold>() {
            return;
        }
        // A closed pipe leaves nobody to tell; the exit code still does.
        let _ = match output {
            Output::Text => write!(std::io::stderr().lock(), "{self}"),
            Output::Json => writeln!(std::io::stdout().lock(), "{}", self.to_json()),
        };
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, message) in self.chain().iter().enumerate() {
            let start = if depth == 0 { "error" } else { "  because" };
            writeln!(f, "{start}: {message}")?;
        }
        Ok(())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failure, error)
    }
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> FailWith<T> for Result<T, E> {
    fn fail_with(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

/// Parses the arguments (the first is the program's name) and runs the program with them; what `main` returns.
///
/// `output` says from the parsed arguments for whom output is written.
pub fn parse_and_run<C: clap::Parser>(
    args: impl IntoIterator<Item = std::ffi::OsString>,
    output: impl FnOnce(&C) -> Output,
    program: impl FnOnce(C, Output) -> Result<(), Failure>,
) -> ExitCode {
    let parsed = match C::try_parse_from(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Writing fails only when nobody reads; the code still tells.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let output = output(&parsed);
    run(output, panic::AssertUnwindSafe(|| program(parsed, output)))
}

/// Runs a program, prints how it failed, and returns the exit code for `main`. A panic ends it with [`Exit::Bug`];
/// its message and place have already been printed by the panic handler.
pub fn run(output: Output, program: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    // Nothing of the program is looked at after a panic.
    let failure = match panic::catch_unwind(AssertUnwindSafe(program)) {
        Ok(Ok(())) => return Exit::Done.into(),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(Exit::Bug, "a bug in this program, please report it with the message above"),
    };
    failure.print(output);
    failure.exit.into()
}

/// Runs what awaits, on a runtime of as many threads as there are cores.
///
/// # Errors
/// What the work says, or that there is no runtime.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The values of a daemon's configuration that every daemon lets a flag replace.
#[derive(Debug, Default, clap::Args)]
pub struct DaemonFlags {
    /// Where records are kept.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Where /metrics, /healthz, /readyz and /status are served.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// How often the chains are looked at, in milliseconds.
    #[arg(long)]
    pub poll_interval_ms: Option<u32>,
}

impl DaemonFlags {
    /// The flags that were given, as a layer of the configuration.
    pub fn to_table(&self) -> toml::Table {
        let mut flags = toml::Table::new();
        let data_dir = self.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
        set_flag(&mut flags, "data_dir", data_dir);
        set_flag(&mut flags, "listen", self.listen.map(|address| address.to_string()));
        set_flag(&mut flags, "poll_interval_ms", self.poll_interval_ms.map(i64::from));
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, io};
    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("cannot read the vote")]
    struct Outer(#[source] io::Error);

    fn failure() -> Failure {
        Failure::new(Exit::Locked, Outer(io::Error::other("disk on fire")))
    }

    #[test]
    fn codes_are_as_documented_and_all_different() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70]);
        assert_eq!(Exit::ALL.iter().map(|exit| exit.word()).collect::<BTreeSet<_>>().len(), Exit::ALL.len());
    }

    #[test]
    fn a_failure_shows_its_causes_one_by_one() {
        assert_eq!(failure().to_string(), "error: cannot read the vote\n  because: disk on fire\n");
        let expected = json!({"error": {
            "kind": "locked", "exit_code": 8, "message": "cannot read the vote", "causes": ["disk on fire"],
        }});
        assert_eq!(failure().to_json(), expected);
    }

    #[test]
    fn the_exit_code_is_the_failures_and_a_panic_is_a_bug() {
        assert_eq!(run(Output::Text, || Err(failure())), Exit::Locked.into());
        assert_eq!(run(Output::Text, || Err(io::Error::other("plain").into())), Exit::Failure.into());
        assert_eq!(run(Output::Text, || panic!("on purpose, for a test")), Exit::Bug.into());
        assert_eq!(run(Output::Text, || Ok(())), Exit::Done.into());
    }
}
