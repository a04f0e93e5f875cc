//! Files fetched from mirrors, and kept only if they are what they should be.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::file;

/// Bytes between two calls of the progress callback.
const STEP: usize = 1 << 16;

/// A file that mirrors have: its name, its size and the SHA-256 of its bytes.
///
/// ```
/// use faltung::nn::data::RemoteFile;
///
/// let sum = "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6";
/// assert_eq!(RemoteFile::new("t10k-labels-idx1-ubyte.gz", 4542, sum)?.bytes(), 4542);
/// assert!(RemoteFile::new("../labels.gz", 4542, sum).is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    name: String,
    bytes: u64,
    sha256: String,
}

impl RemoteFile {
    /// A file by its name (without folders), its length in bytes and the 64 hexadecimal digits of its SHA-256.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name with folders, and a sum of other than 64 hexadecimal digits.
    ///
    /// ```
    /// # use faltung::nn::data::RemoteFile;
    /// assert!(RemoteFile::new("labels.gz", 4542, "f7ae60").is_err());
    /// ```
    pub fn new(name: &str, bytes: u64, sha256: &str) -> Result<Self> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '?', '#', ':']) {
            return Err(Error::argument("name", "a file's name, without folders", format!("{name:?}")));
        }
        if sha256.len() != 64 || !sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Error::argument("sha256", "64 hexadecimal digits", format!("{sha256:?}")));
        }
        Ok(Self { name: name.to_string(), bytes, sha256: sha256.to_ascii_lowercase() })
    }

    /// Its name.
    ///
    /// ```
    /// # use faltung::nn::data::RemoteFile;
    /// let sum = "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6";
    /// assert_eq!(RemoteFile::new("t10k-labels-idx1-ubyte.gz", 4542, sum)?.name(), "t10k-labels-idx1-ubyte.gz");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length in bytes.
    ///
    /// ```
    /// # use faltung::nn::data::RemoteFile;
    /// let sum = "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6";
    /// assert_eq!(RemoteFile::new("t10k-labels-idx1-ubyte.gz", 4542, sum)?.bytes(), 4542);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a folder has the file, with the right bytes.
    ///
    /// ```
    /// # use faltung::nn::data::RemoteFile;
    /// let sum = "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6";
    /// assert!(!RemoteFile::new("t10k-labels-idx1-ubyte.gz", 4542, sum)?.is_in("/no/such/folder"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_in(&self, folder: impl AsRef<Path>) -> bool {
        let path = folder.as_ref().join(&self.name);
        let right_size = fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == self.bytes);
        let sum = || -> io::Result<String> {
            let (mut sum, mut buffer, mut file) = (Sha256::new(), vec![0; STEP], File::open(&path)?);
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(hex(sum)),
                    n => sum.update(buffer.get(..n).unwrap_or_default()),
                }
            }
        };
        right_size && sum().is_ok_and(|sum| sum == self.sha256)
    }
}

/// Fetches files by HTTP from the first of several mirrors that has them.
///
/// What arrives is written aside and put in place only if its length and its SHA-256 are right; otherwise, and where a
/// mirror does not answer, the next one is asked. No more is read than the file's length. Proxies named by the
/// environment (`HTTPS_PROXY`, …) are used.
///
/// ```no_run
/// use faltung::nn::data::{Download, RemoteFile};
///
/// let labels = RemoteFile::new(
///     "t10k-labels-idx1-ubyte.gz",
///     4542,
///     "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
/// )?;
/// let mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist"];
/// Download::from(mirrors).fetch(&[labels], "data/mnist", |name, done, total| println!("{name}: {done} of {total}"))?;
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    mirrors: Vec<String>,
    silence: Duration,
    total: Duration,
}

impl Download {
    /// Downloads from these mirrors, each the URL of a folder, in the order in which they are asked.
    ///
    /// ```
    /// # use faltung::nn::data::Download;
    /// let download = Download::from(["https://example.org/mnist", "https://example.com/mnist/"]);
    /// assert_eq!(download.mirrors().len(), 2);
    /// ```
    pub fn from<S: Into<String>>(mirrors: impl IntoIterator<Item = S>) -> Self {
        let mirrors = mirrors.into_iter().map(Into::into).collect();
        Self { mirrors, silence: Duration::from_secs(15), total: Duration::from_secs(1800) }
    }

    /// How long a mirror may say nothing: while it is connected to, before it answers and between two pieces of what it
    /// sends; 15 s unless set.
    ///
    /// ```
    /// # use faltung::nn::data::Download;
    /// let download = Download::from(["https://example.org/mnist"]).silence(std::time::Duration::from_secs(5));
    /// ```
    pub fn silence(mut self, most: Duration) -> Self {
        self.silence = most;
        self
    }

    /// How long one file may take from one mirror; 30 min unless set.
    ///
    /// ```
    /// # use faltung::nn::data::Download;
    /// let download = Download::from(["https://example.org/mnist"]).total(std::time::Duration::from_secs(60));
    /// ```
    pub fn total(mut self, most: Duration) -> Self {
        self.total = most;
        self
    }

    /// The mirrors.
    ///
    /// ```
    /// # use faltung::nn::data::Download;
    /// assert_eq!(Download::from(["https://example.org/mnist"]).mirrors(), ["https://example.org/mnist"]);
    /// ```
    pub fn mirrors(&self) -> &[String] {
        &self.mirrors
    }

    /// Fetches the files that the folder lacks, or has with other bytes; makes the folder if need be.
    ///
    /// `progress` is called with a file's name, the bytes that have come and those that will: at its start, as they
    /// come, and at its end. Each mirror's attempt begins anew.
    ///
    /// # Errors
    /// [`Error::Other`] where a file cannot be had or not be written, with what each mirror said.
    ///
    /// ```no_run
    /// # use faltung::nn::data::Download;
    /// Download::from(["https://example.org/mnist"]).fetch(&[], "data/mnist", |_, _, _| ())?;
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn fetch(
        &self,
        files: &[RemoteFile],
        folder: impl AsRef<Path>,
        mut progress: impl FnMut(&str, u64, u64),
    ) -> Result<()> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|e| Error::other(format!("making the folder {}", folder.display()), e))?;
        let agent = ureq::Agent::config_builder()
            .timeout_resolve(Some(self.silence))
            .timeout_connect(Some(self.silence))
            .timeout_recv_response(Some(self.silence))
            .timeout_per_read(Some(self.silence))
            .timeout_global(Some(self.total))
            .user_agent(concat!("faltung/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        // A mirror that does not answer is asked once, not once a file.
        let mut first = 0;
        for file in files.iter().filter(|file| !file.is_in(folder)) {
            let mut said = Vec::new();
            let order = (0..self.mirrors.len()).map(|i| (first + i) % self.mirrors.len());
            let found =
                order.filter_map(|place| self.mirrors.get(place).map(|mirror| (place, mirror))).find(|(_, mirror)| {
                    let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
                    let got = fetch(&agent, &url, file, &folder.join(&file.name), &mut progress);
                    got.map_err(|e| said.push(format!("{url}: {e}"))).is_ok()
                });
            match found {
                Some((place, _)) => first = place,
                None if said.is_empty() => return Err(Error::argument("mirrors", "one or more", "none")),
                None => return Err(Error::other(format!("fetching {}", file.name), said.join("; "))),
            }
        }
        Ok(())
    }
}

fn fetch(
    agent: &ureq::Agent,
    url: &str,
    file: &RemoteFile,
    path: &Path,
    progress: &mut impl FnMut(&str, u64, u64),
) -> Result<()> {
    let broken = |e: ureq::Error| Error::other("the request failed", e);
    let mut response = agent.get(url).call().map_err(broken)?;
    let wrong = |given| Err(Error::argument(file.name.clone(), format!("{} bytes", file.bytes), given));
    if let Some(length) = response.body().content_length().filter(|&length| length != file.bytes) {
        return wrong(format!("{length} bytes"));
    }
    let mut body = response.body_mut().as_reader();
    file::replace(path, |to| {
        let (mut sum, mut done, mut buffer) = (Sha256::new(), 0u64, vec![0; STEP]);
        progress(&file.name, 0, file.bytes);
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) if done < file.bytes => return wrong(format!("an end behind {done} bytes")),
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::other(format!("the transfer broke off behind {done} bytes"), e)),
            };
            done += n as u64;
            if done > file.bytes {
                return wrong("more".to_string());
            }
            let bytes = buffer.get(..n).unwrap_or_default();
            sum.update(bytes);
            to.write_all(bytes).map_err(|e| Error::other(format!("writing {}", path.display()), e))?;
            progress(&file.name, done, file.bytes);
        }
        let sum = hex(sum);
        if sum != file.sha256 {
            return Err(Error::argument(file.name.clone(), format!("SHA-256 {}", file.sha256), sum));
        }
        Ok(())
    })
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
