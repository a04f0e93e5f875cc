//! Lines of files of any size and any bytes: bounded, numbered, decoded.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// How the bytes of a text file become characters.
///
/// ```
/// use faltung::text::{Encoding, Lines};
///
/// let caf = b"caf\xe9"; // as TREC's questions are written
/// assert!(Lines::new(&caf[..]).next().unwrap().is_err());
/// assert_eq!(Lines::new(&caf[..]).encoding(Encoding::Latin1).next().unwrap()?, "café");
/// assert_eq!(Lines::new(&caf[..]).encoding(Encoding::Utf8Lossy).next().unwrap()?, "caf\u{fffd}");
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8; anything else is an error that names the line. The default.
    #[default]
    Utf8,
    /// UTF-8, in which each invalid sequence becomes U+FFFD.
    Utf8Lossy,
    /// ISO 8859-1: the byte `b` is the character U+00`b`. No bytes are invalid.
    Latin1,
}

/// The largest line, in bytes, unless another limit is set: 1 MiB, four hundred times a line of 300 values.
pub(super) const LINE_LIMIT: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a text, one after the other, as an iterator of `Result<String>`.
///
/// A line ends with LF or CR LF, which are not part of it; characters that other tools end lines at (U+0085, U+2028)
/// do not end it. A UTF-8 byte order mark before the first line is left out. Lines longer than the
/// [limit](Self::limit) are refused before they are held in memory. After an error there are no more lines.
///
/// ```
/// use faltung::text::Lines;
///
/// let lines: Result<Vec<String>, _> = Lines::new("\u{feff}one\r\n\ntwo".as_bytes()).collect();
/// assert_eq!(lines?, ["one", "", "two"]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    name: String,
    encoding: Encoding,
    limit: usize,
    number: u64,
    buffer: Vec<u8>,
    decoded: String,
    ended: bool,
}

impl Lines<BufReader<File>> {
    /// The lines of a file.
    ///
    /// # Errors
    /// [`Error::Other`] where the file cannot be opened.
    ///
    /// ```no_run
    /// use faltung::text::{Encoding, Lines};
    ///
    /// for line in Lines::open("rt-polarity.pos")?.encoding(Encoding::Latin1) {
    ///     println!("{}", line?);
    /// }
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::other(format!("opening {}", path.display()), e))?;
        Ok(Self { name: path.display().to_string(), ..Self::new(BufReader::with_capacity(1 << 16, file)) })
    }
}

impl<R: BufRead> Lines<R> {
    /// The lines that a reader gives.
    ///
    /// ```
    /// assert_eq!(faltung::text::Lines::new("a\nb\n".as_bytes()).count(), 2);
    /// ```
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            name: "the text".to_string(),
            encoding: Encoding::Utf8,
            limit: LINE_LIMIT,
            number: 0,
            buffer: Vec::new(),
            decoded: String::new(),
            ended: false,
        }
    }

    /// How bytes become characters; [`Encoding::Utf8`] unless set.
    ///
    /// ```
    /// use faltung::text::{Encoding, Lines};
    /// let mut lines = Lines::new(&b"\xbfno?"[..]).encoding(Encoding::Latin1);
    /// assert_eq!(lines.next().unwrap()?, "¿no?");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The longest line that is read, in bytes without its end; 1 MiB unless set.
    ///
    /// ```
    /// use faltung::text::Lines;
    /// let mut lines = Lines::new("four\nfive5\n".as_bytes()).limit(4);
    /// assert_eq!(lines.next().unwrap()?, "four");
    /// assert!(lines.next().unwrap().is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Lines read so far, which is the number of the last one, counted from 1.
    ///
    /// ```
    /// let mut lines = faltung::text::Lines::new("a\nb\n".as_bytes());
    /// lines.next();
    /// assert_eq!(lines.number(), 1);
    /// ```
    pub fn number(&self) -> u64 {
        self.number
    }

    /// An error at the last line read.
    #[cold]
    pub(super) fn error(&self, text: &str, reason: impl std::fmt::Display) -> Error {
        Error::parse(text, format!("{}, line {}: {reason}", self.name, self.number))
    }

    /// The next line, which lives until the one behind it is asked for; `None` at the end.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>> {
        let bytes = match self.next_bytes() {
            Ok(Some(length)) => length,
            other => {
                self.ended = true;
                return other.map(|_| None);
            }
        };
        let bytes = &self.buffer[..bytes];
        let invalid = match self.encoding {
            Encoding::Latin1 => {
                self.decoded.clear();
                self.decoded.extend(bytes.iter().map(|&b| char::from(b)));
                return Ok(Some(&self.decoded));
            }
            Encoding::Utf8Lossy => {
                self.decoded.clear();
                self.decoded.push_str(&String::from_utf8_lossy(bytes));
                return Ok(Some(&self.decoded));
            }
            Encoding::Utf8 => std::str::from_utf8(bytes).err(),
        };
        if let Some(invalid) = invalid {
            self.ended = true;
            let reason = format!("byte {} is not UTF-8 (another Encoding may fit)", invalid.valid_up_to());
            return Err(self.error(&String::from_utf8_lossy(bytes), reason));
        }
        Ok(std::str::from_utf8(bytes).ok())
    }

    /// Fills the buffer with the next line, and tells its length without its end.
    fn next_bytes(&mut self) -> Result<Option<usize>> {
        if self.ended {
            return Ok(None);
        }
        self.buffer.clear();
        // Room for the mark and a CR LF besides.
        let most = u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(5);
        let read = (&mut self.reader).take(most).read_until(b'\n', &mut self.buffer);
        let doing = || format!("reading {} behind line {}", self.name, self.number);
        if read.map_err(|e| Error::other(doing(), e))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && self.encoding != Encoding::Latin1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        if self.buffer.ends_with(b"\n") {
            self.buffer.pop();
            if self.buffer.ends_with(b"\r") {
                self.buffer.pop();
            }
        }
        if self.buffer.len() > self.limit {
            let start = String::from_utf8_lossy(&self.buffer[..self.limit.min(40)]).into_owned();
            return Err(self.error(&start, format!("longer than {} bytes", self.limit)));
        }
        Ok(Some(self.buffer.len()))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map(|line| line.map(str::to_string)).transpose()
    }
}
