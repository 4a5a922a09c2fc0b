//! A Unix socket for processes of this user only.
//!
//! The file mode keeps others out, and the kernel's word about who connected does so again: modes can be changed, and a
//! socket is created with the umask's mode for an instant before it gets its own.

use super::DoorError;
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};

/// The socket. Its file is removed when it is dropped, unless another has taken its place.
pub struct OwnersSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file. The number is not given away while the listener is open.
    file: (u64, u64),
    owner: u32,
}

impl OwnersSocket {
    /// Binds the socket, replacing a dead one.
    ///
    /// # Errors
    /// [`DoorError`].
    pub fn bind(path: PathBuf) -> Result<Self, DoorError> {
        clear_way(&path)?;
        let failed = |source| DoorError::Bind { at: path.display().to_string(), source };
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let file = device_and_inode(&path).map_err(failed)?;
        Ok(Self { listener, path, file, owner: rustix::process::geteuid().as_raw() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Which file is at a path, links not followed.
fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Removes a socket nobody listens on; leaves everything else alone.
fn clear_way(path: &Path) -> Result<(), DoorError> {
    let failed = |source| DoorError::Bind { at: path.display().to_string(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !found.file_type().is_socket() {
        return Err(DoorError::InTheWay(path.to_owned()));
    }
    match BlockingStream::connect(path) {
        Ok(_) => Err(DoorError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

impl axum::serve::Listener for OwnersSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == self.owner => return (stream, address),
                    Ok(peer) => tracing::error!(uid = peer.uid(), "another user tried to reach the signer"),
                    Err(error) => tracing::warn!(%error, "a caller could not be identified"),
                },
                // Out of descriptors, say: others may be freed meanwhile.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Drop for OwnersSocket {
    fn drop(&mut self) {
        // Somebody else's stays. Ours, left behind, would be replaced at the next start.
        if device_and_inode(&self.path).is_ok_and(|found| found == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_dead_socket_is_replaced_and_the_mode_is_the_owners() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eots.sock");
        fs::write(&path, "a file").unwrap();
        assert!(matches!(OwnersSocket::bind(path.clone()), Err(DoorError::InTheWay(_))));
        fs::remove_file(&path).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = OwnersSocket::bind(path.clone()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(OwnersSocket::bind(path.clone()), Err(DoorError::InUse(_))));
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_socket_of_a_successor_outlives_the_one_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eots.sock");
        let before = OwnersSocket::bind(path.clone()).unwrap();
        fs::remove_file(&path).unwrap();
        let successor = OwnersSocket::bind(path.clone()).unwrap();
        drop(before);
        assert!(BlockingStream::connect(&path).is_ok());
        drop(successor);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_caller_of_another_user_is_not_let_in() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eots.sock");
        let mut socket = OwnersSocket::bind(path.clone()).unwrap();
        socket.owner = socket.owner.wrapping_add(1);
        let accepting = tokio::spawn(async move { axum::serve::Listener::accept(&mut socket).await });
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let mut nothing = [0];
        // The end of the stream: it was dropped, not served.
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut nothing).await;
        assert!(matches!(read, Ok(0) | Err(_)));
        assert!(!accepting.is_finished());
        accepting.abort();
    }
}
