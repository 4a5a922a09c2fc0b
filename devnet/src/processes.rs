//! Child processes that never outlive the devnet.
//!
//! Each child is started through the devnet's own `leash` command, which asks the kernel (on Linux) to end it when its
//! parent dies, however that happens, and then becomes the program. Besides that, dropping a [`Process`] ends it: first
//! by SIGTERM, then for good. A child runs in a process group of its own, so that Ctrl-C reaches the devnet alone, which
//! then stops everything in order.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use thiserror::Error;

/// How long a process may take to end by itself.
const DRAIN: Duration = Duration::from_secs(10);
/// Between two looks at a process that is ending.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 20;
/// Bytes of a log that are looked at for its last lines.
const TAIL_BYTES: u64 = 8_192;

/// Why a process could not be started or went away.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// It cannot be started.
    #[error("cannot start {name} ({})", .program.display())]
    Start {
        /// Its name.
        name: String,
        /// The program.
        program: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It ended while it should run.
    #[error("{name} ended by itself with {status}; the end of {}:\n{tail}", .log.display())]
    Ended {
        /// Its name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
}

/// A running child process. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

/// What to start: a program and its arguments.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
}

impl Invocation {
    /// A command for it, on a leash. Input is empty.
    ///
    /// # Errors
    /// When the system does not tell where this executable is.
    pub fn command(&self) -> io::Result<Command> {
        let [program, args @ ..] = leash_words()?;
        let mut command = Command::new(program);
        command.args(args).arg(&self.program).args(&self.args).stdin(Stdio::null());
        Ok(command)
    }
}

/// The words that, before a program and its arguments, put it on a leash: this executable's `leash` command.
///
/// Linux ties a process to the thread that started it, so start it from one that lives as long as the devnet.
///
/// # Errors
/// When the system does not tell where this executable is.
pub fn leash_words() -> io::Result<[OsString; 4]> {
    let parent = std::process::id().to_string();
    Ok([std::env::current_exe()?.into(), "leash".into(), parent.into(), "--".into()])
}

impl Process {
    /// Starts a program with its output going to the file `log`.
    ///
    /// # Errors
    /// [`ProcessError::Start`].
    pub fn start(name: &str, invocation: &Invocation, log: &Path) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start {
            name: name.to_owned(),
            program: invocation.program.clone(),
            source,
        };
        Self::spawn(name, invocation.command().map_err(failed)?, log)
    }

    /// Starts a command with its output going to the file `log`.
    ///
    /// # Errors
    /// [`ProcessError::Start`].
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self, ProcessError> {
        let mut start = || {
            let output = File::create(log)?;
            let errors = output.try_clone()?;
            command.stdout(output).stderr(errors).spawn()
        };
        let child = start().map_err(|source| ProcessError::Start {
            name: name.to_owned(),
            program: command.get_program().into(),
            source,
        })?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }
    /// The last lines of its output.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Checks that it still runs.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] with the end of its log.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(ProcessError::Ended {
                name: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: self.log_tail(),
            }),
            // A process that cannot be asked after is taken for running; what it does not do is found out elsewhere.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // It fails only for a process that has ended, which is what is wanted.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }

    /// Kills it without a warning and waits until it is gone.
    pub fn kill(mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_until(&mut self, deadline: Instant) {
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.terminate();
        self.wait_until(Instant::now() + DRAIN);
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends all: asks every one first, so that they drain side by side.
pub fn stop_all(processes: &mut Vec<Process>) {
    for process in &*processes {
        process.terminate();
    }
    processes.clear();
}

/// The last lines of a file, or why there are none.
pub fn tail(file: &Path) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let read = || -> io::Result<String> {
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
    };
    match read() {
        Ok(text) if text.trim().is_empty() => "(nothing was written)".to_owned(),
        Ok(text) => text,
        Err(error) => format!("(cannot be read: {error})"),
    }
}

/// The `leash` command: leaves the terminal's process group, has the kernel (on Linux) end this process when `parent`
/// dies, then becomes the program. Returns only when that fails.
pub fn leash(parent: u32, program: &Path, args: &[OsString]) -> io::Error {
    if let Err(error) = rustix::process::setpgid(None, None) {
        return error.into();
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            return error.into();
        }
        // The parent may have died before the line above; nobody would tell.
        let now = getppid().map(|pid| pid.as_raw_nonzero().get());
        if now.and_then(|pid| u32::try_from(pid).ok()) != Some(parent) {
            return io::Error::other("the devnet that started this is gone");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    Command::new(program).args(args).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        assert!(tail(&file).starts_with("(cannot be read"));
        std::fs::write(&file, "").unwrap();
        assert_eq!(tail(&file), "(nothing was written)");
        let lines: Vec<String> = (0..1_000).map(|line| format!("line {line}")).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        assert_eq!(tail(&file), lines[1_000 - TAIL_LINES..].join("\n"));
    }
}
