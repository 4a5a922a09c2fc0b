//! Where a passphrase comes from: a prompt, a file, the environment or a file descriptor. Never the command line,
//! which every user of the machine can read.

use std::{env, fmt, fs::File, io, io::Read, path::PathBuf, str::FromStr};
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest passphrase read.
const MAX_BYTES: u64 = 4096;

/// A passphrase. Wiped from memory on drop, never shown.
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// Where to read a passphrase.
///
/// Written as `prompt`, `file:PATH`, `env:NAME` or `fd:NUMBER`. From all but the prompt, one line end at the end is
/// not part of the passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// Ask on the terminal, without showing what is typed.
    Prompt,
    /// The content of a file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A file descriptor that was open when the process started.
    Fd(u32),
}

/// Whether a prompted passphrase is asked for twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Once, to open something.
    Once,
    /// Twice, to seal something.
    Twice,
}

/// Why there is no passphrase.
#[derive(Debug, Error)]
pub enum PassphraseError {
    /// The source is not one of the four.
    #[error("passphrase source must be prompt, file:PATH, env:NAME or fd:NUMBER")]
    Source,
    /// The source could not be read.
    #[error("cannot read the passphrase from {from}")]
    Read {
        /// The source.
        from: PassphraseSource,
        /// What the system answered.
        source: io::Error,
    },
    /// The variable is not set.
    #[error("environment variable {0} with the passphrase is not set")]
    NotSet(String),
    /// There is nothing in it.
    #[error("the passphrase is empty")]
    Empty,
    /// Longer than 4096 bytes.
    #[error("the passphrase is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The two typed passphrases are not the same.
    #[error("the two passphrases differ")]
    Differ,
}

impl Passphrase {
    /// Takes over a passphrase.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`] or [`PassphraseError::TooLong`].
    pub fn new(text: String) -> Result<Self, PassphraseError> {
        Self::from_bytes(Zeroizing::new(text.into_bytes()))
    }

    /// The passphrase itself, for formats that derive their keys in their own way.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PassphraseError> {
        if bytes.is_empty() {
            return Err(PassphraseError::Empty);
        }
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
            return Ok(Self(bytes));
        }
        Err(PassphraseError::TooLong)
    }
}

impl PassphraseSource {
    /// Reads the passphrase.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn read(&self, asking: Asking) -> Result<Passphrase, PassphraseError> {
        let failed = |source| PassphraseError::Read { from: self.clone(), source };
        let bytes = match self {
            Self::Prompt => return prompt(asking).map_err(failed)?,
            Self::File(path) => read_bounded(File::open(path).map_err(failed)?).map_err(failed)?,
            // Opened by name, since taking over a bare number cannot be checked by the compiler.
            Self::Fd(number) => {
                let file = File::open(format!("/dev/fd/{number}")).map_err(failed)?;
                read_bounded(file).map_err(failed)?
            }
            Self::Env(name) => match env::var(name) {
                Ok(text) => Zeroizing::new(text.into_bytes()),
                Err(env::VarError::NotPresent) => return Err(PassphraseError::NotSet(name.clone())),
                Err(error @ env::VarError::NotUnicode(_)) => {
                    drop(error); // it carries the text
                    return Err(failed(io::Error::other("not UTF-8")));
                }
            },
        };
        Passphrase::from_bytes(without_line_end(bytes))
    }
}

fn prompt(asking: Asking) -> io::Result<Result<Passphrase, PassphraseError>> {
    let first = Zeroizing::new(rpassword::prompt_password("Passphrase: ")?);
    if asking == Asking::Twice {
        let second = Zeroizing::new(rpassword::prompt_password("Passphrase again: ")?);
        if first != second {
            return Ok(Err(PassphraseError::Differ));
        }
    }
    Ok(Passphrase::from_bytes(Zeroizing::new(first.as_bytes().to_vec())))
}

/// Reads at most one byte more than allowed, into a buffer that never moves, so that no copy stays behind.
fn read_bounded(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let capacity = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX).saturating_add(64);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(MAX_BYTES + 2).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn without_line_end(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

impl FromStr for PassphraseSource {
    type Err = PassphraseError;
    fn from_str(text: &str) -> Result<Self, PassphraseError> {
        // The text is not repeated in the error: it might be the passphrase itself.
        match text.split_once(':') {
            None if text == "prompt" => Ok(Self::Prompt),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("fd", number)) => number.parse().map(Self::Fd).map_err(|_| PassphraseError::Source),
            _ => Err(PassphraseError::Source),
        }
    }
}

impl fmt::Display for PassphraseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => f.write_str("prompt"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Fd(number) => write!(f, "fd:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn sources_parse_and_print() {
        for text in ["prompt", "file:/run/secrets/pass", "env:PASS", "fd:3"] {
            assert_eq!(text.parse::<PassphraseSource>().unwrap().to_string(), text);
        }
        for text in ["", "hunter2", "fd:x", "file:", "pass:word"] {
            let error = text.parse::<PassphraseSource>().unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains("hunter2") && !error.contains("word"), "{error}");
        }
    }

    #[test]
    fn files_and_descriptors_lose_one_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        for (content, expected) in [("a b\n", "a b"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a")] {
            std::fs::write(&path, content).unwrap();
            let from_file = PassphraseSource::File(path.clone()).read(Asking::Once).unwrap();
            let open = File::open(&path).unwrap();
            let number = u32::try_from(open.as_raw_fd()).unwrap();
            let from_fd = PassphraseSource::Fd(number).read(Asking::Once).unwrap();
            assert_eq!((from_file.bytes(), from_fd.bytes()), (expected.as_bytes(), expected.as_bytes()));
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            PassphraseSource::File(path.clone()).read(Asking::Once)
        };
        assert!(matches!(read(b"\n"), Err(PassphraseError::Empty)));
        assert!(matches!(read(&[b'a'; 5000]), Err(PassphraseError::TooLong)));
        assert!(matches!(
            PassphraseSource::File(dir.path().join("absent")).read(Asking::Once),
            Err(PassphraseError::Read { .. })
        ));
        assert!(matches!(
            PassphraseSource::Env("BTC_STAKING_DAEMON_NOT_SET".to_owned()).read(Asking::Once),
            Err(PassphraseError::NotSet(_))
        ));
    }
}
