//! Tokens and their numbers.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use super::lines::Lines;
use crate::error::{Error, Result};
use crate::file;

/// The id of the padding entry.
pub const PADDING: u32 = 0;

/// The id of the entry that stands for every token that the vocabulary lacks.
pub const UNKNOWN: u32 = 1;

/// A list of tokens, in which each has its number, the id: 0 is the padding entry, 1 the unknown entry, and then come
/// the tokens.
///
/// ```
/// use faltung::text::Vocabulary;
///
/// let vocabulary = Vocabulary::of(["to", "be", "or", "not", "to", "be"])?;
/// assert_eq!(vocabulary.tokens().collect::<Vec<_>>(), ["<pad>", "<unk>", "to", "be", "or", "not"]);
/// assert_eq!(vocabulary.encode(["not", "to", "die"]), [5, 2, 1]);
/// assert_eq!(vocabulary.decode(&[5, 2, 1])?, ["not", "to", "<unk>"]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
}

impl Vocabulary {
    /// All tokens that occur, the most frequent first.
    ///
    /// # Errors
    /// As [`VocabularyBuilder::build`].
    ///
    /// ```
    /// use faltung::text::Vocabulary;
    /// assert_eq!(Vocabulary::of(["b", "a", "a"])?.id("a"), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn of<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut builder = Self::builder();
        builder.count(tokens);
        builder.build()
    }

    /// Counts tokens, and then makes a vocabulary of those that are frequent enough.
    ///
    /// ```
    /// use faltung::text::{Tokenizer, Vocabulary};
    ///
    /// let tokenizer = Tokenizer::new();
    /// let mut builder = Vocabulary::builder().minimum_count(2);
    /// for sentence in ["A rose is a rose.", "Is it?"] {
    ///     builder.count(tokenizer.tokens(sentence));
    /// }
    /// let vocabulary = builder.build()?;
    /// assert_eq!(vocabulary.tokens().skip(2).collect::<Vec<_>>(), ["a", "rose", "is"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn builder() -> VocabularyBuilder {
        VocabularyBuilder::default()
    }

    /// The two special entries, to which [`push`](Self::push) adds tokens.
    pub(super) fn special(padding: &str, unknown: &str) -> Result<Self> {
        let mut empty = Self { tokens: Vec::new(), ids: HashMap::new() };
        for (argument, name) in [("padding", padding), ("unknown", unknown)] {
            if !is_line(name) || name.starts_with('\u{feff}') {
                let expected =
                    "a name of at least one character, without line break, CR at its end and byte order mark";
                return Err(Error::argument(argument, expected, format!("{name:?}")));
            }
            if empty.push(name)?.is_none() {
                return Err(Error::argument(argument, "a name of its own", format!("{name:?}, the padding's name")));
            }
        }
        Ok(empty)
    }

    /// Adds a token behind the others; `None` where it is there already.
    pub(super) fn push(&mut self, token: &str) -> Result<Option<u32>> {
        if self.ids.contains_key(token) {
            return Ok(None);
        }
        let id = u32::try_from(self.tokens.len()).map_err(|_| Error::overflow("the number of tokens"))?;
        let token: Arc<str> = token.into();
        self.tokens.push(token.clone());
        self.ids.insert(token, id);
        Ok(Some(id))
    }

    /// Entries, the two special ones among them.
    ///
    /// ```
    /// assert_eq!(faltung::text::Vocabulary::of(["a", "b"])?.len(), 4);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The id of a token, and [`UNKNOWN`] for one that is not there.
    ///
    /// ```
    /// use faltung::text::{UNKNOWN, Vocabulary};
    /// assert_eq!(Vocabulary::of(["a"])?.id("b"), UNKNOWN);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn id(&self, token: &str) -> u32 {
        self.get(token).unwrap_or(UNKNOWN)
    }

    /// The id of a token that is there. The special entries are found by their names.
    ///
    /// ```
    /// let vocabulary = faltung::text::Vocabulary::of(["a"])?;
    /// assert_eq!((vocabulary.get("a"), vocabulary.get("b")), (Some(2), None));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn get(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// The token with this id.
    ///
    /// ```
    /// let vocabulary = faltung::text::Vocabulary::of(["a"])?;
    /// assert_eq!((vocabulary.token(2), vocabulary.token(3)), (Some("a"), None));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(usize::try_from(id).ok()?).map(AsRef::as_ref)
    }

    /// All entries in the order of their ids.
    ///
    /// ```
    /// let vocabulary = faltung::text::Vocabulary::of(["a"])?;
    /// assert_eq!(vocabulary.tokens().last(), Some("a"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.tokens.iter().map(AsRef::as_ref)
    }

    /// The ids of tokens, [`UNKNOWN`] for those that are not there.
    ///
    /// ```
    /// use faltung::text::{Tokenizer, Vocabulary};
    /// let vocabulary = Vocabulary::of(["good"])?;
    /// assert_eq!(vocabulary.encode(Tokenizer::new().tokens("Good grief")), [2, 1]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn encode<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> Vec<u32> {
        tokens.into_iter().map(|token| self.id(token.as_ref())).collect()
    }

    /// The tokens with these ids.
    ///
    /// # Errors
    /// [`Error::Argument`] for an id that is none of the vocabulary's.
    ///
    /// ```
    /// let vocabulary = faltung::text::Vocabulary::of(["good"])?;
    /// assert_eq!(vocabulary.decode(&[2, 0])?, ["good", "<pad>"]);
    /// assert!(vocabulary.decode(&[3]).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<&str>> {
        let token = |&id| self.token(id).ok_or_else(|| beyond(id, self.len()));
        ids.iter().map(token).collect()
    }

    /// Writes the vocabulary as UTF-8 text, an entry a line in the order of ids.
    ///
    /// # Errors
    /// [`Error::Argument`] for a token that no line can hold: an empty one, one with a line feed, or with a carriage
    /// return at its end; [`Error::Other`] where the writer fails.
    ///
    /// ```
    /// let mut text = Vec::new();
    /// faltung::text::Vocabulary::of(["good"])?.write(&mut text)?;
    /// assert_eq!(text, b"<pad>\n<unk>\ngood\n");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn write(&self, mut writer: impl Write) -> Result<()> {
        for token in self.tokens() {
            if !is_line(token) {
                let expected = "tokens of at least one character, without line break and CR at their end";
                return Err(Error::argument("vocabulary", expected, format!("{token:?}")));
            }
            writeln!(writer, "{token}").map_err(|e| Error::other("writing a vocabulary", e))?;
        }
        Ok(())
    }

    /// Reads what [`write`](Self::write) writes: padding, unknown and then the tokens, an entry a line. Lines may end
    /// with LF or CR LF, and a byte order mark may stand before the first.
    ///
    /// # Errors
    /// [`Error::Parse`] with the line's number for an entry that is empty, ends with a carriage return or stands
    /// there twice, a line that is not UTF-8 or longer than 1 MiB, and a text of less than two lines; [`Error::Other`] where the reader fails.
    ///
    /// ```
    /// use faltung::text::Vocabulary;
    /// assert_eq!(Vocabulary::read("<pad>\n<unk>\ngood\n".as_bytes())?.id("good"), 2);
    /// assert!(Vocabulary::read("<pad>\n<unk>\ngood\ngood\n".as_bytes()).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn read(reader: impl BufRead) -> Result<Self> {
        Self::read_lines(Lines::new(reader))
    }

    fn read_lines(mut lines: Lines<impl BufRead>) -> Result<Self> {
        let mut vocabulary = Self { tokens: Vec::new(), ids: HashMap::new() };
        while let Some(token) = lines.next_line()? {
            let reason = match token {
                "" => "an empty entry",
                _ if !is_line(token) => "an entry that ends with a carriage return",
                _ if vocabulary.push(token)?.is_none() => "this entry stands in an earlier line",
                _ => continue,
            };
            let token = token.to_string();
            return Err(lines.error(&token, reason));
        }
        if vocabulary.len() < 2 {
            return Err(lines.error("", "a vocabulary begins with its padding and its unknown entry"));
        }
        Ok(vocabulary)
    }

    /// Writes the vocabulary to a file, as [`write`](Self::write) does; a failure leaves what was there.
    ///
    /// # Errors
    /// As [`write`](Self::write), and [`Error::Other`] where the file cannot be written.
    ///
    /// ```no_run
    /// use faltung::text::Vocabulary;
    /// Vocabulary::of(["good"])?.save("vocabulary.txt")?;
    /// assert_eq!(Vocabulary::load("vocabulary.txt")?.len(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        file::replace(path.as_ref(), |file| self.write(file))
    }

    /// Reads a file as [`read`](Self::read) does.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`Error::Other`] where the file cannot be opened.
    ///
    /// ```
    /// assert!(faltung::text::Vocabulary::load("/no/such/file").is_err());
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_lines(Lines::open(path)?)
    }
}

/// Whether a token can be a line of a file. A CR before the line's end would be taken for a part of it.
fn is_line(token: &str) -> bool {
    !token.is_empty() && !token.contains('\n') && !token.ends_with('\r')
}

/// The error for an id that a vocabulary or table of `len` entries does not have.
#[cold]
pub(super) fn beyond(id: u32, len: usize) -> Error {
    Error::argument("ids", format!("ids below {len}, the number of entries"), id)
}

/// Counts tokens and builds a [`Vocabulary`] of them; begun by [`Vocabulary::builder`].
///
/// ```
/// use faltung::text::Vocabulary;
///
/// let mut builder = Vocabulary::builder().maximum_size(3).padding("[PAD]").unknown("[UNK]");
/// builder.count(["so", "very", "very", "good"]);
/// assert_eq!(builder.build()?.tokens().collect::<Vec<_>>(), ["[PAD]", "[UNK]", "very"]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VocabularyBuilder {
    /// How often each token occurred, in the order of their first appearance.
    counts: Vec<(Arc<str>, u64)>,
    places: HashMap<Arc<str>, usize>,
    minimum_count: u64,
    maximum_size: usize,
    padding: String,
    unknown: String,
}

impl Default for VocabularyBuilder {
    fn default() -> Self {
        Self {
            counts: Vec::new(),
            places: HashMap::new(),
            minimum_count: 1,
            maximum_size: usize::MAX,
            padding: "<pad>".to_string(),
            unknown: "<unk>".to_string(),
        }
    }
}

impl VocabularyBuilder {
    /// Leaves out tokens that occur less often than this; 1, none, unless set.
    ///
    /// ```
    /// # use faltung::text::Vocabulary;
    /// let mut builder = Vocabulary::builder().minimum_count(2);
    /// builder.count(["a", "b", "a"]);
    /// assert_eq!(builder.build()?.len(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn minimum_count(mut self, count: u64) -> Self {
        self.minimum_count = count;
        self
    }

    /// Entries at the most, the two special ones among them; no limit unless set.
    ///
    /// ```
    /// # use faltung::text::Vocabulary;
    /// let mut builder = Vocabulary::builder().maximum_size(3);
    /// builder.count(["a", "b", "b"]);
    /// assert_eq!(builder.build()?.token(2), Some("b"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn maximum_size(mut self, entries: usize) -> Self {
        self.maximum_size = entries;
        self
    }

    /// The name of the padding entry; `<pad>` unless set.
    ///
    /// ```
    /// # use faltung::text::Vocabulary;
    /// assert_eq!(Vocabulary::builder().padding("_").build()?.token(0), Some("_"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn padding(mut self, name: &str) -> Self {
        self.padding = name.to_string();
        self
    }

    /// The name of the unknown entry; `<unk>` unless set.
    ///
    /// ```
    /// # use faltung::text::Vocabulary;
    /// assert_eq!(Vocabulary::builder().unknown("unk").build()?.token(1), Some("unk"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn unknown(mut self, name: &str) -> Self {
        self.unknown = name.to_string();
        self
    }

    /// Counts tokens; called as often as there are texts.
    ///
    /// ```
    /// # use faltung::text::Vocabulary;
    /// let mut builder = Vocabulary::builder();
    /// builder.count("to be or not to be".split(' '));
    /// assert_eq!(builder.build()?.token(2), Some("to"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn count<T: AsRef<str>>(&mut self, tokens: impl IntoIterator<Item = T>) {
        for token in tokens {
            let token = token.as_ref();
            match self.places.get(token).and_then(|&place| self.counts.get_mut(place)) {
                Some((_, count)) => *count += 1,
                None => {
                    let token: Arc<str> = token.into();
                    self.places.insert(token.clone(), self.counts.len());
                    self.counts.push((token, 1));
                }
            }
        }
    }

    /// The vocabulary: the special entries, and then the tokens by falling count, those of equal count in the order
    /// of their first appearance (the order of Python's `Counter.most_common`). A token with the name of a special
    /// entry is that entry.
    ///
    /// # Errors
    /// [`Error::Argument`] for special names that are empty, equal, or no line of a file, and a maximum size below the
    /// 2 special entries; [`Error::Overflow`] for more than 2³² entries.
    ///
    /// ```
    /// # use faltung::text::Vocabulary;
    /// assert!(Vocabulary::builder().maximum_size(1).build().is_err());
    /// ```
    pub fn build(self) -> Result<Vocabulary> {
        if self.maximum_size < 2 {
            let expected = "at least 2, the padding and the unknown entry";
            return Err(Error::argument("maximum_size", expected, self.maximum_size));
        }
        let mut vocabulary = Vocabulary::special(&self.padding, &self.unknown)?;
        let mut counts = self.counts;
        counts.retain(|&(_, count)| count >= self.minimum_count);
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        for (token, _) in counts {
            if vocabulary.len() == self.maximum_size {
                break;
            }
            vocabulary.push(&token)?;
        }
        Ok(vocabulary)
    }
}
