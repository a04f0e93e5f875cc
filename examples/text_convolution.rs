//! Looks for phrases in sentences by convolution: each phrase's word vectors are a kernel, and what it gives along a
//! sentence is the mean cosine between the phrase's words and the sentence's, 1 where the phrase stands there word for
//! word. With vectors that know meanings (GloVe, word2vec) similar phrases light up too; with random ones, the default,
//! shared words do.
//!
//! ```sh
//! cargo run --release --example text_convolution
//! cargo run --release --example text_convolution -- reviews.txt --glove glove.6B.100d.txt --phrase "not very good"
//! ```
//!
//! Writes a page with heat maps, and the best place of every phrase in every sentence as CSV. Without `--phrase` the
//! most frequent runs of 3, 4 and 5 words, the widths of Kim (2014), are looked for.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use faltung::ndarray::{Array1, Array3, ArrayView1, Axis, s};
use faltung::text::{
    Batcher, Embedding, Encoding, Lines, MaxOverTime, Split, TextConvolution, Tokenizer, VectorText, Vocabulary,
};
use indicatif::{ProgressBar, ProgressStyle};

/// Sentences in a batch.
const BATCH: usize = 128;

#[derive(Parser)]
#[command(about = "Looks for phrases in sentences by convolution of their word vectors")]
struct Arguments {
    /// The sentences, one a line [default: a text that comes with the example]
    sentences: Option<PathBuf>,
    /// Word vectors as GloVe's text has them [default: random vectors]
    #[arg(long, value_name = "FILE", conflicts_with = "word2vec")]
    glove: Option<PathBuf>,
    /// Word vectors as word2vec's text has them
    #[arg(long, value_name = "FILE")]
    word2vec: Option<PathBuf>,
    /// A phrase to look for; can be said several times
    #[arg(long, value_name = "WORDS")]
    phrase: Vec<String>,
    /// Widths of the phrases that are taken from the text
    #[arg(long, value_delimiter = ',', default_values_t = [3, 4, 5], conflicts_with = "phrase")]
    widths: Vec<usize>,
    /// Phrases of each width that are taken from the text
    #[arg(long, default_value_t = 2, conflicts_with = "phrase")]
    most: usize,
    /// How the file of sentences is encoded
    #[arg(long, value_enum, default_value_t = Bytes::Utf8)]
    encoding: Bytes,
    /// Cut words by the rules of Kim's clean_str
    #[arg(long)]
    kim: bool,
    /// Dimension of random vectors
    #[arg(long, default_value_t = 100)]
    dimension: usize,
    /// Seed of random vectors
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sentences shown of each phrase
    #[arg(long, default_value_t = 10)]
    top: usize,
    /// The page to write; the CSV beside it has its name
    #[arg(long, value_name = "FILE.html", default_value = "text_convolution.html")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bytes {
    Utf8,
    Lossy,
    Latin1,
}

/// Phrases of one width, and their convolution.
struct Bank {
    phrases: Vec<Vec<String>>,
    convolution: TextConvolution,
    /// Of every sentence the largest response to each phrase, batch by batch.
    pooled: Vec<MaxOverTime>,
}

impl Bank {
    fn response(&self, sentence: usize, phrase: usize) -> f32 {
        self.pooled[sentence / BATCH].values[[sentence % BATCH, phrase]]
    }

    fn position(&self, sentence: usize, phrase: usize) -> usize {
        self.pooled[sentence / BATCH].positions[[sentence % BATCH, phrase]]
    }
}

/// A sentence in tokens and in ids.
struct Sentence {
    tokens: Vec<String>,
    ids: Vec<u32>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let split = if arguments.kim { Split::Kim } else { Split::Words };
    let tokenizer = Tokenizer::new().split(split);
    let tokens = |text: &str| -> Vec<String> { tokenizer.tokens(text).into_iter().map(|t| t.into_owned()).collect() };

    let texts: Vec<Vec<String>> = read(arguments)?.iter().map(|line| tokens(line)).filter(|t| !t.is_empty()).collect();
    let mut phrases: Vec<Vec<String>> = arguments.phrase.iter().map(|phrase| tokens(phrase)).collect();
    if phrases.is_empty() {
        phrases = arguments.widths.iter().flat_map(|&width| frequent(&texts, width, arguments.most)).collect();
    }
    phrases.retain(|phrase| !phrase.is_empty());
    if texts.is_empty() || phrases.is_empty() {
        return Err("there are no sentences, or no phrases to look for in them".into());
    }

    let vocabulary = Vocabulary::of(texts.iter().chain(&phrases).flatten())?;
    println!("{} sentences, {} words", texts.len(), vocabulary.len() - 2);
    let embedding = unit(vectors(arguments, &vocabulary)?)?;
    let sentences: Vec<Sentence> =
        texts.into_iter().map(|tokens| Sentence { ids: vocabulary.encode(&tokens), tokens }).collect();
    let mut banks = banks(phrases, &vocabulary, &embedding)?;
    let taken = convolve(&sentences, &embedding, &mut banks)?;
    println!("convolved in {:.3} s", taken.as_secs_f64());

    let csv = arguments.out.with_extension("csv");
    std::fs::write(&csv, table(&sentences, &banks))?;
    std::fs::write(&arguments.out, page(&sentences, &banks, &embedding, arguments.top)?)?;
    println!("wrote {} and {}", arguments.out.display(), csv.display());
    Ok(())
}

/// The lines of the file of sentences.
fn read(arguments: &Arguments) -> Result<Vec<String>, faltung::Error> {
    let Some(path) = &arguments.sentences else {
        return Ok(include_str!("data/sentences.txt").lines().map(str::to_string).collect());
    };
    let encoding = match arguments.encoding {
        Bytes::Utf8 => Encoding::Utf8,
        Bytes::Lossy => Encoding::Utf8Lossy,
        Bytes::Latin1 => Encoding::Latin1,
    };
    Lines::open(path)?.encoding(encoding).collect()
}

/// The most frequent runs of `width` words, no punctuation among them.
fn frequent(texts: &[Vec<String>], width: usize, most: usize) -> Vec<Vec<String>> {
    let is_word = |token: &String| token.chars().any(char::is_alphanumeric);
    let mut counts: HashMap<&[String], (usize, usize)> = HashMap::new();
    let runs = texts.iter().flat_map(|text| text.windows(width.max(1)));
    for (order, run) in runs.filter(|run| run.iter().all(is_word)).enumerate() {
        counts.entry(run).or_insert((0, order)).0 += 1;
    }
    let mut runs: Vec<_> = counts.into_iter().collect();
    runs.sort_by_key(|&(_, (count, order))| (std::cmp::Reverse(count), order));
    runs.into_iter().take(most).map(|(run, _)| run.to_vec()).collect()
}

/// The vectors of the file that was named, or random ones.
fn vectors(arguments: &Arguments, vocabulary: &Vocabulary) -> Result<Embedding, faltung::Error> {
    let (reader, path) = match (&arguments.glove, &arguments.word2vec) {
        (Some(path), _) => (VectorText::glove(), path),
        (_, Some(path)) => (VectorText::word2vec(), path),
        _ => return Embedding::uniform(vocabulary.len(), arguments.dimension, 0.25, arguments.seed),
    };
    let start = Instant::now();
    let (embedding, coverage) = reader.load_for(vocabulary, path)?;
    let (rows, seconds) = (coverage.rows, start.elapsed().as_secs_f64());
    println!("{}: {coverage}; {rows} rows read in {seconds:.1} s", path.display());
    Ok(embedding)
}

/// All vectors at length 1, so that products are cosines.
fn unit(embedding: Embedding) -> Result<Embedding, faltung::Error> {
    let mut table = embedding.into_table();
    for mut row in table.rows_mut() {
        let length = row.dot(&row).sqrt();
        row /= if length > 0.0 { length } else { 1.0 };
    }
    Embedding::new(table)
}

/// One convolution for all phrases of a width.
fn banks(
    phrases: Vec<Vec<String>>,
    vocabulary: &Vocabulary,
    embedding: &Embedding,
) -> Result<Vec<Bank>, faltung::Error> {
    let mut widths: Vec<usize> = phrases.iter().map(Vec::len).collect();
    widths.sort_unstable();
    widths.dedup();
    let bank = |width: usize| {
        let phrases: Vec<_> = phrases.iter().filter(|phrase| phrase.len() == width).cloned().collect();
        let mut weights = Array3::zeros((phrases.len(), embedding.dimension(), width));
        for (phrase, mut kernel) in phrases.iter().zip(weights.axis_iter_mut(Axis(0))) {
            kernel.assign(&(embedding.sentence(&vocabulary.encode(phrase))? / width as f32));
        }
        Ok(Bank { phrases, convolution: TextConvolution::new(weights)?, pooled: Vec::new() })
    };
    widths.into_iter().map(bank).collect()
}

/// Fills in the banks' responses, and tells how long the convolutions took.
fn convolve(sentences: &[Sentence], embedding: &Embedding, banks: &mut [Bank]) -> Result<Duration, Box<dyn Error>> {
    let widest = banks.iter().map(|bank| bank.convolution.weights().dim().2).max().unwrap_or(1);
    let batcher = Batcher::new().minimum(widest);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} sentences, {eta} left")?;
    let bar = ProgressBar::new(sentences.len() as u64).with_style(style);
    let start = Instant::now();
    for sentences in sentences.chunks(BATCH) {
        let ids: Vec<&[u32]> = sentences.iter().map(|sentence| sentence.ids.as_slice()).collect();
        let batch = batcher.batch(&ids)?;
        let x = embedding.batch(&batch)?;
        for bank in &mut *banks {
            let y = bank.convolution.apply(&x)?;
            bank.pooled.push(bank.convolution.max_over_time(&y, &batch)?);
        }
        bar.inc(sentences.len() as u64);
    }
    bar.finish_and_clear();
    Ok(start.elapsed())
}

/// The words that a phrase fits best.
fn place<'a>(bank: &Bank, sentence: &'a Sentence, index: usize, phrase: usize) -> &'a [String] {
    let start = bank.position(index, phrase).min(sentence.tokens.len());
    let end = (start + bank.phrases[phrase].len()).min(sentence.tokens.len());
    &sentence.tokens[start..end]
}

/// The best place of every phrase in every sentence, as CSV.
fn table(sentences: &[Sentence], banks: &[Bank]) -> String {
    let quoted = |words: &[String]| format!("\"{}\"", words.join(" ").replace('"', "\"\""));
    let mut out = "sentence,phrase,response,position,words\r\n".to_string();
    for (i, sentence) in sentences.iter().enumerate() {
        for bank in banks {
            for (j, phrase) in bank.phrases.iter().enumerate() {
                let (response, position) = (bank.response(i, j), bank.position(i, j) + 1);
                let (phrase, words) = (quoted(phrase), quoted(place(bank, sentence, i, j)));
                out += &format!("{},{phrase},{response:.4},{position},{words}\r\n", i + 1);
            }
        }
    }
    out
}

const HEAD: &str = r#"<!doctype html><html><head><meta charset="utf-8"><title>Phrases found by convolution</title>
<style>
body{font:15px/1.6 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}h2{font-size:1.1em;margin:1.8em 0 .4em}td{padding:.1em .5em;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;color:#666}
.w{padding:.1em .15em;border-radius:.2em}.best{border-bottom:2px solid #b30000}
.map td{min-width:3.2em;text-align:center}
.map th{font-weight:normal;font-size:.85em;vertical-align:bottom;padding:0 .4em}
</style></head><body><h1>Phrases found by convolution</h1>
<p>Each phrase's word vectors are a kernel; the response is the mean cosine between its words and the sentence's,
1 where they are the same. A word is as red as the strongest response of all the places that it belongs to; the
strongest place of the sentence is underlined.</p>
"#;

/// The page: a map of sentences and phrases, and each phrase's best sentences word by word.
fn page(sentences: &[Sentence], banks: &[Bank], embedding: &Embedding, top: usize) -> Result<String, Box<dyn Error>> {
    let mut out = HEAD.to_string();
    let ranked = |bank: &Bank, phrase: usize| {
        let mut order: Vec<usize> = (0..sentences.len()).collect();
        order.sort_by(|&a, &b| bank.response(b, phrase).total_cmp(&bank.response(a, phrase)));
        order.truncate(top);
        order
    };
    let all = || banks.iter().flat_map(|bank| (0..bank.phrases.len()).map(move |phrase| (bank, phrase)));
    for (bank, phrase) in all() {
        write!(out, "<h2>{}</h2><table>", escaped(&bank.phrases[phrase].join(" ")))?;
        for i in ranked(bank, phrase) {
            let words = shaded(bank, phrase, i, &sentences[i], embedding)?;
            write!(out, "<tr><td class=n>{:.2}</td><td class=n>{}</td>", bank.response(i, phrase), i + 1)?;
            write!(out, "<td dir=auto>{words}</td></tr>")?;
        }
        out += "</table>\n";
    }
    out += "<h2>All phrases in the sentences above</h2><table class=map><tr><th></th>";
    all().try_for_each(|(bank, phrase)| write!(out, "<th>{}</th>", escaped(&bank.phrases[phrase].join(" "))))?;
    let mut rows: Vec<usize> = all().flat_map(|(bank, phrase)| ranked(bank, phrase)).collect();
    rows.sort_unstable();
    rows.dedup();
    for i in rows {
        write!(out, "</tr>\n<tr><td class=n>{}</td>", i + 1)?;
        for (bank, phrase) in all() {
            let (response, words) = (bank.response(i, phrase), place(bank, &sentences[i], i, phrase).join(" "));
            let (colour, words) = (colour(response), escaped(&words));
            write!(out, "<td style=\"background:{colour}\" title=\"{words}\">{response:.2}</td>")?;
        }
    }
    out += "</tr></table></body></html>\n";
    Ok(out)
}

/// A sentence with each word as red as the best place that it belongs to.
fn shaded(
    bank: &Bank,
    phrase: usize,
    index: usize,
    sentence: &Sentence,
    embedding: &Embedding,
) -> Result<String, Box<dyn Error>> {
    let width = bank.phrases[phrase].len();
    let batch = Batcher::new().minimum(width).batch(&[&sentence.ids])?;
    let y = bank.convolution.apply(&embedding.batch(&batch)?)?;
    let responses: ArrayView1<'_, f32> = y.slice(s![0, phrase, ..]);
    let mut heat = Array1::<f32>::zeros(batch.ids().ncols());
    for (start, &response) in responses.iter().enumerate() {
        heat.slice_mut(s![start..start + width]).mapv_inplace(|v| v.max(response));
    }
    let best = bank.position(index, phrase);
    let mut out = String::new();
    for (t, (token, &heat)) in sentence.tokens.iter().zip(&heat).enumerate() {
        let class = if (best..best + width).contains(&t) { "w best" } else { "w" };
        write!(out, "<span class=\"{class}\" style=\"background:{}\">{}</span> ", colour(heat), escaped(token))?;
    }
    Ok(out)
}

/// White at 0 to red at 1.
fn colour(response: f32) -> String {
    let fade = |least: f32| (255.0 - (255.0 - least) * response.clamp(0.0, 1.0)).round();
    format!("rgb({},{},{})", fade(244.0), fade(109.0), fade(67.0))
}

/// Text as a page can hold it, whatever was in the file.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
