//! The roles of a running devnet: daemons that stay, and commands that end.

use crate::{
    install::InstalledRole,
    processes::{Process, ProcessError, tail},
    roles::{Programs, Role},
};
use serde_json::Value;
use std::{
    ffi::OsString,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;

/// Between two looks whether all daemons live.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a command may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(120);

/// Where daemons run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residence {
    /// Each in a process of its own.
    Processes,
    /// In this process, for debugging; their logs mix.
    ThisProcess,
}

/// All daemons of a devnet. Clones are the same daemons; dropping the last one ends those that are processes.
#[derive(Clone)]
pub struct Daemons {
    programs: Programs,
    residence: Residence,
    passphrase_file: PathBuf,
    logs: PathBuf,
    running: Arc<Mutex<Vec<Running>>>,
}

enum Running {
    Process(Process),
    Thread { name: String, thread: JoinHandle<ExitCode> },
}

/// Why a role could not be started or went away.
#[derive(Debug, Error)]
pub enum RoleError {
    /// As a process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// In this process.
    #[error("{name} ended by itself; the end of {}:\n{}", .log.display(), tail(.log))]
    ThreadEnded {
        /// The role's name.
        name: String,
        /// The log of this process.
        log: PathBuf,
    },
    /// A thread could not be started.
    #[error("cannot start a thread for {name}")]
    Thread {
        /// The role's name.
        name: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A command could not be run.
    #[error("cannot run `{command}`")]
    Run {
        /// The command.
        command: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A command takes too long.
    #[error("`{command}` did not end within {COMMAND_DEADLINE:?}; the end of {}:\n{}", .log.display(), tail(.log))]
    TooSlow {
        /// The command.
        command: String,
        /// Its log.
        log: PathBuf,
    },
    /// A command failed.
    #[error("`{command}` ended with {status}:\n{output}")]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// A command answered something else than JSON.
    #[error("`{command}` printed no JSON: {output}")]
    NotJson {
        /// The command.
        command: String,
        /// What it printed.
        output: String,
    },
}

impl Daemons {
    /// None yet. Logs go to the folder `logs`.
    pub fn new(programs: Programs, residence: Residence, passphrase_file: &Path, logs: PathBuf) -> Self {
        let passphrase_file = passphrase_file.to_owned();
        Self { programs, residence, passphrase_file, logs, running: Arc::default() }
    }

    /// Where the log of a daemon or of a role's commands is.
    pub fn log(&self, name: &str) -> PathBuf {
        let name = match self.residence {
            Residence::Processes => name,
            Residence::ThisProcess => "devnet",
        };
        self.logs.join(format!("{name}.log"))
    }

    /// How people type a role's program.
    pub fn shown_command(&self, role: Role) -> String {
        let invocation = self.programs.invocation(role, []);
        let words = std::iter::once(invocation.program.into_os_string()).chain(invocation.args);
        let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        words.join(" ")
    }

    /// Starts a daemon.
    ///
    /// # Errors
    /// [`RoleError`].
    pub fn start(&self, role: Role, installed: &InstalledRole) -> Result<(), RoleError> {
        let (name, args) = (&installed.name, self.arguments(installed, &["start"]));
        let running = match self.residence {
            Residence::Processes => {
                let invocation = self.programs.invocation(role, args);
                Running::Process(Process::start(name, &invocation, &self.log(name))?)
            }
            Residence::ThisProcess => {
                let thread = std::thread::Builder::new().name(name.clone()).spawn(move || role.run(args));
                let thread = thread.map_err(|source| RoleError::Thread { name: name.clone(), source })?;
                Running::Thread { name: name.clone(), thread }
            }
        };
        self.lock().push(running);
        Ok(())
    }

    /// Runs a command of a role to its end and returns the JSON it printed. Everything it says is kept in its log.
    ///
    /// # Errors
    /// [`RoleError`] when it fails.
    pub async fn command(
        &self,
        role: Role,
        installed: &InstalledRole,
        args: &[&str],
    ) -> Result<Value, RoleError> {
        let command = format!("{role} {}", args.join(" "));
        let run = |source| RoleError::Run { command: command.clone(), source };
        let mut with_json = vec!["--json"];
        with_json.extend(args);
        let invocation = self.programs.invocation(role, self.arguments(installed, &with_json));
        let mut child = tokio::process::Command::from(invocation.command().map_err(run)?);
        let log = self.log(&installed.name);
        let ended = tokio::time::timeout(COMMAND_DEADLINE, child.kill_on_drop(true).output()).await;
        let output = match ended {
            Ok(output) => output.map_err(run)?,
            Err(_) => return Err(RoleError::TooSlow { command, log }),
        };
        let [said, complained] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        let mut entry = format!("$ {command}\n");
        let _ = write!(entry, "{complained}{said}");
        append(&log, &entry).await.map_err(run)?;
        if !output.status.success() {
            let output_text = format!("{complained}{said}").trim().to_owned();
            return Err(RoleError::Failed { command, status: output.status, output: output_text });
        }
        serde_json::from_str(&said).map_err(|_| RoleError::NotJson { command, output: said.into_owned() })
    }

    /// Returns when a daemon has ended by itself, with the end of its log.
    pub async fn watch(&self) -> RoleError {
        loop {
            if let Err(ended) = self.check() {
                return ended;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Process ids of the daemons by name.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let running = self.lock();
        let process = |running: &Running| match running {
            Running::Process(process) => Some((process.name().to_owned(), process.pid())),
            Running::Thread { .. } => None,
        };
        running.iter().filter_map(process).collect()
    }

    /// Ends all daemons, side by side.
    pub fn stop(&self) {
        let mut all = std::mem::take(&mut *self.lock());
        for running in &all {
            match running {
                Running::Process(process) => process.terminate(),
                Running::Thread { .. } => {}
            }
        }
        if self.residence == Residence::ThisProcess {
            // Every role of this process has its own handler; nobody else listens to signals any more.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        }
        for running in all.drain(..) {
            match running {
                Running::Process(process) => drop(process),
                // A panic in a role has been printed where it happened.
                Running::Thread { thread, .. } => drop(thread.join()),
            }
        }
    }

    fn check(&self) -> Result<(), RoleError> {
        for running in &mut *self.lock() {
            match running {
                Running::Process(process) => process.check()?,
                Running::Thread { name, thread } if thread.is_finished() => {
                    return Err(RoleError::ThreadEnded { name: name.clone(), log: self.log(name) });
                }
                Running::Thread { .. } => {}
            }
        }
        Ok(())
    }

    fn arguments(&self, installed: &InstalledRole, args: &[&str]) -> Vec<OsString> {
        let mut passphrase = OsString::from("file:");
        passphrase.push(&self.passphrase_file);
        let mut all =
            vec!["--config".into(), installed.config.clone().into(), "--passphrase".into(), passphrase];
        all.extend(args.iter().map(OsString::from));
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn append(log: &Path, entry: &str) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(log).await?;
    file.write_all(entry.as_bytes()).await?;
    file.flush().await
}
