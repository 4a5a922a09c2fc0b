//! A real etcd on loopback: members as child processes, ended by their own handles.

use btc_staking_eots_manager::channel::tls::TlsFiles;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub struct Cluster {
    program: PathBuf,
    directory: TempDir,
    members: Vec<Member>,
    /// Shown and asked for by the members.
    tls: Option<TlsFiles>,
}

struct Member {
    name: String,
    client: SocketAddr,
    peer: SocketAddr,
    metrics: SocketAddr,
    child: Option<Child>,
}

/// Ports that were free a moment ago.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

impl Cluster {
    /// Starts a cluster; `None`, and said so, where there is no etcd.
    pub fn start(count: usize) -> Option<Self> {
        Self::start_with(count, None)
    }

    /// Starts a cluster whose members take only clients with a certificate.
    pub fn start_with(count: usize, tls: Option<TlsFiles>) -> Option<Self> {
        let Some(program) = std::env::var_os("ETCD_EXE") else {
            assert!(std::env::var_os("REQUIRE_REAL_ETCD").is_none(), "ETCD_EXE names no etcd");
            eprintln!("skipped: ETCD_EXE names no etcd");
            return None;
        };
        let addresses = free_addresses(3 * count);
        let member = |(index, addresses): (usize, &[SocketAddr])| Member {
            name: format!("m{index}"),
            client: addresses[0],
            peer: addresses[1],
            metrics: addresses[2],
            child: None,
        };
        let members = addresses.chunks(3).enumerate().map(member).collect();
        let mut cluster =
            Self { program: program.into(), directory: tempfile::tempdir().unwrap(), members, tls };
        (0..count).for_each(|member| cluster.begin(member));
        (0..count).for_each(|member| cluster.wait_until_healthy(member));
        Some(cluster)
    }

    pub fn endpoints(&self) -> Vec<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.members.iter().map(|member| format!("{scheme}://{}", member.client)).collect()
    }

    pub fn client_address(&self, member: usize) -> SocketAddr {
        self.members[member].client
    }

    /// Begins a member's process, with the data it had.
    pub fn begin(&mut self, index: usize) {
        let url = |address: SocketAddr| format!("http://{address}");
        let all: Vec<_> =
            self.members.iter().map(|member| format!("{}={}", member.name, url(member.peer))).collect();
        let clients = self.endpoints().swap_remove(index);
        let member = &mut self.members[index];
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join(format!("{}.log", member.name)))
            .unwrap();
        let mut command = Command::new(&self.program);
        if let Some(TlsFiles { certificate, key, peers, .. }) = &self.tls {
            command.arg("--cert-file").arg(certificate).arg("--key-file").arg(key);
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(peers);
        }
        let child = command
            .args(["--name", &member.name])
            .arg("--data-dir")
            .arg(self.directory.path().join(&member.name))
            .args(["--listen-client-urls", &clients])
            .args(["--advertise-client-urls", &clients])
            .args(["--listen-metrics-urls", &url(member.metrics)])
            .args(["--listen-peer-urls", &url(member.peer)])
            .args(["--initial-advertise-peer-urls", &url(member.peer)])
            .args(["--initial-cluster", &all.join(",")])
            .args(["--initial-cluster-state", "new", "--logger", "zap"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        member.child = Some(child);
    }

    /// Kills a member.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops a member without ending it, or lets it go on.
    pub fn signal(&self, index: usize, signal: Signal) {
        let child = self.members[index].child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// A copy of every member's data; the members must not run.
    pub fn copy_data(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for member in &self.members {
            assert!(member.child.is_none());
            copy_tree(&self.directory.path().join(&member.name), &copy.path().join(&member.name));
        }
        copy
    }

    /// Puts a copy back.
    pub fn put_back(&self, copy: &TempDir) {
        for member in &self.members {
            let data = self.directory.path().join(&member.name);
            std::fs::remove_dir_all(&data).unwrap();
            copy_tree(&copy.path().join(&member.name), &data);
        }
    }

    pub fn wait_until_healthy(&self, index: usize) {
        let address = self.members[index].metrics;
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_healthy(address) {
            let log = || {
                let path = self.directory.path().join(format!("{}.log", self.members[index].name));
                std::fs::read_to_string(path).unwrap_or_default()
            };
            assert!(Instant::now() < deadline, "etcd does not become healthy: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(mut child) = member.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What etcd itself says: it has a leader and can write.
fn is_healthy(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4_096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("\"health\":\"true\""))
}
