//! What the terminal shows: one line per thing that happened, with the seconds since the start.
//!
//! ```text
//! ── Three stakes ───────────────────────────────────────────────────────────────
//!    3.7s   staker-a       stakes 0.50000000 BTC for 10000 blocks with provider-1
//!    4.0s ✓ stake A        is registered (0.3s)
//!           tx b17ee72c851567eb1f1fab0a66429dd6d9b9c1fcccf22d9a5052094d63907d7e
//! ```
//!
//! A tick stands before what was checked; how long that took to become true stands behind it.
//!
//! Colours only on a terminal, and not when `NO_COLOR` is set.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Columns of the name of who does something.
const WHO: usize = 14;
/// Columns of a heading's rule.
const RULE: usize = 76;
/// Shorter waits are not shown.
const WORTH_TELLING: Duration = Duration::from_millis(50);

/// The story as it is told. Shared by reference; a line is written whole.
pub struct Timeline {
    started: Instant,
    out: Mutex<Box<dyn Write + Send>>,
    colour: bool,
}

/// Where a timeline is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// For people who run the command.
    Stdout,
    /// Progress beside a result on standard output.
    Stderr,
}

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Green,
    Red,
}

impl Timeline {
    /// A timeline that begins now.
    pub fn new(target: Target) -> Self {
        let (out, terminal): (Box<dyn Write + Send>, bool) = match target {
            Target::Stdout => (Box::new(io::stdout()), io::stdout().is_terminal()),
            Target::Stderr => (Box::new(io::stderr()), io::stderr().is_terminal()),
        };
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { started: Instant::now(), out: Mutex::new(out), colour: terminal && !unwanted }
    }

    /// A timeline without colours that begins now.
    #[cfg(test)]
    pub(crate) fn written_to(out: impl Write + Send + 'static) -> Self {
        Self { started: Instant::now(), out: Mutex::new(Box::new(out)), colour: false }
    }

    /// Time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A line as it is.
    pub fn line(&self, text: &str) {
        self.write(text);
    }

    /// Begins a chapter.
    pub fn heading(&self, text: &str) {
        let rule = "─".repeat(RULE.saturating_sub(text.chars().count()));
        self.write(&format!(
            "\n{} {}",
            self.paint(Style::Bold, &format!("── {text}")),
            self.paint(Style::Dim, &rule)
        ));
    }

    /// Something that is done.
    pub fn event(&self, who: &str, what: impl fmt::Display) {
        self.write(&format!("{}   {} {what}", self.clock(), self.who(who)));
    }

    /// Something more about the line above.
    pub fn detail(&self, what: impl fmt::Display) {
        self.write(&format!("{:10}{}", "", self.paint(Style::Dim, &what.to_string())));
    }

    /// Something that was checked and holds; `waited` is how long it took.
    pub fn holds(&self, who: &str, what: impl fmt::Display, waited: Duration) {
        let waited = if waited < WORTH_TELLING {
            String::new()
        } else {
            self.paint(Style::Dim, &format!(" ({})", seconds(waited)))
        };
        self.write(&format!(
            "{} {} {} {what}{waited}",
            self.clock(),
            self.paint(Style::Green, "✓"),
            self.who(who)
        ));
    }

    /// Something that was checked and does not hold.
    pub fn fails(&self, who: &str, what: impl fmt::Display) {
        self.write(&format!("{} {} {} {what}", self.clock(), self.paint(Style::Red, "✗"), self.who(who)));
    }

    fn clock(&self) -> String {
        self.paint(Style::Dim, &format!("{:>7}", seconds(self.elapsed())))
    }

    fn who(&self, who: &str) -> String {
        self.paint(Style::Bold, &format!("{who:WHO$}"))
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Red => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn write(&self, line: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads any more; the facts are checked all the same.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// A duration in seconds with one decimal.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Arc;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn names_and_texts_stand_in_columns() {
        let page = Page::default();
        let timeline = Timeline::written_to(page.clone());
        timeline.heading("Three stakes");
        timeline.event("staker-a", "stakes");
        timeline.holds("stake A", "is registered", Duration::ZERO);
        timeline.holds("staking chain", "is slow", Duration::from_millis(1_250));
        timeline.fails("stake B", "is active");
        timeline.detail("tx 00");
        let rule = "─".repeat(RULE - "Three stakes".len());
        let expected = format!(
            "\n── Three stakes {rule}\n   0.0s   staker-a       stakes\n   0.0s ✓ stake A        is registered\n   \
             0.0s ✓ staking chain  is slow (1.2s)\n   0.0s ✗ stake B        is active\n          tx 00\n"
        );
        assert_eq!(page.text(), expected);
    }
}
