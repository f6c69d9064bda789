//! Extraction of archives and installation of local files.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use nc_data::{
    Error,
    download::{Entry, File, Manifest, install, is_installed},
};

use crate::downloads::file;

/// A `.tar.gz` of the given members.
fn archive(members: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (path, kind, content) in members {
        let mut header = tar::Header::new_gnu();
        // `set_path` would refuse the paths that an attacker chooses.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        if *kind != tar::EntryType::Regular {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn entry(archive: &[u8]) -> Entry {
    let file = File { members: vec!["a.bin".into(), "b.bin".into()], ..file(archive, vec![]) };
    Entry { about: "a test".into(), directory: "set".into(), files: vec![file] }
}

/// Installs `archive` and lists all files then below the data directory.
fn installed(archive: &[u8]) -> (Result<(), Error>, Vec<String>) {
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = directory.path().join("given.tar.gz");
    fs::write(&source, archive).unwrap();
    let entry = entry(archive);
    let result = install(&entry, &entry.files[0], &source, data.path());
    assert_eq!(is_installed(&entry, data.path()), result.is_ok());
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    let files = fs::read_dir(data.path().join("set")).unwrap();
    let mut files: Vec<String> =
        files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    (result, files)
}

#[test]
fn only_members_of_the_manifest_are_extracted() {
    use tar::EntryType::{Continuous, Directory, Fifo, Link, Regular, Symlink};
    let (result, files) = installed(&archive(&[
        ("set/", Directory, b""),
        ("set/readme.html", Regular, b"no"),
        ("../set/a.bin", Regular, b"no"),
        ("/etc/a.bin", Regular, b"no"),
        ("set/../../a.bin", Regular, b"no"),
        ("set/link.bin", Symlink, b""),
        ("set/a.bin", Regular, b"first"),
        ("set/b.bin", Regular, b"second"),
        ("set/a.bin", Regular, b"again"),
    ]));
    result.unwrap();
    assert_eq!(files, ["a.bin", "b.bin"]);

    for kind in [Symlink, Link, Directory, Fifo, Continuous] {
        let (result, files) = installed(&archive(&[("set/a.bin", Regular, b"x"), ("set/b.bin", kind, b"")]));
        assert!(result.unwrap_err().to_string().ends_with("lacks b.bin in set"), "{kind:?}");
        assert_eq!(files, ["a.bin"]);
    }
    let (result, files) = installed(&archive(&[("b.bin", Regular, b"x"), ("other/a.bin", Regular, b"x")]));
    assert!(result.unwrap_err().to_string().ends_with("lacks a.bin, b.bin in set"));
    assert_eq!(files, Vec::<String>::new());
}

#[test]
fn oversized_and_truncated_members_leave_no_file() {
    let claiming = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path("set/a.bin").unwrap();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        let mut archive = GzEncoder::new(vec![], Compression::fast());
        archive.write_all(header.as_bytes()).unwrap();
        archive.write_all(b"little").unwrap();
        archive.finish().unwrap()
    };
    let (result, files) = installed(&claiming(1 << 40));
    assert!(result.unwrap_err().to_string().ends_with("a.bin has 1099511627776 bytes, more than 1073741824"));
    assert_eq!(files, Vec::<String>::new());
    let (result, files) = installed(&claiming(1 << 29));
    assert!(matches!(result.unwrap_err(), Error::Read { .. } | Error::Malformed { .. }));
    assert_eq!(files, Vec::<String>::new());
}

#[test]
fn corrupt_files_are_not_installed() {
    let whole = archive(&[("set/a.bin", tar::EntryType::Regular, b"x")]);
    let entry = entry(&whole);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("given.tar.gz");
    let complaint = |bytes: &[u8]| {
        fs::write(&source, bytes).unwrap();
        install(&entry, &entry.files[0], &source, directory.path()).unwrap_err().to_string()
    };
    assert!(complaint(&whole[1..]).contains("given.tar.gz: file.bin should have"));
    let mut other = whole.clone();
    other[20] ^= 1;
    assert!(complaint(&other).contains("should have SHA-256"));
    let mut of_other_md5 = entry.files[0].clone();
    of_other_md5.md5 = "0".repeat(32);
    fs::write(&source, &whole).unwrap();
    let refused = install(&entry, &of_other_md5, &source, directory.path()).unwrap_err().to_string();
    assert!(refused.contains("should have MD5"), "{refused}");
    assert!(!directory.path().join("set").exists());
}

#[test]
fn the_built_in_manifest_is_valid() {
    let manifest = Manifest::built_in().unwrap();
    assert_eq!(manifest.entries.keys().collect::<Vec<_>>(), ["cifar10", "cifar100", "fashion-mnist"]);
    for file in manifest.entries.values().flat_map(|entry| &entry.files) {
        assert!(!file.mirrors.is_empty() && file.mirrors.iter().all(|url| url.ends_with(&file.name)));
    }
    // The digests published by the authors.
    let md5 = |name: &str| manifest.entries[name].files[0].md5.as_str();
    assert_eq!(md5("cifar10"), "c32a1d4ab5d03f1284b67883e8d87530");
    assert_eq!(md5("cifar100"), "03b5dce01913d631647c71ecec9e9cb8");
}

#[test]
fn a_manifest_cannot_write_outside_the_data_directory() {
    let with =
        |directory: &str, name: &str, member: &str| manifest(directory, name, &[member], &"0".repeat(32));
    with("x", "a", "b").unwrap();
    for bad in ["../x", "/x", "..", "a/b", "a\\b", "c:", ""] {
        for manifest in [with(bad, "a", "b"), with("x", bad, "b"), with("x", "a", bad)] {
            let message = manifest.unwrap_err().to_string();
            assert!(message.contains("expected a file or directory name, found"), "{message}");
        }
    }
}

#[test]
fn invalid_manifests_are_refused() {
    let complaint =
        |name: &str, members: &[&str], md5: &str| manifest("x", name, members, md5).unwrap_err().to_string();
    let md5 = "0".repeat(32);
    assert!(complaint("a", &["b", "b"], &md5).ends_with("x: duplicate name \"b\""));
    assert!(complaint("a", &["a"], &md5).ends_with("x: duplicate name \"a\""));
    for digest in ["", "0123", &"g".repeat(32), &"0".repeat(33)] {
        let message = complaint("a", &["b"], digest);
        let expected = format!("x: the MD5 of a should have 32 hexadecimal digits, found {digest:?}");
        assert!(message.ends_with(&expected), "{message}");
    }
}

/// A manifest with one entry of one file.
fn manifest(directory: &str, name: &str, members: &[&str], md5: &str) -> nc_data::Result<Manifest> {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("manifest.toml");
    let sha256 = "0".repeat(64);
    let text = format!(
        "[x]\nabout = \"\"\ndirectory = {directory:?}\n[[x.files]]\nname = {name:?}\nsize = 1\nmd5 = {md5:?}\n\
         sha256 = {sha256:?}\nmirrors = []\nmembers = {members:?}\n"
    );
    fs::write(&path, text).unwrap();
    Manifest::read(&path)
}
