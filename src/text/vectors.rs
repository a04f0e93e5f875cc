//! Word vectors in text files: GloVe's and word2vec's.

use std::fmt;
use std::io::{BufRead, Write};
use std::path::Path;

use ndarray::{Array1, Array2, Axis, Ix2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::embedding::{Embedding, check_limit, uniform};
use super::lines::{Encoding, LINE_LIMIT, Lines};
use super::room;
use super::rows::{Rows, split};
use super::vocabulary::{PADDING, UNKNOWN, Vocabulary};
use crate::error::{Error, Result};
use crate::file;

/// Which vector an entry gets that the file lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// Zeros.
    Zero,
    /// Values uniform in [-limit, limit), as [`Embedding::uniform`] draws them, one vector after the other in the order
    /// of ids. The default, with limit 0.25 and seed 0, as in Kim (2014).
    Uniform {
        /// The half-width, above 0.
        limit: f32,
        /// The generator's seed.
        seed: u64,
    },
    /// The unknown entry's vector, which is itself, where the file lacks it, the mean of the vectors that were read.
    Unknown,
}

impl Default for Missing {
    fn default() -> Self {
        Self::Uniform { limit: 0.25, seed: 0 }
    }
}

/// How much of a vocabulary a file of vectors has. Displays as `9 of 10 tokens (90.0 %)`.
///
/// ```
/// use faltung::text::{VectorText, Vocabulary};
/// let vocabulary = Vocabulary::of(["good", "grief"])?;
/// let (_, coverage) = VectorText::glove().read_for(&vocabulary, "good 1 2\nbad 3 4\n".as_bytes())?;
/// assert_eq!(coverage.to_string(), "1 of 2 tokens (50.0 %)");
/// assert_eq!(vocabulary.decode(&coverage.missing)?, ["grief"]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Tokens of the vocabulary, the special entries not counted.
    pub tokens: usize,
    /// The ids of those that the file lacks.
    pub missing: Vec<u32>,
    /// Rows of the file.
    pub rows: u64,
    /// Rows among them that repeat the word of an earlier one and were left out.
    pub duplicates: u64,
}

impl Coverage {
    /// Tokens that the file has.
    ///
    /// ```
    /// use faltung::text::{VectorText, Vocabulary};
    /// let vocabulary = Vocabulary::of(["good", "grief"])?;
    /// let (_, coverage) = VectorText::glove().read_for(&vocabulary, "good 1 2\n".as_bytes())?;
    /// assert_eq!(coverage.found(), 1);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn found(&self) -> usize {
        self.tokens - self.missing.len()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.found() as f64 / self.tokens.max(1) as f64;
        write!(f, "{} of {} tokens ({share:.1} %)", self.found(), self.tokens)
    }
}

/// Reads word vectors from text: a word and its values a line, between spaces or tabs.
///
/// - The files of [GloVe](https://nlp.stanford.edu/projects/glove/) have nothing else, those of
///   [word2vec](https://code.google.com/archive/p/word2vec/) and fastText begin with a line of the count of words and
///   the dimension.
/// - The dimension is that of word2vec's first line, the one that is [set](Self::dimension), or else the number of
///   values of the first line.
/// - Values are counted from the right, since words may hold spaces (`. . .` and `at name@domain.com` in
///   glove.840B.300d). A word whose part behind its last space is a number is taken for a row of too many values.
/// - Of a word that stands there several times the first row counts, as in gensim.
/// - Blank lines are left out. Lines end with LF or CR LF.
/// - The words `<pad>` and `<unk>`, or what the vocabulary calls these entries, are special: the row of the first is
///   left out, that of the second is the unknown entry's.
///
/// Memory is claimed as the lines come, never by what a file says that it holds.
///
/// ```
/// use faltung::text::VectorText;
///
/// let (vocabulary, embedding) = VectorText::word2vec().read("2 3\ngood 1 2 3\n. . . 4 5 6\n".as_bytes())?;
/// assert_eq!(embedding.vector(vocabulary.id(". . .")).unwrap().to_vec(), [4.0, 5.0, 6.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct VectorText {
    header: bool,
    dimension: Option<usize>,
    encoding: Encoding,
    limit: usize,
    missing: Missing,
}

impl VectorText {
    /// Vectors without a header, as GloVe writes them.
    ///
    /// ```
    /// use faltung::text::VectorText;
    /// let (vocabulary, embedding) = VectorText::glove().read("the 0.5 -1.5\n".as_bytes())?;
    /// assert_eq!((vocabulary.len(), embedding.dimension()), (3, 2));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn glove() -> Self {
        let missing = Missing::default();
        Self { header: false, dimension: None, encoding: Encoding::Utf8, limit: LINE_LIMIT, missing }
    }

    /// Vectors behind a line of their count and dimension, as word2vec (with `-binary 0`), gensim and fastText write
    /// them.
    ///
    /// ```
    /// use faltung::text::VectorText;
    /// let wrong = VectorText::word2vec().read("2 2\nthe 0.5 -1.5\n".as_bytes()).unwrap_err();
    /// assert!(wrong.to_string().contains("1 of the 2 words"), "{wrong}");
    /// ```
    pub fn word2vec() -> Self {
        Self { header: true, ..Self::glove() }
    }

    /// The number of values of a vector; unless set, the file tells.
    ///
    /// ```
    /// use faltung::text::VectorText;
    /// // Without it, the first row would be a word with four values, of which the first is none.
    /// let (vocabulary, _) = VectorText::glove().dimension(2).read("at name@domain.com 1 2\nof 3 4\n".as_bytes())?;
    /// assert_eq!(vocabulary.token(2), Some("at name@domain.com"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dimension(mut self, values: usize) -> Self {
        self.dimension = Some(values);
        self
    }

    /// How bytes become characters; [`Encoding::Utf8`] unless set.
    ///
    /// ```
    /// use faltung::text::{Encoding, VectorText};
    /// assert!(VectorText::glove().read(&b"caf\xe9 1\n"[..]).is_err());
    /// assert!(VectorText::glove().encoding(Encoding::Latin1).read(&b"caf\xe9 1\n"[..])?.0.get("café").is_some());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The longest line that is read, in bytes; 1 MiB unless set.
    ///
    /// ```
    /// use faltung::text::VectorText;
    /// assert!(VectorText::glove().line_limit(8).read("the 0.123456\n".as_bytes()).is_err());
    /// ```
    pub fn line_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The vectors of entries that the file lacks.
    ///
    /// ```
    /// use faltung::text::{Missing, UNKNOWN, VectorText};
    /// let mean = VectorText::glove().missing(Missing::Unknown);
    /// let (_, embedding) = mean.read("the 1 2\nof 3 4\n".as_bytes())?;
    /// assert_eq!(embedding.vector(UNKNOWN).unwrap().to_vec(), [2.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// All words, in the order of the file behind `<pad>` and `<unk>`, with their vectors.
    ///
    /// # Errors
    /// [`Error::Parse`] with the line's number for a line with another number of values, a value that is no finite
    /// number, no word, invalid UTF-8 or too many bytes, a first line of word2vec's that does not tell two numbers or
    /// not those of the file, and a file without vectors; [`Error::Argument`] for a dimension of 0 or a [`Missing`]
    /// limit that is none; [`Error::Other`] where the reader fails or no memory holds the vectors.
    ///
    /// ```
    /// use faltung::text::VectorText;
    /// let wrong = VectorText::glove().read("the 1 2\nof 3 inf\n".as_bytes()).unwrap_err();
    /// assert!(wrong.to_string().contains("line 2"), "{wrong}");
    /// ```
    pub fn read(&self, reader: impl BufRead) -> Result<(Vocabulary, Embedding)> {
        self.read_all(Lines::new(reader))
    }

    /// As [`read`](Self::read), from a file.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`Error::Other`] where the file cannot be opened.
    ///
    /// ```
    /// assert!(faltung::text::VectorText::glove().load("/no/such/file").is_err());
    /// ```
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(Vocabulary, Embedding)> {
        self.read_all(Lines::open(path)?)
    }

    /// The vectors of a vocabulary's tokens, and how many of these the file has. Other rows are not kept, nor are their
    /// values looked at, beyond their number: the memory is that of the result.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// ```
    /// use faltung::text::{Missing, VectorText, Vocabulary};
    /// let vocabulary = Vocabulary::of(["of", "grief"])?;
    /// let glove = VectorText::glove().missing(Missing::Zero);
    /// let (embedding, _) = glove.read_for(&vocabulary, "the 1 2\nof 3 4\n".as_bytes())?;
    /// let ids = vocabulary.encode(["of", "grief"]);
    /// assert_eq!(embedding.sentence(&ids)?, faltung::ndarray::array![[3.0, 0.0], [4.0, 0.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn read_for(&self, vocabulary: &Vocabulary, reader: impl BufRead) -> Result<(Embedding, Coverage)> {
        self.read_wanted(vocabulary, Lines::new(reader))
    }

    /// As [`read_for`](Self::read_for), from a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    ///
    /// ```
    /// use faltung::text::{VectorText, Vocabulary};
    /// assert!(VectorText::glove().load_for(&Vocabulary::of(["of"])?, "/no/such/file").is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn load_for(&self, vocabulary: &Vocabulary, path: impl AsRef<Path>) -> Result<(Embedding, Coverage)> {
        self.read_wanted(vocabulary, Lines::open(path)?)
    }

    /// The rows of a file, once the settings make sense.
    fn rows<R: BufRead>(&self, lines: Lines<R>) -> Result<Rows<R>> {
        if let Missing::Uniform { limit, .. } = self.missing {
            check_limit("missing", limit)?;
        }
        if self.dimension == Some(0) {
            return Err(Error::argument("dimension", "at least 1", 0));
        }
        Rows::new(lines.encoding(self.encoding).limit(self.limit), self.header, self.dimension)
    }

    fn read_all<R: BufRead>(&self, lines: Lines<R>) -> Result<(Vocabulary, Embedding)> {
        let mut rows = self.rows(lines)?;
        let mut vocabulary = Vocabulary::special("<pad>", "<unk>")?;
        let mut values = Vec::new();
        let mut unknown = false;
        while let Some(row) = rows.next()? {
            let dimension = row.dimension;
            if values.is_empty() {
                room::grow("the vectors", &mut values, 2 * dimension)?;
            }
            let start = match vocabulary.get(row.word) {
                Some(UNKNOWN) if !unknown => {
                    unknown = true;
                    dimension
                }
                Some(_) => continue,
                None => {
                    vocabulary.push(row.word)?;
                    let end = values.len();
                    room::grow("the vectors", &mut values, dimension)?;
                    end
                }
            };
            row.parse(values.iter_mut().skip(start).take(dimension)).map_err(|e| rows.error(e))?;
        }
        let dimension = rows.finish()?;
        let table = Array2::from_shape_vec((vocabulary.len(), dimension), values);
        let mut table = table.map_err(|e| Error::other("shaping the vectors", e))?;
        let missing = if unknown { vec![] } else { vec![UNKNOWN] };
        self.complete(&mut table, &missing);
        Ok((vocabulary, Embedding::new(table)?))
    }

    fn read_wanted<R: BufRead>(&self, vocabulary: &Vocabulary, lines: Lines<R>) -> Result<(Embedding, Coverage)> {
        let mut rows = self.rows(lines)?;
        let mut table = Array2::zeros((0, 0));
        let mut found = vec![false; vocabulary.len()];
        let mut duplicates = 0;
        while let Some(row) = rows.next()? {
            if table.is_empty() {
                table = room::zeros("the embedding table", Ix2(vocabulary.len(), row.dimension))?;
            }
            let Some(id) = vocabulary.get(row.word).filter(|&id| id != PADDING) else { continue };
            let id = id as usize;
            if std::mem::replace(&mut found[id], true) {
                duplicates += 1;
                continue;
            }
            row.parse(table.row_mut(id).into_iter()).map_err(|e| rows.error(e))?;
        }
        rows.finish()?;
        let lacking = |from: u32| (from..vocabulary.len() as u32).filter(|&id| !found[id as usize]).collect::<Vec<_>>();
        self.complete(&mut table, &lacking(UNKNOWN));
        let missing = lacking(UNKNOWN + 1);
        let coverage = Coverage { tokens: vocabulary.len() - 2, missing, rows: rows.count, duplicates };
        Ok((Embedding::new(table)?, coverage))
    }

    /// Fills the rows of entries that the file lacks.
    fn complete(&self, table: &mut Array2<f32>, missing: &[u32]) {
        match self.missing {
            Missing::Zero => {}
            Missing::Uniform { limit, seed } => {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                for &id in missing {
                    table.row_mut(id as usize).iter_mut().for_each(|v| *v = uniform(&mut random, limit));
                }
            }
            Missing::Unknown => {
                let unknown = if missing.contains(&UNKNOWN) {
                    mean(table, table.nrows() - 1 - missing.len())
                } else {
                    table.row(UNKNOWN as usize).to_owned()
                };
                missing.iter().for_each(|&id| table.row_mut(id as usize).assign(&unknown));
            }
        }
    }
}

/// The mean of `count` rows, all others of the table being zero.
fn mean(table: &Array2<f32>, count: usize) -> Array1<f32> {
    let mut sum = Array1::<f64>::zeros(table.ncols());
    for row in table.axis_iter(Axis(0)) {
        sum.zip_mut_with(&row, |sum, &v| *sum += f64::from(v));
    }
    sum.mapv(|sum| (sum / count.max(1) as f64) as f32)
}

impl Embedding {
    /// Writes the table as word2vec text, the special entries as words like others. [`VectorText`] reads every bit of
    /// it back.
    ///
    /// # Errors
    /// [`Error::Argument`] where vocabulary and table have not as many entries, and for a word that such a file cannot
    /// hold: one that is empty, has a line feed, ends with a space or a tab, or whose part behind its last space is a
    /// number; [`Error::Other`] where the writer fails.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::text::{Embedding, Vocabulary};
    /// let mut text = Vec::new();
    /// Embedding::new(array![[0.0, 0.0], [1.0, 2.0], [0.5, 4.0]])?.write(&Vocabulary::of(["good"])?, &mut text)?;
    /// assert_eq!(text, b"3 2\n<pad> 0 0\n<unk> 1 2\ngood 0.5 4\n");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn write(&self, vocabulary: &Vocabulary, mut writer: impl Write) -> Result<()> {
        if vocabulary.len() != self.len() {
            let expected = format!("{} entries as the table has", self.len());
            return Err(Error::argument("vocabulary", expected, vocabulary.len()));
        }
        let failed = |e| Error::other("writing word vectors", e);
        writeln!(writer, "{} {}", self.len(), self.dimension()).map_err(failed)?;
        for (word, vector) in vocabulary.tokens().zip(self.table().rows()) {
            if !is_word(word) {
                let expected = "words of at least one character, without line break, that end with no space and with \
                                no number behind a space";
                return Err(Error::argument("vocabulary", expected, format!("{word:?}")));
            }
            write!(writer, "{word}").map_err(failed)?;
            vector.iter().try_for_each(|v| write!(writer, " {v}")).map_err(failed)?;
            writeln!(writer).map_err(failed)?;
        }
        Ok(())
    }

    /// As [`write`](Self::write), to a file; a failure leaves what was there.
    ///
    /// # Errors
    /// As [`write`](Self::write), and [`Error::Other`] where the file cannot be written.
    ///
    /// ```no_run
    /// use faltung::text::{Embedding, VectorText, Vocabulary};
    /// let vocabulary = Vocabulary::of(["good"])?;
    /// let embedding = Embedding::uniform(vocabulary.len(), 50, 0.25, 1)?;
    /// embedding.save(&vocabulary, "vectors.txt")?;
    /// assert_eq!(VectorText::word2vec().load("vectors.txt")?, (vocabulary, embedding));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn save(&self, vocabulary: &Vocabulary, path: impl AsRef<Path>) -> Result<()> {
        file::replace(path.as_ref(), |file| self.write(vocabulary, file))
    }
}

/// Whether a line with this word and values behind it is read back as such.
fn is_word(word: &str) -> bool {
    let row = format!("{word} 0");
    !word.contains('\n') && split(&row, 1).is_ok_and(|(read, _)| read == word)
}
