//! Texts to tokens.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::kim;

/// Where a text is cut into tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Split {
    /// At the word boundaries of Unicode ([UAX 29](https://www.unicode.org/reports/tr29/)): `don't` is one token,
    /// punctuation marks and emoji stand alone, and so does every Chinese character and hiragana, since finding
    /// their words takes a dictionary. The default.
    #[default]
    Words,
    /// At white space and nowhere else: for text that has been tokenised already.
    Whitespace,
    /// By the rules of `clean_str` in the program published with Kim, "Convolutional Neural Networks for Sentence
    /// Classification" (EMNLP 2014), <https://github.com/yoonkim/CNN_sentence>, in this order:
    ///
    /// 1. Every character but ASCII letters and digits and ``( ) , ! ? ' ` `` becomes a space.
    /// 2. A space is put before each of `'s`, `'ve`, `n't`, `'re`, `'d` and `'ll`, wherever it stands, in lower case.
    /// 3. Spaces are put around each of `, ! ( ) ?`.
    /// 4. Tokens are what the spaces separate.
    ///
    /// Kim lowercases last (every data set but TREC), so that `DON'T` is not cut; the tokenizer does so too. One
    /// difference: his program writes a backslash before `(`, `)` and `?`, which changes no count and no model.
    Kim,
    /// After every character as a reader sees it (an extended grapheme cluster of UAX 29: a letter with its
    /// combining marks, a flag, a family emoji). White space is a character like others.
    Characters,
}

/// Cuts texts into tokens.
///
/// Tokens hold no Unicode normalisation: `é` and `e` with a combining accent are two words. White space, control
/// characters and invisible marks (of direction, of byte order, zero-width spaces) alone are no token, except in
/// [`Split::Characters`]. The time is linear in the length of the text.
///
/// ```
/// use faltung::text::{Split, Tokenizer};
///
/// let tokens = Tokenizer::new().tokens("The film isn't great… it's 很好!");
/// assert_eq!(tokens, ["the", "film", "isn't", "great", "…", "it's", "很", "好", "!"]);
/// let kim = Tokenizer::new().split(Split::Kim).tokens("The film isn't great… it's 很好!");
/// assert_eq!(kim, ["the", "film", "is", "n't", "great", "it", "'s", "!"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tokenizer {
    split: Split,
    lowercase: bool,
    punctuation: bool,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self { split: Split::default(), lowercase: true, punctuation: true }
    }
}

impl Tokenizer {
    /// Lowercased Unicode words and punctuation marks.
    ///
    /// ```
    /// assert_eq!(faltung::text::Tokenizer::new().tokens("Oh, no!"), ["oh", ",", "no", "!"]);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Where texts are cut; [`Split::Words`] unless set.
    ///
    /// ```
    /// use faltung::text::{Split, Tokenizer};
    /// assert_eq!(Tokenizer::new().split(Split::Whitespace).tokens("Oh, no!"), ["oh,", "no!"]);
    /// ```
    pub fn split(mut self, split: Split) -> Self {
        self.split = split;
        self
    }

    /// Whether tokens are lowercased by Unicode's rules, of no particular language; true unless set. `İ` becomes `i`
    /// with a combining dot, and a final `Σ` becomes `ς`.
    ///
    /// ```
    /// use faltung::text::Tokenizer;
    /// assert_eq!(Tokenizer::new().lowercase(false).tokens("Oh no"), ["Oh", "no"]);
    /// ```
    pub fn lowercase(mut self, lowercase: bool) -> Self {
        self.lowercase = lowercase;
        self
    }

    /// Whether tokens without any letter or digit (punctuation, symbols, emoji) are kept; true unless set.
    ///
    /// ```
    /// use faltung::text::Tokenizer;
    /// assert_eq!(Tokenizer::new().punctuation(false).tokens("Oh, no! 👍"), ["oh", "no"]);
    /// ```
    pub fn punctuation(mut self, punctuation: bool) -> Self {
        self.punctuation = punctuation;
        self
    }

    /// The tokens of a text, in its order; those that are not changed by lowercasing are borrowed from it.
    ///
    /// ```
    /// use faltung::text::{Split, Tokenizer};
    /// let characters = Tokenizer::new().split(Split::Characters);
    /// assert_eq!(characters.tokens("Zoe\u{308} 🇩🇪"), ["z", "o", "e\u{308}", " ", "🇩🇪"]);
    /// ```
    pub fn tokens<'a>(&self, text: &'a str) -> Vec<Cow<'a, str>> {
        match self.split {
            Split::Words => self.finish(text.split_word_bounds().filter(|part| is_visible(part))),
            Split::Whitespace => self.finish(text.split_whitespace().filter(|part| is_visible(part))),
            Split::Kim => self.finish(kim::tokens(text)),
            Split::Characters => self.finish(text.graphemes(true)),
        }
    }

    fn finish<'a>(&self, parts: impl Iterator<Item = &'a str>) -> Vec<Cow<'a, str>> {
        parts
            .filter(|part| self.punctuation || part.chars().any(char::is_alphanumeric))
            .map(|part| if self.lowercase { lowercase(part) } else { Cow::Borrowed(part) })
            .collect()
    }
}

fn lowercase(part: &str) -> Cow<'_, str> {
    if part.chars().all(|c| c.is_ascii() && !c.is_ascii_uppercase()) {
        return Cow::Borrowed(part);
    }
    let lower = part.to_lowercase();
    if lower == part { Cow::Borrowed(part) } else { Cow::Owned(lower) }
}

/// Whether a part shows anything: white space, controls and the marks that only steer others do not.
fn is_visible(part: &str) -> bool {
    part.chars().any(|c| {
        let mark =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        !(c.is_whitespace() || c.is_control() || mark)
    })
}
