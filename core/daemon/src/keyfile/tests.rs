use super::*;
use crate::entropy::{OsEntropy, SeededEntropy};
use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

const WEAK: KdfParams = KdfParams::insecure_for_tests();
const ALLOWED: Strength = Strength::InsecureAllowed;

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn sealed(secret: &[u8]) -> KeyFile {
    KeyFile::seal(secret, &pass("correct horse"), "a label", WEAK, &SeededEntropy::new(1)).unwrap()
}

fn text_of(file: &KeyFile) -> String {
    String::from_utf8(file.envelope.to_json().unwrap()).unwrap()
}

#[test]
fn only_the_passphrase_opens_a_secret() {
    let file = sealed(b"the secret");
    assert_eq!(&**file.open(&pass("correct horse"), ALLOWED).unwrap(), b"the secret");
    assert!(matches!(file.open(&pass("Correct horse"), ALLOWED), Err(KeyFileError::WrongPassphrase)));
    assert_eq!((file.label(), file.params()), ("a label", WEAK));
}

#[test]
fn the_recommended_parameters_open_without_an_exception() {
    let recommended = KdfParams::recommended();
    let file = KeyFile::seal(b"s", &pass("p"), "", recommended, &OsEntropy).unwrap();
    assert_eq!(&**file.open(&pass("p"), Strength::Required).unwrap(), b"s");
}

#[test]
fn two_files_of_one_secret_share_neither_salt_nor_nonce() {
    let (one, two) = [0, 1].map(|_| KeyFile::seal(b"s", &pass("p"), "", WEAK, &OsEntropy).unwrap()).into();
    assert_ne!(one.envelope.salt(), two.envelope.salt());
    assert_ne!(one.envelope.nonce(), two.envelope.nonce());
}

/// Made by this code once; a change that cannot read it locks users out of their keys.
#[test]
fn the_format_does_not_change() {
    const FILE: &str = include_str!("golden.json");
    assert_eq!(text_of(&sealed(b"the secret")), FILE);
    let read = KeyFile::parse(FILE.as_bytes()).unwrap();
    assert_eq!(&**read.open(&pass("correct horse"), ALLOWED).unwrap(), b"the secret");
}

#[test]
fn an_accident_is_told_from_a_wrong_passphrase() {
    let text = text_of(&sealed(b"the secret"));
    for (from, to) in
        [("a label", "b label"), ("\"passes\": 1", "\"passes\": 2"), ("\"lanes\": 1", "\"lanes\": 2")]
    {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(matches!(KeyFile::parse(changed.as_bytes()), Err(KeyFileError::Damaged(_))), "{from}");
    }
    for content in ["", "{}", "not json", &text[..text.len() / 2], &text.replace("argon2id", "scrypt")] {
        assert!(matches!(KeyFile::parse(content.as_bytes()), Err(KeyFileError::Damaged(_))), "{content}");
    }
    let newer = text.replace("\"version\": 1", "\"version\": 2");
    assert!(matches!(KeyFile::parse(newer.as_bytes()), Err(KeyFileError::Version(2))));
}

#[test]
fn a_header_changed_on_purpose_does_not_open() {
    let file = sealed(b"the secret");
    let header = Header::new("another label", Kdf::new(WEAK, file.envelope.salt().try_into().unwrap()));
    let nonce = file.envelope.nonce().try_into().unwrap();
    let cipher = Cipher::new(nonce, file.envelope.ciphertext().to_vec());
    let forged = KeyFile { envelope: Envelope::new(header, cipher) };
    assert!(KeyFile::parse(text_of(&forged).as_bytes()).is_ok(), "its checksum is right");
    assert!(matches!(forged.open(&pass("correct horse"), ALLOWED), Err(KeyFileError::WrongPassphrase)));
}

#[test]
fn weak_and_excessive_parameters_are_refused_before_any_work() {
    let open = sealed(b"s").open(&pass("correct horse"), Strength::Required);
    assert!(matches!(open, Err(KeyFileError::TooWeak(_))));
    for params in [
        KdfParams { memory_kib: u32::MAX, passes: 1, lanes: 1 },
        KdfParams { memory_kib: 8, passes: 17, lanes: 1 },
        KdfParams { memory_kib: 1024, passes: 1, lanes: 17 },
    ] {
        let header = Header::new("", Kdf::new(params, [0; 16]));
        let bomb = KeyFile { envelope: Envelope::new(header, Cipher::new([0; 24], vec![0; 16])) };
        assert!(matches!(bomb.open(&pass("p"), ALLOWED), Err(KeyFileError::Excessive(_))));
        assert!(KeyFile::seal(b"s", &pass("p"), "", params, &OsEntropy).is_err());
    }
    let impossible = KdfParams { memory_kib: 8, passes: 0, lanes: 1 };
    let sealed = KeyFile::seal(b"s", &pass("p"), "", impossible, &OsEntropy);
    assert!(matches!(sealed, Err(KeyFileError::InvalidParams(_))));
}

#[test]
fn secrets_and_labels_have_a_limit() {
    let seal = |secret: usize, label: usize| {
        KeyFile::seal(&vec![0; secret], &pass("p"), &"l".repeat(label), WEAK, &OsEntropy)
    };
    let largest = seal(MAX_SECRET_BYTES, MAX_LABEL_BYTES).unwrap();
    assert!(KeyFile::parse(text_of(&largest).as_bytes()).is_ok());
    assert!(matches!(seal(MAX_SECRET_BYTES + 1, 0), Err(KeyFileError::SecretTooLong(_))));
    assert!(matches!(seal(0, MAX_LABEL_BYTES + 1), Err(KeyFileError::LabelTooLong(_))));
}

#[test]
fn a_file_is_written_once_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.json");
    let file = sealed(b"the secret");
    file.write(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(KeyFile::read(&path).unwrap(), file);
    let other = sealed(b"another secret");
    assert!(matches!(other.write(&path), Err(KeyFileError::Exists { .. })));
    assert_eq!(KeyFile::read(&path).unwrap(), file, "the first file is untouched");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    let nowhere = file.write(&dir.path().join("absent/key.json"));
    assert!(matches!(nowhere, Err(KeyFileError::Io { action: "write", .. })));
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.json");
    sealed(b"s").write(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = KeyFile::read(&path).unwrap_err();
    assert!(error.to_string().contains("mode 640"), "{error}");
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.json");
    fs::write(&path, vec![b' '; 1024 * 1024]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(KeyFile::read(&path), Err(KeyFileError::Damaged(_))));
}

proptest! {
    #[test]
    fn opening_inverts_sealing(secret: Vec<u8>, text in ".{1,40}", label in ".{0,60}") {
        let file = KeyFile::seal(&secret, &pass(&text), &label, WEAK, &OsEntropy).unwrap();
        let read = KeyFile::parse(text_of(&file).as_bytes()).unwrap();
        prop_assert_eq!(&**read.open(&pass(&text), ALLOWED).unwrap(), &secret);
        prop_assert_eq!(read.label(), label);
    }

    #[test]
    fn any_bytes_are_a_key_file_or_an_error(bytes: Vec<u8>, at in 0usize..600, byte: u8) {
        prop_assert!(KeyFile::parse(&bytes).is_err());
        let mut text = text_of(&sealed(b"the secret")).into_bytes();
        if let Some(changed) = text.get_mut(at) {
            *changed = byte;
        }
        let _ = KeyFile::parse(&text);
    }
}
