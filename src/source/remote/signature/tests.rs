//! Signatures that Git and `ssh-keygen` themselves have made.

use std::path::PathBuf;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use ssh_key::{HashAlg, SshSig};

use super::super::super::made::Made;
use super::*;

/// The flag of a FIDO key that says that somebody has touched it.
const PRESENT: u8 = 1;

/// Keys of every type that `ssh-keygen` makes without a device.
const TYPES: [(&str, &str); 5] =
    [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")];

fn keygen(made: &Made, name: &str, (kind, bits): (&str, &str)) -> PathBuf {
    let path = made.beside(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "test", "-t", kind, "-f"]).arg(&path);
    if !bits.is_empty() {
        command.args(["-b", bits]);
    }
    assert!(command.status().unwrap().success());
    path
}

fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub")).unwrap().trim().to_owned()
}

fn signed(made: &Made, key: &Path, arguments: &[&str]) -> ObjectId {
    let key = format!("user.signingkey={}", key.display());
    made.git(&[&["-c", "gpg.format=ssh", "-c", &key], arguments].concat());
    made.git(&["rev-parse", "HEAD"]).parse().unwrap()
}

fn verdict(made: &Made, commit: ObjectId, tag: Option<&str>, allowed: &str) -> Signed {
    let file = made.beside("allowed_signers");
    fs::write(&file, allowed).unwrap();
    let repository = super::super::super::git::open(&made.path()).unwrap();
    let tag = tag.map(|name| made.git(&["rev-parse", name]).parse().unwrap());
    let allowed = Allowed::read(Some(&file), None).unwrap();
    check(&repository, commit, tag, &allowed, Timestamp::UNIX_EPOCH).unwrap()
}

fn why(signed: Signed) -> String {
    match signed {
        Signed::Not(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn commits_that_git_signs_with_any_type_of_key_are_good_and_only_by_their_own_key() {
    for (number, kind) in TYPES.into_iter().enumerate() {
        let made = Made::new();
        let (key, other) = (keygen(&made, &format!("key{number}"), kind), keygen(&made, "other", TYPES[0]));
        let commit = signed(&made, &key, &["commit", "-q", "--allow-empty", "-S", "-m", "one\n\nwith more\n"]);
        let allowed = format!("ada {}\n", public(&key));
        assert_eq!(verdict(&made, commit, None, &allowed), Signed::By("ada".to_owned()), "{kind:?}");
        let stranger = format!("ada {}\n", public(&other));
        assert!(why(verdict(&made, commit, None, &stranger)).contains("not among the allowed signers"), "{kind:?}");
    }
}

#[test]
fn what_is_unsigned_changed_or_signed_for_something_else_is_not_good() {
    let made = Made::new();
    let key = keygen(&made, "key", TYPES[0]);
    let allowed = format!("ada {}\n", public(&key));
    let unsigned = made.commit("unsigned").parse().unwrap();
    assert!(why(verdict(&made, unsigned, None, &allowed)).contains("it has no signature"));
    let commit = signed(&made, &key, &["commit", "-q", "--allow-empty", "-S", "-m", "good"]);
    // The same signature on another message: what a host that rewrites commits would serve.
    let raw = made.git(&["cat-file", "commit", &commit.to_string()]);
    let forge = |text: &str| -> ObjectId {
        let file = made.beside("forged");
        fs::write(&file, text).unwrap();
        made.git(&["hash-object", "-t", "commit", "-w", "--literally", file.to_str().unwrap()]).parse().unwrap()
    };
    let changed = forge(&raw.replace("good", "evil"));
    assert!(why(verdict(&made, changed, None, &allowed)).contains("its signature is wrong"));
    let (head, _) = raw.split_once("gpgsig ").unwrap();
    let signature = raw.split_once("gpgsig ").unwrap().1.split_once("\n\n").unwrap().0;
    let twice = forge(&format!("{head}gpgsig {signature}\ngpgsig {signature}\n\ngood\n"));
    assert!(why(verdict(&made, twice, None, &allowed)).contains("no signature"));
    let pgp =
        forge(&format!("{head}gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\ngood\n"));
    assert!(why(verdict(&made, pgp, None, &allowed)).contains("by OpenPGP, and the operator names no OpenPGP keys"));
    // Signed by the same key for files, and put into a commit.
    let payload = made.beside("payload");
    fs::write(&payload, format!("{head}\ngood\n")).unwrap();
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-Y", "sign", "-q", "-n", "file", "-f"]).arg(&key).arg(&payload);
    assert!(keygen.status().unwrap().success());
    let signature = fs::read_to_string(made.beside("payload.sig")).unwrap();
    let signature = signature.trim().replace('\n', "\n ");
    let other = forge(&format!("{head}gpgsig {signature}\n\ngood\n"));
    assert!(why(verdict(&made, other, None, &allowed)).contains("is for `file`"));
}

#[test]
fn a_signed_tag_vouches_for_its_commit() {
    let made = Made::new();
    let key = keygen(&made, "key", TYPES[0]);
    let commit: ObjectId = made.commit("unsigned").parse().unwrap();
    signed(&made, &key, &["tag", "-s", "-m", "release", "v1"]);
    made.git(&["tag", "-a", "-m", "unsigned", "v2"]);
    let allowed = format!("ada {}\n", public(&key));
    assert_eq!(verdict(&made, commit, Some("v1"), &allowed), Signed::By("ada".to_owned()));
    assert!(why(verdict(&made, commit, Some("v2"), &allowed)).contains("on the tag, but it has no signature"));
}

#[test]
fn a_file_of_signers_that_cannot_be_read_is_an_error_and_no_permission() {
    let made = Made::new();
    let missing = made.beside("missing");
    let Err(error) = Allowed::read(Some(&missing), None) else { panic!() };
    assert!(matches!(error, RemoteError::Signers { .. }));
}

/// What Git makes with `gpg`: a commit, and a tag.
#[cfg(feature = "openpgp")]
#[test]
fn commits_and_tags_that_gpg_signs_are_good_by_the_keys_of_the_operator() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openpgp");
    let by = |key: &str| Allowed::read(None, Some(&golden.join(key))).unwrap();
    let seen: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
    let commit = fs::read(golden.join("commit")).unwrap();
    let tag = fs::read(golden.join("tag")).unwrap();
    let who = Signed::By("ed <ed@x>".to_owned());
    assert_eq!(judge(of_commit(&commit), &by("ed.asc"), seen, "commit"), who);
    assert_eq!(judge(of_tag(&tag), &by("ed.asc"), seen, "tag"), who);
    assert!(why(judge(of_commit(&commit), &by("rsa.asc"), seen, "commit")).contains("not among"));
    let mut tampered = commit;
    let at = tampered.len() - 3;
    tampered[at] ^= 1;
    assert!(why(judge(of_commit(&tampered), &by("ed.asc"), seen, "commit")).contains("the signature is wrong"));
    let made = Made::new();
    let ssh = made.beside("allowed_signers");
    fs::write(&ssh, format!("ada {}\n", public(&keygen(&made, "ada", TYPES[0])))).unwrap();
    let only_ssh = Allowed::read(Some(&ssh), None).unwrap();
    assert!(why(judge(of_tag(&tag), &only_ssh, seen, "tag")).contains("names no OpenPGP keys"));
}

/// A text with its length before it, as SSH writes it.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// What a FIDO device would make: no device is needed to know its key.
fn touched_by(pair: &aws_lc_rs::signature::Ed25519KeyPair, payload: &[u8], flags: u8, said: u8) -> String {
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    let kind = string(b"sk-ssh-ed25519@openssh.com");
    let key = [kind.clone(), string(pair.public_key().as_ref()), string(b"ssh:")].concat();
    let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, payload).unwrap();
    let counter = 7_u32.to_be_bytes();
    let message = [digest(&SHA256, b"ssh:").as_ref(), &[flags], &counter, digest(&SHA256, &data).as_ref()].concat();
    let signature = [kind, string(pair.sign(&message).as_ref()), vec![said], counter.to_vec()].concat();
    let blob = [
        b"SSHSIG".to_vec(),
        1_u32.to_be_bytes().to_vec(),
        string(&key),
        string(NAMESPACE.as_bytes()),
        string(b""),
        string(b"sha512"),
        string(&signature),
    ];
    let text = base64::engine::general_purpose::STANDARD.encode(blob.concat());
    let lines: Vec<&str> = text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n {}\n -----END SSH SIGNATURE-----", lines.join("\n "))
}

#[test]
fn a_key_on_a_fido_device_signs_if_somebody_has_touched_it() {
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    let made = Made::new();
    let commit = made.commit("one");
    let raw = format!("{}\n", made.git(&["cat-file", "commit", &commit]));
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let key = [string(b"sk-ssh-ed25519@openssh.com"), string(pair.public_key().as_ref()), string(b"ssh:")].concat();
    let key = base64::engine::general_purpose::STANDARD.encode(key);
    let allowed = format!("ada sk-ssh-ed25519@openssh.com {key}\n");
    let signed = |signature: &str| -> ObjectId {
        let file = made.beside("signed");
        fs::write(&file, raw.replacen("\n\n", &format!("\ngpgsig {signature}\n\n"), 1)).unwrap();
        made.git(&["hash-object", "-t", "commit", "-w", "--literally", file.to_str().unwrap()]).parse().unwrap()
    };
    let good = signed(&touched_by(&pair, raw.as_bytes(), PRESENT, PRESENT));
    assert_eq!(verdict(&made, good, None, &allowed), Signed::By("ada".to_owned()));
    let untouched = signed(&touched_by(&pair, raw.as_bytes(), 0, 0));
    assert!(why(verdict(&made, untouched, None, &allowed)).contains("its signature is wrong"));
    let lied = signed(&touched_by(&pair, raw.as_bytes(), 0, PRESENT));
    assert!(why(verdict(&made, lied, None, &allowed)).contains("its signature is wrong"), "flags are signed");
    let other = signed(&touched_by(&pair, b"another commit", PRESENT, PRESENT));
    assert!(why(verdict(&made, other, None, &allowed)).contains("its signature is wrong"));
}
