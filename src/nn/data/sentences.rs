//! Sentences with a class each.

use std::path::Path;

use ndarray::{Array2, ArrayViewMutD, Axis};

use super::images::check_classes;
use super::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::nn::Float;
use crate::text::{Batcher, Encoding, Lines, Tokenizer, Vocabulary, VocabularyBuilder};

/// Sentences with a class each, as they were written.
///
/// ```
/// use faltung::nn::data::{Dataset, SentenceClasses, Sentences};
/// use faltung::text::{Batcher, Tokenizer, Vocabulary};
///
/// let texts = ["A rare film.", "Not funny, not even bad."].map(str::to_string);
/// let names = ["good", "bad"].map(str::to_string);
/// let train = Sentences::new(texts.to_vec(), vec![0, 1], names.to_vec())?;
///
/// let tokenizer = Tokenizer::new();
/// let vocabulary = train.vocabulary(&tokenizer, Vocabulary::builder())?;
/// let batcher = Batcher::new().length(train.longest(&tokenizer));
/// let data: SentenceClasses<f32> = train.encode(&tokenizer, &vocabulary, &batcher)?;
/// assert_eq!((data.len(), data.sample_shape()), (2, &[7][..]));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    texts: Vec<String>,
    labels: Vec<usize>,
    names: Vec<String>,
}

impl Sentences {
    /// Sentences with a class each, counted from 0, and the classes' names.
    ///
    /// # Errors
    /// [`Error::Argument`] where sentences and labels differ in number, or a label has no name.
    ///
    /// ```
    /// use faltung::nn::data::Sentences;
    /// assert!(Sentences::new(vec!["Why?".to_string()], vec![], vec![]).is_err());
    /// ```
    pub fn new(texts: Vec<String>, labels: Vec<usize>, names: Vec<String>) -> Result<Self> {
        if texts.len() != labels.len() {
            return Err(Error::argument("labels", format!("{}, one for each sentence", texts.len()), labels.len()));
        }
        check_classes(&labels, names.len())?;
        Ok(Self { texts, labels, names })
    }

    /// Reads a file for each class, with a sentence a line: (name of the class, path). Lines of white space alone are
    /// left out.
    ///
    /// # Errors
    /// As [`Lines`].
    ///
    /// ```
    /// use faltung::nn::data::Sentences;
    /// use faltung::text::Encoding;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let (bad, good) = (folder.path().join("bad"), folder.path().join("good"));
    /// std::fs::write(&bad, "dull .\nlong .\n").unwrap();
    /// std::fs::write(&good, "charming .\n").unwrap();
    /// let sentences = Sentences::files(&[("bad", &bad), ("good", &good)], Encoding::Utf8)?;
    /// assert_eq!(sentences.labels(), [0, 0, 1]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn files<P: AsRef<Path>>(files: &[(&str, P)], encoding: Encoding) -> Result<Self> {
        let mut this = Self::default();
        for (class, (name, path)) in files.iter().enumerate() {
            for line in Lines::open(path)?.encoding(encoding) {
                let line = line?;
                if !line.trim().is_empty() {
                    this.texts.push(line);
                    this.labels.push(class);
                }
            }
            this.names.push(name.to_string());
        }
        Ok(this)
    }

    /// Reads the movie reviews of Pang and Lee (2005), 5,331 negative and as many positive sentences: the files
    /// `rt-polarity.neg` (class 0) and `rt-polarity.pos` (class 1) of a folder, in Latin-1 as published.
    ///
    /// # Errors
    /// As [`Lines`].
    ///
    /// ```no_run
    /// use faltung::nn::data::Sentences;
    /// assert_eq!(Sentences::movie_reviews("rt-polaritydata")?.len(), 10_662);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn movie_reviews(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let files = [("negative", folder.join("rt-polarity.neg")), ("positive", folder.join("rt-polarity.pos"))];
        Self::files(&files, Encoding::Latin1)
    }

    /// Reads several files of lines that begin with their label, and shares one list of classes among them: the labels
    /// of all, in alphabetical order. `split` cuts a line into label and sentence; lines of white space alone are left
    /// out.
    ///
    /// # Errors
    /// As [`Lines`]; [`Error::Parse`], with file and line, where `split` gives `None`.
    ///
    /// ```
    /// use faltung::nn::data::Sentences;
    /// use faltung::text::Encoding;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("train.tsv");
    /// std::fs::write(&path, "spam\tYou won!\nham\tSee you at six.\n").unwrap();
    /// let files = Sentences::labelled(&[path], Encoding::Utf8, |line| line.split_once('\t'))?;
    /// assert_eq!((files[0].names(), files[0].labels()), (&["ham".to_string(), "spam".to_string()][..], &[1, 0][..]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn labelled<P: AsRef<Path>>(
        paths: &[P],
        encoding: Encoding,
        split: impl Fn(&str) -> Option<(&str, &str)>,
    ) -> Result<Vec<Self>> {
        let read = |path: &P| -> Result<Vec<(String, String)>> {
            let mut found = Vec::new();
            let mut lines = Lines::open(path)?.encoding(encoding);
            while let Some(line) = lines.next() {
                let line = line?;
                if line.trim().is_empty() {
                    continue;
                }
                let (label, text) = split(&line).ok_or_else(|| {
                    let place = format!("{}, line {}", path.as_ref().display(), lines.number());
                    Error::parse(&line, format!("{place}: no label in front of a sentence"))
                })?;
                found.push((label.to_string(), text.to_string()));
            }
            Ok(found)
        };
        let files: Vec<Vec<(String, String)>> = paths.iter().map(read).collect::<Result<_>>()?;
        let mut names: Vec<String> = files.iter().flatten().map(|(label, _)| label.clone()).collect();
        names.sort();
        names.dedup();
        let class = |label: &String| names.binary_search(label).unwrap_or_default();
        let sentences = |file: Vec<(String, String)>| Self {
            labels: file.iter().map(|(label, _)| class(label)).collect(),
            texts: file.into_iter().map(|(_, text)| text).collect(),
            names: names.clone(),
        };
        Ok(files.into_iter().map(sentences).collect())
    }

    /// The tokens of all sentences as a vocabulary, by the builder's counts and limits. It should be made of what is
    /// learnt from alone: words of the test sentences are unknown ones.
    ///
    /// # Errors
    /// As [`VocabularyBuilder::build`].
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// # use faltung::text::{Tokenizer, Vocabulary};
    /// let train = Sentences::new(vec!["no, no".to_string()], vec![0], vec!["refusals".to_string()])?;
    /// assert_eq!(train.vocabulary(&Tokenizer::new(), Vocabulary::builder().minimum_count(2))?.token(2), Some("no"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn vocabulary(&self, tokenizer: &Tokenizer, mut builder: VocabularyBuilder) -> Result<Vocabulary> {
        self.texts.iter().for_each(|text| builder.count(tokenizer.tokens(text)));
        builder.build()
    }

    /// The tokens of the longest sentence; 1 at least.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// # use faltung::text::Tokenizer;
    /// let train = Sentences::new(vec!["no, no".to_string()], vec![0], vec!["refusals".to_string()])?;
    /// assert_eq!(train.longest(&Tokenizer::new()), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn longest(&self, tokenizer: &Tokenizer) -> usize {
        self.texts.iter().map(|text| tokenizer.tokens(text).len()).max().unwrap_or(0).max(1)
    }

    /// The sentences as ids, padded and cut to one length by the batcher, which should fix it
    /// ([`Batcher::length`]): training and test sentences must come out alike.
    ///
    /// # Errors
    /// As [`Batcher::batch`]; [`Error::Argument`] for a vocabulary of more ids than `T` has whole numbers.
    ///
    /// ```
    /// # use faltung::nn::data::{SentenceClasses, Sentences};
    /// # use faltung::text::{Batcher, Tokenizer, Vocabulary};
    /// let test = Sentences::new(vec!["to be, or not".to_string()], vec![0], vec!["questions".to_string()])?;
    /// let vocabulary = Vocabulary::of(["be", "not", "to"])?;
    /// let ids: SentenceClasses<f32> = test.encode(&Tokenizer::new(), &vocabulary, &Batcher::new().length(7))?;
    /// assert_eq!(ids.ids(), faltung::ndarray::array![[4, 2, 1, 1, 3, 0, 0]]); // unknown are "," and "or"
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn encode<T: Float>(
        &self,
        tokenizer: &Tokenizer,
        vocabulary: &Vocabulary,
        batcher: &Batcher,
    ) -> Result<SentenceClasses<T>> {
        // 2 / epsilon: up to there every whole number has a value of its own.
        let most = 2.0 / T::DTYPE.epsilon();
        if vocabulary.len() as f64 > most {
            let expected = format!("at most {most} entries, which {} tells apart", T::DTYPE);
            return Err(Error::argument("vocabulary", expected, vocabulary.len()));
        }
        let ids: Vec<Vec<u32>> = self.texts.iter().map(|text| vocabulary.encode(tokenizer.tokens(text))).collect();
        let ids = batcher.batch(&ids)?.ids().clone();
        let targets = Targets::Classes(self.labels.clone());
        Ok(SentenceClasses { shape: [ids.ncols()], ids, targets, names: self.names.clone() })
    }

    /// The sentences of these numbers, in their order: a fold's, to make its vocabulary from.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is no sentence of a number.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// let all = Sentences::new(vec!["a".into(), "b".into()], vec![0, 0], vec!["letters".into()])?;
    /// assert_eq!(all.select(&[1])?.texts(), ["b"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let mut this = Self { names: self.names.clone(), ..Self::default() };
        for &i in indices {
            let (Some(text), Some(&label)) = (self.texts.get(i), self.labels.get(i)) else {
                return Err(Error::argument(
                    "indices",
                    format!("numbers below {}, that of the sentences", self.len()),
                    i,
                ));
            };
            this.texts.push(text.clone());
            this.labels.push(label);
        }
        Ok(this)
    }

    /// How many there are.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// let one = Sentences::new(vec!["Why?".into()], vec![0], vec!["questions".into()])?;
    /// assert_eq!(one.len(), 1);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// let one = Sentences::new(vec!["Why?".into()], vec![0], vec!["questions".into()])?;
    /// assert!(!one.is_empty());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The sentences.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// let one = Sentences::new(vec!["Why?".into()], vec![0], vec!["questions".into()])?;
    /// assert_eq!(one.texts(), ["Why?"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The class of each sentence, counted from 0.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// let one = Sentences::new(vec!["Why?".into()], vec![0], vec!["questions".into()])?;
    /// assert_eq!(one.labels(), [0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The names of the classes.
    ///
    /// ```
    /// # use faltung::nn::data::Sentences;
    /// let one = Sentences::new(vec!["Why?".into()], vec![0], vec!["questions".into()])?;
    /// assert_eq!(one.names(), ["questions"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Sentences as ids of one length, with a class each; made by [`Sentences::encode`].
///
/// A sample is (tokens) of ids as numbers of `T`, which an embedding layer looks up; 0 is padding.
#[derive(Clone, Debug, PartialEq)]
pub struct SentenceClasses<T> {
    ids: Array2<u32>,
    shape: [usize; 1],
    targets: Targets<T>,
    names: Vec<String>,
}

impl<T: Float> SentenceClasses<T> {
    /// The ids, (sentences, tokens).
    ///
    /// ```
    /// # use faltung::nn::data::{SentenceClasses, Sentences};
    /// # use faltung::text::{Batcher, Tokenizer, Vocabulary};
    /// # let one = Sentences::new(vec!["to be".into()], vec![0], vec!["verbs".into()])?;
    /// let (vocabulary, batcher) = (Vocabulary::of(["be"])?, Batcher::new().length(3));
    /// let data: SentenceClasses<f32> = one.encode(&Tokenizer::new(), &vocabulary, &batcher)?;
    /// assert_eq!(data.ids(), faltung::ndarray::array![[1, 2, 0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn ids(&self) -> &Array2<u32> {
        &self.ids
    }

    /// The names of the classes.
    ///
    /// ```
    /// # use faltung::nn::data::{SentenceClasses, Sentences};
    /// # use faltung::text::{Batcher, Tokenizer, Vocabulary};
    /// # let one = Sentences::new(vec!["to be".into()], vec![0], vec!["verbs".into()])?;
    /// let (vocabulary, batcher) = (Vocabulary::of(["be"])?, Batcher::new().length(3));
    /// let data: SentenceClasses<f32> = one.encode(&Tokenizer::new(), &vocabulary, &batcher)?;
    /// assert_eq!(data.names(), ["verbs"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl<T: Float> Dataset<T> for SentenceClasses<T> {
    fn sample_shape(&self) -> &[usize] {
        &self.shape
    }

    fn targets(&self) -> &Targets<T> {
        &self.targets
    }

    fn read(&self, index: usize, _: Option<u64>, mut sample: ArrayViewMutD<'_, T>) -> Result<()> {
        super::check_sample(self, index, &sample)?;
        let ids = self.ids.index_axis(Axis(0), index).into_dyn();
        sample.zip_mut_with(&ids, |to, &id| *to = T::from_f64(id.into()));
        Ok(())
    }
}

/// Which of their labels TREC's questions are classed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrecLabels {
    /// The six in front of the colon: ABBR, DESC, ENTY, HUM, LOC, NUM. The default.
    #[default]
    Coarse,
    /// The fifty of both parts, as `NUM:date`.
    Fine,
}

/// The questions of TREC with the classes of Li and Roth, "Learning Question Classifiers" (2002): 5,452 to learn from
/// and 500 to be judged by.
///
/// ```no_run
/// use faltung::nn::data::{Trec, TrecLabels};
/// let trec = Trec::open("trec", TrecLabels::Coarse)?;
/// assert_eq!((trec.train.len(), trec.test.len(), trec.train.names().len()), (5452, 500, 6));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trec {
    /// The questions to learn from.
    pub train: Sentences,
    /// The questions to be judged by; the classes are numbered as those of `train`.
    pub test: Sentences,
}

impl Trec {
    /// Reads `train_5500.label` and `TREC_10.label` of a folder, in Latin-1 as published.
    ///
    /// # Errors
    /// As [`Lines`]; [`Error::Parse`] for a line that does not begin with `LABEL:fine` and a space.
    ///
    /// ```
    /// use faltung::nn::data::{Trec, TrecLabels};
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let write = |name, text| std::fs::write(folder.path().join(name), text).unwrap();
    /// write("train_5500.label", "NUM:date When was Ozzy Osbourne born ?\nHUM:ind Who was Galileo ?\n");
    /// write("TREC_10.label", "NUM:dist How far is it from Denver to Aspen ?\n");
    /// let trec = Trec::open(folder.path(), TrecLabels::Coarse)?;
    /// assert_eq!((trec.train.labels(), trec.test.labels()), (&[1, 0][..], &[1][..]));
    /// assert_eq!(trec.test.texts(), ["How far is it from Denver to Aspen ?"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn open(folder: impl AsRef<Path>, labels: TrecLabels) -> Result<Self> {
        let paths = ["train_5500.label", "TREC_10.label"].map(|name| folder.as_ref().join(name));
        let mut files = Sentences::labelled(&paths, Encoding::Latin1, |line| {
            let (label, question) = line.split_once(' ')?;
            let (coarse, _) = label.split_once(':')?;
            Some((if labels == TrecLabels::Coarse { coarse } else { label }, question))
        })?
        .into_iter();
        Ok(Self { train: files.next().unwrap_or_default(), test: files.next().unwrap_or_default() })
    }
}
