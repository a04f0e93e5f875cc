//! The chunks of a RIFF file: found here, so that hound sees a `fmt ` chunk and the samples behind it and nothing else.
//!
//! hound reads chunks too, but not the byte that pads one of odd length, and takes a declared length for granted.

use std::io::{self, Read};

use crate::error::{Error, Result};

/// A `fmt ` chunk of 18 bytes has a 16-bit field for the bytes that follow.
const LONGEST_FORMAT: u32 = 18 + u16::MAX as u32;

/// The length that a writer leaves which could not go back to say how much it wrote.
const UNKNOWN: u32 = u32::MAX;

const EXTENSIBLE: u16 = 0xfffe;

/// The two chunks of a WAV file that matter.
pub(super) struct Chunks {
    format: Vec<u8>,
    data: Vec<u8>,
}

impl Chunks {
    /// Reads to the end of the first `data` chunk. No more memory is taken than the file fills.
    pub(super) fn read(mut reader: impl Read) -> Result<Self> {
        let mut riff = [0; 12];
        fill(&mut reader, &mut riff, "the RIFF header")?;
        check_container(&riff)?;
        let mut format = None;
        loop {
            let mut header = [0; 8];
            fill(&mut reader, &mut header, "the header of the next chunk, with no data chunk before it")?;
            let [a, b, c, d, length @ ..] = header;
            let length = u32::from_le_bytes(length);
            match &[a, b, c, d] {
                b"fmt " if length > LONGEST_FORMAT => {
                    return Err(Error::argument("fmt chunk", format!("at most {LONGEST_FORMAT} bytes"), length));
                }
                b"fmt " => {
                    format = Some(body(&mut reader, length, "fmt chunk")?);
                    skip(&mut reader, length % 2)?;
                }
                b"data" => {
                    let Some(format) = format else {
                        return Err(Error::argument("WAV file", "a fmt chunk before the data chunk", "none"));
                    };
                    let mut chunks = Self { format, data: body(&mut reader, length, "data chunk")? };
                    if length == UNKNOWN {
                        chunks.keep_whole_frames();
                    }
                    chunks.use_whole_containers();
                    return Ok(chunks);
                }
                _ => {
                    skip(&mut reader, length)?;
                    skip(&mut reader, length % 2)?;
                }
            }
        }
    }

    /// The same sound as a WAV file that hound reads.
    pub(super) fn file(&self) -> impl Read + '_ {
        let (format, data) = (self.format.len() as u32, self.data.len() as u32);
        let mut header = Vec::with_capacity(self.format.len() + 28);
        header.extend(b"RIFF");
        header.extend(format.saturating_add(data).saturating_add(20).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(format.to_le_bytes());
        header.extend(&self.format);
        header.extend(b"data");
        header.extend(data.to_le_bytes());
        io::Cursor::new(header).chain(&*self.data)
    }

    /// What the `fmt ` chunk says, for messages.
    pub(super) fn describe(&self) -> String {
        let (Some(tag), Some(channels), Some(block), Some(bits)) =
            (self.field(0), self.field(2), self.field(12), self.field(14))
        else {
            return format!("a fmt chunk of {} bytes", self.format.len());
        };
        let rate = self.field(4).unwrap_or(0) as u32 | (self.field(6).unwrap_or(0) as u32) << 16;
        let tag = match (tag, self.field(24)) {
            (EXTENSIBLE, Some(tag)) => tag,
            _ => tag,
        };
        let encoding = match tag {
            1 => "integers".into(),
            2 => "ADPCM".into(),
            3 => "floating point numbers".into(),
            6 => "A-law".into(),
            7 => "mu-law".into(),
            other => format!("format {other:#06x}"),
        };
        format!("{encoding} of {bits} bits, {channels} channels, blocks of {block} bytes, {rate} Hz")
    }

    /// A little-endian 16-bit field of the `fmt ` chunk.
    fn field(&self, at: usize) -> Option<u16> {
        self.format.get(at..at + 2).map(|b| u16::from(b[0]) | u16::from(b[1]) << 8)
    }

    /// Leaves out what a writer that was cut short had begun.
    fn keep_whole_frames(&mut self) {
        if let Some(block @ 1..) = self.field(12) {
            let whole = self.data.len() - self.data.len() % usize::from(block);
            self.data.truncate(whole);
        }
    }

    /// WAVEFORMATEXTENSIBLE tells apart the bits of a sample's container and the valid ones among them, which are the
    /// highest: a sample is its whole container. hound would take the lowest.
    fn use_whole_containers(&mut self) {
        if self.field(0) == Some(EXTENSIBLE) && self.format.len() >= 20 {
            self.format.copy_within(14..16, 18);
        }
    }
}

/// The container's kind and its content's: the first four bytes and the last four.
fn check_container(header: &[u8; 12]) -> Result<()> {
    let [a, b, c, d, _, _, _, _, kind @ ..] = header;
    let given = match (&[*a, *b, *c, *d], kind) {
        (b"RIFF", b"WAVE") => return Ok(()),
        (b"RIFF", _) => format!("type {}", kind.escape_ascii()),
        (b"RIFX", _) => "a big-endian one (RIFX)".into(),
        (b"RF64", _) => "one with 64-bit lengths (RF64)".into(),
        (other, _) => format!("one that begins with {}", other.escape_ascii()),
    };
    Err(Error::argument("WAV file", "a little-endian RIFF file of type WAVE", given))
}

fn fill(reader: &mut impl Read, bytes: &mut [u8], what: &'static str) -> Result<()> {
    reader.read_exact(bytes).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => Error::argument("WAV file", what, "the end of the file"),
        _ => Error::other("reading a WAV file", e),
    })
}

/// The bytes of a chunk. The buffer grows as they come, whatever length is declared.
fn body(reader: &mut impl Read, length: u32, what: &'static str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(length.into()).read_to_end(&mut bytes).map_err(|e| Error::other("reading a WAV file", e))?;
    if bytes.len() as u64 == u64::from(length) || length == UNKNOWN {
        return Ok(bytes);
    }
    Err(Error::argument(what, format!("{length} bytes, as its header says"), format!("{}, cut short", bytes.len())))
}

fn skip(reader: &mut impl Read, length: u32) -> Result<()> {
    let skipped = io::copy(&mut reader.take(length.into()), &mut io::sink());
    let skipped = skipped.map_err(|e| Error::other("reading a WAV file", e))?;
    if skipped == u64::from(length) {
        return Ok(());
    }
    Err(Error::argument("chunk", format!("{length} bytes, as its header says"), format!("{skipped}, cut short")))
}
