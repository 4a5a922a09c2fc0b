//! The Go programs and our own as processes, each in a folder of its own.

use btc_staking_daemon::http::fetch_json;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A running program. Killed on drop.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program whose output goes into a file.
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let file = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log }
    }

    /// Asks it to end, and waits until it has.
    pub fn end(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.wait();
    }

    /// Waits until it ends by itself, and says whether it succeeded.
    pub fn wait(&mut self) -> bool {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fails with the end of its log once it has ended.
    pub fn check(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("it ended with {status}:\n{}", self.told());
        }
    }

    /// The end of what it said.
    pub fn told(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.told());
        }
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A Go program and its home.
pub struct GoProgram {
    exe: String,
    home: PathBuf,
    config: PathBuf,
}

impl GoProgram {
    /// Makes a home; its configuration is in a file of this name.
    pub fn init(exe: &str, home: &Path, config: &str) -> Self {
        let program = Self { exe: exe.to_owned(), home: home.to_owned(), config: home.join(config) };
        program.run(&["init"]);
        program
    }

    /// Sets values of the configuration, by key.
    pub fn configure(&self, values: &[(&str, String)]) {
        let written = fs::read_to_string(&self.config).unwrap();
        let replaced = written.lines().map(|line| {
            let key = line.split(' ').next();
            let value = values.iter().find(|(name, _)| key == Some(*name));
            value.map_or(line.to_owned(), |(name, value)| format!("{name} = {value}"))
        });
        fs::write(&self.config, replaced.collect::<Vec<_>>().join("\n")).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.exe);
        command.args(args).arg("--home").arg(&self.home).stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed.
    pub fn run(&self, args: &[&str]) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let told = [stdout, stderr].concat();
        assert!(status.success(), "{} {args:?}: {}", self.exe, String::from_utf8_lossy(&told));
    }

    /// Puts a secret into the keyring.
    pub fn import(&self, name: &str, secret: &[u8; 32]) {
        self.run(&["keys", "import-hex", name, &hex::encode(secret), "--keyring-backend", "test"]);
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        Running::start(self.command(&["start"]), self.home.with_extension("log"))
    }
}

/// Our finality provider in a folder of its own.
pub struct Ours {
    folder: PathBuf,
    board: SocketAddr,
}

impl Ours {
    /// Writes a configuration for a chain and seals the account's key. The EOTS key is in a file, or with the signer at
    /// a socket.
    pub fn new(folder: &Path, signer: Option<&Path>, chain: (&str, &str), account: &[u8; 32]) -> Self {
        let board = ([127, 0, 0, 1], free_port()).into();
        let ours = Self { folder: folder.to_owned(), board };
        fs::create_dir(folder).unwrap();
        let (chain_id, rpc) = chain;
        let keys = match signer {
            None => format!("eots_key_files = [{:?}]", ours.path("eots.key")),
            Some(socket) => format!("signer = {{ socket = {socket:?} }}"),
        };
        let config = format!(
            "data_dir = {:?}\n{keys}\naccount_key_file = {:?}\nlisten = \"{}\"\n\
             [chain]\nid = {chain_id:?}\nrpc = [{rpc:?}]\n[randomness]\ncount = 500\nlead = 100\n\
             [voting]\npoll_interval_ms = 200\n",
            ours.path("data"),
            ours.path("account.key"),
            ours.board,
        );
        fs::write(ours.path("config.toml"), config).unwrap();
        fs::write(ours.path("words"), "correct horse battery staple\n").unwrap();
        fs::write(ours.path("account"), hex::encode(account)).unwrap();
        ours.run(&["keys", "import", "--which", "account", "--from", &ours.path("account")]);
        ours
    }

    /// Why it is not voting, in one word; `None` while it does or does not answer.
    pub async fn reason(&self) -> Option<String> {
        let board = self.board;
        let status = tokio::task::spawn_blocking(move || fetch_json(board, "/status")).await.unwrap().ok()?;
        status["providers"][0]["reason_code"].as_str().map(str::to_owned)
    }

    /// The path of a file in its folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devnet"));
        let words = format!("file:{}", self.path("words"));
        command.args(["role", "finality-provider", "--config", &self.path("config.toml")]);
        command.args(["--passphrase", &words]).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed.
    pub fn run(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let told = String::from_utf8_lossy(&stdout).into_owned();
        assert!(status.success(), "{args:?}: {told}{}", String::from_utf8_lossy(&stderr));
        told
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        Running::start(self.command(&["start"]), self.folder.with_extension("log"))
    }
}
