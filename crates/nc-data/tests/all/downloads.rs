//! Downloads from a local test server.

use std::{fs, path::Path, time::Duration};

use md5::{Digest, Md5};
use nc_data::{
    Error,
    download::{Entry, Fetcher, File},
};
use sha2::Sha256;

use crate::server::{Server, send, serve};

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The manifest entry of a file with this `content`.
pub(crate) fn file(content: &[u8], mirrors: Vec<String>) -> File {
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
fn complete_downloads_report_progress() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    let mut heard = vec![];
    let file = file(&content(), vec![server.url.clone()]);
    let path = fetcher().fetch(&file, directory.path(), &mut |bytes| heard.push(bytes)).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert!(heard.is_sorted() && heard.last() == Some(&200_000), "{heard:?}");
}

#[test]
fn partial_downloads_are_resumed() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.bin.part"), &content()[..150_000]).unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [150_000]);
}

#[test]
fn valid_existing_files_are_not_fetched_again() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.bin"), content()).unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [0usize; 0]);
    fs::write(directory.path().join("file.bin"), "another").unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [0]);
}

#[test]
fn installation_leaves_no_temporary_files() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let data = tempfile::tempdir().unwrap();
    let file = file(&content(), vec![server.url.clone()]);
    let entry = Entry { about: "a test".into(), directory: "set".into(), files: vec![file] };
    // An interrupted download is resumed.
    let place = data.path().join(".nclt-download/set");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("file.bin.part"), &content()[..150_000]).unwrap();
    fetcher().install(&entry, &entry.files[0], data.path(), &mut |_| {}).unwrap();
    assert_eq!(server.starts(), [150_000]);
    assert_eq!(fs::read(data.path().join("set/file.bin")).unwrap(), content());
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
}

#[test]
fn broken_connections_resume_where_they_broke() {
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
fn servers_without_ranges_restart_the_download() {
    let server = Server::start(|_, _, _, stream| serve(stream, &content(), 0));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.bin.part"), &content()[..150_000]).unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
}

#[test]
fn partial_files_of_other_content_are_discarded() {
    let server = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    for length in [1000, 200_000, 300_000] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file.bin.part"), vec![1; length]).unwrap();
        assert_eq!(fetch(&server, directory.path()).unwrap(), content(), "{length}");
    }
}

#[test]
fn busy_servers_are_retried_and_redirects_followed() {
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
fn wrong_answers_are_refused_with_the_reason() {
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
    assert!(refusal(&page).ends_with("expected 200000 bytes, found 19"));

    let endless = Server::start(|_, _, _, stream| send(stream, "200 OK", "", &vec![0; 300_000]));
    assert!(refusal(&endless).ends_with("expected 200000 bytes, found more"));

    let wrong = Server::start(|_, _, start, stream| serve(stream, &vec![0; 200_000], start));
    let message = refusal(&wrong);
    assert!(
        message.contains("serves a different file: ") && message.contains("should have SHA-256"),
        "{message}"
    );
}

#[test]
fn wrong_content_over_broken_connections_is_given_up() {
    // Each connection breaks half way, and the complete content is wrong.
    let server = Server::start(|_, _, start, stream| {
        let left = 200_000 - start;
        let headers = format!("Content-Length: {left}\r\nContent-Range: bytes {start}-199999/200000\r\n");
        let status = if start == 0 { "200 OK" } else { "206 Partial Content" };
        send(stream, status, &headers, &vec![0; left.min(100_000)])
    });
    assert!(refusal(&server).contains("serves a different file: "));
    assert_eq!(server.starts(), [0, 100_000, 0, 100_000]);
}

#[test]
fn mirrors_are_tried_in_turn() {
    let gone = Server::start(|_, _, _, stream| send(stream, "404 Not Found", "Content-Length: 0\r\n", b""));
    let there = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    let file = file(&content(), vec![gone.url, there.url]);
    let path = fetcher().fetch(&file, directory.path(), &mut |_| {}).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

#[test]
fn truncated_bodies_without_a_length_are_refused() {
    // Without length and ranges, the client cannot detect that the connection broke.
    let server = Server::start(|_, _, _, stream| send(stream, "200 OK", "", &content()[..100_000]));
    assert!(refusal(&server).ends_with("ended after 100000 of 200000 bytes"));
    assert_eq!(server.starts(), [0, 100_000, 100_000, 100_000, 100_000]);
}

#[test]
fn redirects_keep_the_range_and_are_limited() {
    let server = Server::start(|_, path, start, stream| match path {
        "/elsewhere" => serve(stream, &content(), start),
        _ => send(stream, "307 Temporary Redirect", "Location: /elsewhere\r\nContent-Length: 0\r\n", b""),
    });
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.bin.part"), &content()[..150_000]).unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [150_000, 150_000]);

    let round = Server::start(|_, _, _, stream| {
        send(stream, "302 Found", "Location: /\r\nContent-Length: 0\r\n", b"")
    });
    assert!(refusal(&round).ends_with("too many redirects"));
}

#[test]
fn answers_with_a_wrong_range_restart_the_download() {
    for (status, headers) in [
        ("416 Range Not Satisfiable", ""),
        ("206 Partial Content", ""),
        ("206 Partial Content", "Content-Range: bytes 0-49999/200000\r\n"),
    ] {
        let server = Server::start(move |_, _, start, stream| match start {
            0 => serve(stream, &content(), 0),
            _ => send(stream, status, headers, &content()[..50_000]),
        });
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file.bin.part"), &content()[..150_000]).unwrap();
        assert_eq!(fetch(&server, directory.path()).unwrap(), content(), "{status} {headers}");
        assert_eq!(server.starts(), [150_000, 0]);
    }
}

#[test]
fn files_that_change_during_a_download_are_restarted() {
    let server = Server::start(|number, _, start, stream| match number {
        0 => send(stream, "200 OK", "Content-Length: 200000\r\n", &vec![7; 100_000]),
        _ => serve(stream, &content(), start),
    });
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server, directory.path()).unwrap(), content());
    assert_eq!(server.starts(), [0, 100_000, 0]);
}

#[test]
fn web_pages_are_refused_and_leave_no_file() {
    let page = Server::start(|_, _, _, stream| {
        send(stream, "200 OK", "Content-Type: text/html; charset=utf-8\r\n", b"<html>Log in</html>")
    });
    assert!(refusal(&page).ends_with("returned a web page instead of the file"));
    assert_eq!(page.starts(), [0]);
    // Without a content type, a page cannot be distinguished from the file until the download is complete.
    let unnamed = Server::start(|_, _, _, stream| send(stream, "200 OK", "", b"<html>Log in</html>"));
    let there = Server::start(|_, _, start, stream| serve(stream, &content(), start));
    let directory = tempfile::tempdir().unwrap();
    let file = file(&content(), vec![page.url, unnamed.url, there.url.clone()]);
    let path = fetcher().fetch(&file, directory.path(), &mut |_| {}).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(there.starts(), [19, 0]);
}
