use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Entry, File,
    digest::verify,
    install::{install, part_of},
};
use crate::{Error, Result};

/// Fetches files over HTTP.
pub struct Fetcher {
    agent: ureq::Agent,
    /// Pause before the first retry; doubled before each further one.
    pub pause: Duration,
}

/// Directory of downloads in progress, below the data directory.
const FETCHED: &str = ".nclt-download";

/// Consecutive tries without new bytes before a mirror is given up.
const TRIES: u32 = 4;

impl Default for Fetcher {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_mins(1)))
            // A stalled connection is resumed where it broke; a slow one has no overall time limit.
            .timeout_per_read(Some(Duration::from_mins(1)))
            .build();
        Self { agent: config.into(), pause: Duration::from_secs(1) }
    }
}

/// Failure of one try.
enum Failure {
    /// Temporary: another try may succeed.
    Passing(String),
    /// Permanent: this mirror does not serve the file.
    Lasting(String),
    /// Local: the file cannot be read or written here.
    Here(Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Passing(error.to_string())
    }
}

impl Fetcher {
    /// Fetches `file` into `directory`, replacing a file of its name, and checks its size and digests. An existing
    /// valid file is not fetched again. A partial download is kept as `NAME.part` and resumed. `progress` receives the
    /// number of bytes so far.
    ///
    /// # Errors
    ///
    /// [`Error::Download`] with the reason of each mirror; [`Error::Read`] and [`Error::Write`] name the path that
    /// could not be read or written.
    pub fn fetch(&self, file: &File, directory: &Path, progress: &mut dyn FnMut(u64)) -> Result<PathBuf> {
        let unwritable = |path: &Path, source| Error::Write { path: path.to_owned(), source };
        fs::create_dir_all(directory).map_err(|source| unwritable(directory, source))?;
        let path = directory.join(&file.name);
        if path.exists() && verify(file, &path).is_ok() {
            return Ok(path);
        }
        let part = part_of(&path);
        let mut reasons = vec![];
        if file.mirrors.is_empty() {
            reasons.push("the manifest lists no mirrors".into());
        }
        for mirror in &file.mirrors {
            let transfer = Transfer { agent: &self.agent, url: mirror, file, part: &part };
            match transfer.complete(self.pause, progress) {
                Ok(()) => {
                    fs::rename(&part, &path).map_err(|source| unwritable(&path, source))?;
                    return Ok(path);
                }
                Err(Failure::Here(error)) => return Err(error),
                Err(Failure::Passing(reason) | Failure::Lasting(reason)) => {
                    reasons.push(format!("{mirror}: {reason}"));
                }
            }
        }
        Err(Error::Download { name: file.name.clone(), reasons: reasons.join("; ") })
    }

    /// [Fetches](Self::fetch) `file` of `entry` and [installs](install) it below `data`. The download goes to a
    /// separate directory there, because the user may have files of its name, and is removed after installation.
    ///
    /// # Errors
    ///
    /// Those of [`Fetcher::fetch`] and [`install`].
    pub fn install(
        &self,
        entry: &Entry,
        file: &File,
        data: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let place = data.join(FETCHED).join(&entry.directory);
        let fetched = self.fetch(file, &place, progress)?;
        install(entry, file, &fetched, data)?;
        fs::remove_file(&fetched).map_err(|source| Error::Write { path: fetched.clone(), source })?;
        // Fails if other files of the entry are still being fetched.
        for directory in [place, data.join(FETCHED)] {
            let _ = fs::remove_dir(directory);
        }
        Ok(())
    }
}

/// One file from one mirror.
struct Transfer<'a> {
    agent: &'a ureq::Agent,
    url: &'a str,
    file: &'a File,
    /// The partial file.
    part: &'a Path,
}

impl Transfer<'_> {
    /// Resumes the partial file until it is complete and verified.
    fn complete(&self, pause: Duration, progress: &mut dyn FnMut(u64)) -> std::result::Result<(), Failure> {
        let Self { file, part, .. } = *self;
        // The existing part, from an earlier run or before a broken connection, may belong to another file: restart
        // once.
        let (mut tries, mut resumed, mut restarted) = (0, length(part) > 0, false);
        loop {
            let before = length(part);
            let advanced = if before == file.size { Ok(()) } else { self.advance(progress) };
            match advanced {
                Ok(()) => match verify(file, part) {
                    Ok(()) => return Ok(()),
                    Err(error @ Error::Read { .. }) => return Err(Failure::Here(error)),
                    Err(error) => {
                        discard(part)?;
                        if restarted || !resumed {
                            return Err(Failure::Lasting(format!("serves a different file: {error}")));
                        }
                        restarted = true;
                    }
                },
                Err(Failure::Passing(reason)) => {
                    tries = if length(part) > before { 0 } else { tries + 1 };
                    resumed |= length(part) > 0;
                    if tries == TRIES {
                        return Err(Failure::Lasting(reason));
                    }
                    std::thread::sleep(pause * (1 << tries.saturating_sub(1)));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Appends the rest of `url` to `part`.
    fn advance(&self, progress: &mut dyn FnMut(u64)) -> std::result::Result<(), Failure> {
        let Self { agent, url, file, part } = *self;
        if length(part) > file.size {
            discard(part)?;
        }
        let mut at = length(part);
        let mut request = agent.get(url);
        if at > 0 {
            request = request.header("Range", format!("bytes={at}-"));
        }
        let mut response = request.call().map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects => Failure::Lasting(error.to_string()),
            other => Failure::Passing(other.to_string()),
        })?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        match response.status().as_u16() {
            206 if header("content-range")
                .is_some_and(|range| range.starts_with(&format!("bytes {at}-"))) => {}
            // The server ignores ranges: restart.
            200 => at = 0,
            206 | 416 => {
                discard(part)?;
                return Err(Failure::Passing("cannot resume the download".into()));
            }
            status @ (408 | 429 | 500..) => return Err(Failure::Passing(format!("HTTP status {status}"))),
            status => return Err(Failure::Lasting(format!("HTTP status {status}"))),
        }
        // For example, the login page of a proxy.
        if header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(Failure::Lasting("returned a web page instead of the file".into()));
        }
        let announced = header("content-length").and_then(|length| length.parse::<u64>().ok());
        if let Some(left) = announced.filter(|left| at.checked_add(*left) != Some(file.size)) {
            let found = at.saturating_add(left);
            return Err(Failure::Lasting(format!("expected {} bytes, found {found}", file.size)));
        }
        let here = |source| Failure::Here(Error::Write { path: part.to_owned(), source });
        let mut grown =
            fs::OpenOptions::new().create(true).write(true).truncate(false).open(part).map_err(here)?;
        grown.set_len(at).map_err(here)?;
        grown.seek(SeekFrom::Start(at)).map_err(here)?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = body.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            at += n as u64;
            if at > file.size {
                drop(grown);
                discard(part)?;
                return Err(Failure::Lasting(format!("expected {} bytes, found more", file.size)));
            }
            grown.write_all(&buffer[..n]).map_err(here)?;
            progress(at);
        }
        grown.sync_all().map_err(here)?;
        if at < file.size {
            return Err(Failure::Passing(format!("ended after {at} of {} bytes", file.size)));
        }
        Ok(())
    }
}

fn length(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |metadata| metadata.len())
}

fn discard(part: &Path) -> std::result::Result<(), Failure> {
    match fs::remove_file(part) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Failure::Here(Error::Write { path: part.to_owned(), source }))
        }
        _ => Ok(()),
    }
}
