//! A 32-byte secret in a key file, the shape of every secp256k1 key.

use super::{KdfParams, KeyFile, KeyFileError, Strength};
use crate::{
    cli::{Exit, FailWith, Failure},
    entropy::Entropy,
    passphrase::{Asking, Passphrase, PassphraseSource},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// A key file that opened and holds something else.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the key file holds {0} bytes, a key has 32")]
pub struct NotA32ByteSecret(pub usize);

/// Draws a secret, seals it into a new file and returns it. An existing file is never overwritten.
///
/// # Errors
/// A [`Failure`] that says which of passphrase, randomness and file was at fault.
pub fn create_secret32(
    file: &Path,
    passphrase: &PassphraseSource,
    label: &str,
    entropy: &dyn Entropy,
) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(&mut *secret)?;
    import_secret32(&secret, file, passphrase, label, entropy)?;
    Ok(secret)
}

/// Reads a secret written as 64 hexadecimal digits, from a file or, for `-`, from standard input.
///
/// # Errors
/// A [`Failure`] that says what is wrong with the text, never the text.
pub fn read_hex_secret32(from: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    /// Longest input read: the digits and some white space.
    const MAX_BYTES: u64 = 256;
    let mut text = Zeroizing::new(String::new());
    let read = if from == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        File::open(from).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    read.fail_with(Exit::Usage)?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *secret)
        .map_err(|_| Failure::new(Exit::Usage, "a key is written as 64 hexadecimal digits"))?;
    Ok(secret)
}

/// Seals a given secret into a new file. An existing file is never overwritten.
///
/// # Errors
/// As [`create_secret32`].
pub fn import_secret32(
    secret: &[u8; 32],
    file: &Path,
    passphrase: &PassphraseSource,
    label: &str,
    entropy: &dyn Entropy,
) -> Result<(), Failure> {
    let passphrase = passphrase.read(Asking::Twice).fail_with(Exit::Usage)?;
    let sealed = KeyFile::seal(secret, &passphrase, label, KdfParams::recommended(), entropy)?;
    sealed.write(file).fail_with(Exit::Refused)
}

/// Opens the secret in a file.
///
/// # Errors
/// As [`create_secret32`].
pub fn open_secret32(file: &Path, passphrase: &PassphraseSource) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let sealed = KeyFile::read(file).fail_with(Exit::Usage)?;
    unseal(&sealed, &passphrase.read(Asking::Once).fail_with(Exit::Usage)?)
}

/// Opens the secret in a file with a passphrase that was read already: for programs that open several, since a prompt asks
/// anew each time and a pipe can be read only once.
///
/// # Errors
/// A [`Failure`] that says which of passphrase and file was at fault.
pub fn unseal_secret32(file: &Path, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, Failure> {
    unseal(&KeyFile::read(file).fail_with(Exit::Usage)?, passphrase)
}

fn unseal(sealed: &KeyFile, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let opened: Result<_, KeyFileError> = sealed.open(passphrase, Strength::Required);
    let bytes = opened.fail_with(Exit::Refused)?;
    let secret: [u8; 32] =
        bytes.as_slice().try_into().map_err(|_| NotA32ByteSecret(bytes.len())).fail_with(Exit::Usage)?;
    Ok(Zeroizing::new(secret))
}

/// Where a command about a key has it from.
#[derive(Debug, Clone, Copy)]
pub enum KeySource<'a> {
    /// Drawn, and sealed into a new file.
    New,
    /// Read from a file of hexadecimal digits (`-` for standard input), and sealed into a new file.
    Hex(&'a Path),
    /// Opened.
    Sealed,
}

impl KeySource<'_> {
    /// Returns the secret, which is in `file` by then.
    ///
    /// # Errors
    /// As [`create_secret32`], [`read_hex_secret32`] and [`open_secret32`].
    pub fn secret32(
        self,
        file: &Path,
        passphrase: &PassphraseSource,
        label: &str,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<[u8; 32]>, Failure> {
        match self {
            Self::New => create_secret32(file, passphrase, label, entropy),
            Self::Hex(from) => {
                let secret = read_hex_secret32(from)?;
                import_secret32(&secret, file, passphrase, label, entropy)?;
                Ok(secret)
            }
            Self::Sealed => open_secret32(file, passphrase),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn a_created_secret_opens_again_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (file, words) = (dir.path().join("a.key"), dir.path().join("words"));
        std::fs::write(&words, "correct horse\n").unwrap();
        let source = PassphraseSource::File(words);
        let created = create_secret32(&file, &source, "test", &SeededEntropy::new(1)).unwrap();
        assert_eq!(*open_secret32(&file, &source).unwrap(), *created);
        let again = create_secret32(&file, &source, "test", &SeededEntropy::new(2));
        assert_eq!(again.map(|_| ()).unwrap_err().exit, Exit::Refused);
    }

    #[test]
    fn a_secret_is_read_from_hexadecimal_digits_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hex");
        std::fs::write(&file, format!("{}\n", "0b".repeat(32))).unwrap();
        assert_eq!(*read_hex_secret32(&file).unwrap(), [11; 32]);
        for wrong in ["0b".repeat(31), "zz".repeat(32), "0b".repeat(4000), String::new()] {
            std::fs::write(&file, wrong).unwrap();
            assert_eq!(read_hex_secret32(&file).map(|_| ()).unwrap_err().exit, Exit::Usage);
        }
    }

    #[test]
    fn a_file_with_something_else_is_refused_with_its_length() {
        let dir = tempfile::tempdir().unwrap();
        let (file, words) = (dir.path().join("a.key"), dir.path().join("words"));
        std::fs::write(&words, "correct horse\n").unwrap();
        let source = PassphraseSource::File(words);
        let passphrase = source.read(Asking::Once).unwrap();
        KeyFile::seal(b"a phrase", &passphrase, "test", KdfParams::MINIMUM, &SeededEntropy::new(1))
            .unwrap()
            .write(&file)
            .unwrap();
        let failure = open_secret32(&file, &source).map(|_| ()).unwrap_err();
        assert_eq!(failure.chain(), ["the key file holds 8 bytes, a key has 32"]);
    }
}
