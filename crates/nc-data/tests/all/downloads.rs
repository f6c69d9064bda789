//! Downloads, from a server of our own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use md5::{Digest, Md5};
use nc_data::{
    Error,
    download::{Entry, Fetcher, File, Manifest, install, is_installed},
};
use sha2::Sha256;

/// What the server does with a request whose range starts at the given byte.
type Answer = dyn Fn(usize, &str, usize, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A server on a port of its own, and the requests it got: path and start of the range.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Server {
    /// `answer` gets the number of the request, its path, the start of its range and the stream.
    fn start(
        answer: impl Fn(usize, &str, usize, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(vec![]));
        let (answer, seen): (Box<Answer>, _) = (Box::new(answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut path, mut start) = (String::new(), 0);
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap().to_lowercase();
                    if let Some(get) = line.strip_prefix("get ") {
                        get.split(' ').next().unwrap().clone_into(&mut path);
                    } else if let Some(range) = line.strip_prefix("range: bytes=") {
                        start = range.trim_end_matches('-').parse().unwrap();
                    } else if line.is_empty() {
                        break;
                    }
                }
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push((path.clone(), start));
                    seen.len() - 1
                };
                // A client that has heard enough hangs up.
                let _ = answer(number, &path, start, &mut stream);
            }
        });
        Self { url, requests }
    }

    fn starts(&self) -> Vec<usize> {
        self.requests.lock().unwrap().iter().map(|(_, start)| *start).collect()
    }
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")?;
    stream.write_all(body)
}

/// Answers as servers do that know ranges.
fn serve(stream: &mut TcpStream, content: &[u8], start: usize) -> std::io::Result<()> {
    let (left, len) = (content.len() - start, content.len());
    let length = format!("Content-Length: {left}\r\n");
    if start == 0 {
        return send(stream, "200 OK", &length, content);
    }
    let headers = format!("{length}Content-Range: bytes {start}-{}/{len}\r\n", len - 1);
    send(stream, "206 Partial Content", &headers, &content[start..])
}

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The manifest's line for `content`.
fn file(content: &[u8], mirrors: Vec<String>) -> File {
    File {
        name: "file.bin".into(),
        size: content.len() as u64,
        md5: hex(&Md5::digest(content)),
        sha256: hex(&Sha256::digest(content)),
        mirrors,
        members: vec![],
    }
}

fn fetcher() -> Fetcher {
    let mut fetcher = Fetcher::default();
    fetcher.pause = Duration::from_millis(1);
    fetcher
}

/// Fetches [`content`] from `server` into `directory`.
fn fetch(server: &Server, directory: &Path) -> Result<Vec<u8>, Error> {
    let file = file(&content(), vec![format!("{}/file.bin", server.url)]);
    let path = fetcher().fetch(&file, directory, &mut |_| {})?;
    assert!(!directory.join("file.bin.part").exists());
    Ok(fs::read(path).unwrap())
}

fn refusal(server: &Server) -> String {
    let directory = tempfile::tempdir().unwrap();
    let message = fetch(server, directory.path()).unwrap_err().to_string();
    assert!(!directory.path().join("file.bin").exists());
    message
}

#[test]
fn a_file_arrives_whole_and_progress_is_told() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    let mut heard = vec![];
    let file = file(&content(), vec![server.url.clone()]);
    let path = fetcher().fetch(&file, directory.path(), &mut |bytes| heard.push(bytes)).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert!(heard.is_sorted() && heard.last() == Some(&200_000), "{heard:?}");
}

#[test]
fn what_was_there_is_continued() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.bin.part"), &content()[..150_000]).unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [150_000]);
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let server = Server::start(|number, _, start, stream| {
        let content = content();
        if number < 6 {
            let headers = format!(
                "Content-Length: {}\r\nContent-Range: bytes {start}-199999/200000\r\n",
                content.len() - start
            );
            let status = if start == 0 { "200 OK" } else { "206 Partial Content" };
            return send(stream, status, &headers, &content[start..start + 10_000]);
        }
        serve(stream, &content, start)
    });
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let server = Server::start(|_, _, _, stream| serve(stream, &content(), 0));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.bin.part"), &content()[..150_000]).unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
}

#[test]
fn the_beginning_of_another_file_is_thrown_away() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    for length in [1000, 200_000, 300_000] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file.bin.part"), vec![1; length]).unwrap();
        assert_eq!(fetch(&server, directory.path()).unwrap(), content(), "{length}");
    }
}

#[test]
fn a_busy_server_is_asked_again_and_redirects_are_followed() {
    let server = Server::start(|number, path, start, stream| match number {
        0 => send(stream, "503 Service Unavailable", "Content-Length: 0\r\n", b""),
        1 => send(stream, "500 Internal Server Error", "Content-Length: 0\r\n", b""),
        _ if path == "/file.bin" => {
            send(stream, "302 Found", "Location: /elsewhere\r\nContent-Length: 0\r\n", b"")
        }
        _ => serve(stream, &content(), start),
    });
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
}

#[test]
fn wrong_answers_are_refused_and_say_why() {
    let not_found =
        Server::start(|_, _, _, stream| send(stream, "404 Not Found", "Content-Length: 0\r\n", b""));
    let message = refusal(&not_found);
    assert!(message.starts_with("cannot download file.bin: http://127.0.0.1:"), "{message}");
    assert!(message.ends_with("HTTP status 404"), "{message}");
    assert_eq!(not_found.starts().len(), 1);

    let down = Server::start(|_, _, _, stream| send(stream, "500 Oops", "Content-Length: 0\r\n", b""));
    assert!(refusal(&down).ends_with("HTTP status 500"));
    assert_eq!(down.starts().len(), 4);

    let page = Server::start(|_, _, _, stream| serve(stream, b"<html>Log in</html>", 0));
    assert!(refusal(&page).ends_with("has 19 bytes, not 200000"));

    let endless = Server::start(|_, _, _, stream| send(stream, "200 OK", "", &vec![0; 300_000]));
    assert!(refusal(&endless).ends_with("has more than 200000 bytes"));

    let wrong = Server::start(|_, _, start, stream| serve(stream, &vec![0; 200_000], start));
    let message = refusal(&wrong);
    assert!(message.contains("is another file: ") && message.contains("should have SHA-256"), "{message}");
}

#[test]
fn a_wrong_file_over_a_broken_line_is_given_up() {
    // Each connection breaks half way, and the whole is not the file.
    let server = Server::start(|_, _, start, stream| {
        let left = 200_000 - start;
        let headers = format!("Content-Length: {left}\r\nContent-Range: bytes {start}-199999/200000\r\n");
        let status = if start == 0 { "200 OK" } else { "206 Partial Content" };
        send(stream, status, &headers, &vec![0; left.min(100_000)])
    });
    assert!(refusal(&server).contains("is another file: "));
    assert_eq!(server.starts(), [0, 100_000, 0, 100_000]);
}

#[test]
fn the_next_mirror_is_tried() {
    let gone = Server::start(|_, _, _, stream| send(stream, "404 Not Found", "Content-Length: 0\r\n", b""));
    let there = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    let file = file(&content(), vec![gone.url, there.url]);
    let path = fetcher().fetch(&file, directory.path(), &mut |_| {}).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

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

/// Installs `archive`; everything that is then below the data directory.
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
fn only_the_members_of_the_manifest_come_out_of_an_archive() {
    use tar::EntryType::{Directory, Regular, Symlink};
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

    let (result, files) = installed(&archive(&[("set/a.bin", Regular, b"x"), ("set/b.bin", Symlink, b"")]));
    assert!(result.unwrap_err().to_string().ends_with("lacks b.bin in set"));
    assert_eq!(files, ["a.bin"]);
}

#[test]
fn a_damaged_file_is_not_installed() {
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
    assert!(!directory.path().join("set").exists());
}

#[test]
fn the_manifest_that_comes_along_is_sound() {
    let manifest = Manifest::built_in().unwrap();
    assert_eq!(manifest.entries.keys().collect::<Vec<_>>(), ["cifar10", "cifar100", "fashion-mnist"]);
    for file in manifest.entries.values().flat_map(|entry| &entry.files) {
        assert_eq!((file.md5.len(), file.sha256.len()), (32, 64), "{}", file.name);
        assert!(!file.mirrors.is_empty() && file.mirrors.iter().all(|url| url.ends_with(&file.name)));
    }
    // The digests that the authors publish.
    let md5 = |name: &str| manifest.entries[name].files[0].md5.as_str();
    assert_eq!(md5("cifar10"), "c32a1d4ab5d03f1284b67883e8d87530");
    assert_eq!(md5("cifar100"), "03b5dce01913d631647c71ecec9e9cb8");
}

#[test]
fn a_manifest_cannot_write_outside_the_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.toml");
    let with = |directory: &str, name: &str, member: &str| {
        let text = format!(
            "[x]\nabout = \"\"\ndirectory = {directory:?}\n[[x.files]]\nname = {name:?}\nsize = 1\nmd5 = \"\"\n\
             sha256 = \"\"\nmirrors = []\nmembers = [{member:?}]\n"
        );
        fs::write(&path, text).unwrap();
        Manifest::read(&path)
    };
    with("x", "a", "b").unwrap();
    for bad in ["../x", "/x", "..", "a/b", "a\\b", "c:", ""] {
        for manifest in [with(bad, "a", "b"), with("x", bad, "b"), with("x", "a", bad)] {
            let message = manifest.unwrap_err().to_string();
            assert!(message.ends_with("should be the name of a file or directory"), "{message}");
        }
    }
}
