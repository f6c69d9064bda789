//! HTTP test server with scripted answers.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Answer to a request whose range starts at the given byte.
type Answer = dyn Fn(usize, &str, usize, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A server on a free port, and the path and range start of each request.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) requests: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Server {
    /// `answer` receives the request number, path, range start and stream.
    pub(crate) fn start(
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
                // The client may hang up early.
                let _ = answer(number, &path, start, &mut stream);
            }
        });
        Self { url, requests }
    }

    pub(crate) fn starts(&self) -> Vec<usize> {
        self.requests.lock().unwrap().iter().map(|(_, start)| *start).collect()
    }
}

pub(crate) fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")?;
    stream.write_all(body)
}

/// Answers like a server with range support.
pub(crate) fn serve(stream: &mut TcpStream, content: &[u8], start: usize) -> std::io::Result<()> {
    let (left, len) = (content.len() - start, content.len());
    let length = format!("Content-Length: {left}\r\n");
    if start == 0 {
        return send(stream, "200 OK", &length, content);
    }
    let headers = format!("{length}Content-Range: bytes {start}-{}/{len}\r\n", len - 1);
    send(stream, "206 Partial Content", &headers, &content[start..])
}
