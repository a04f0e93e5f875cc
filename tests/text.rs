//! Texts to arrays: against PyTorch and the regular expressions of Kim's program (`cases/text.py`), tables by hand,
//! round trips, and files that lie.

use std::borrow::Cow;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use faltung::ndarray::{Array2, Array3, Axis, array, s};
use faltung::text::{
    Batcher, Embedding, Encoding, Lines, Missing, PADDING, Side, Split, TextConvolution, Tokenizer, UNKNOWN,
    VectorText, Vocabulary,
};
use faltung::{Algorithm, Error, Mode, Planner};
use proptest::prelude::*;
use serde_json::Value;

fn cases(key: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/text.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).expect("the cases are there")).expect("JSON");
    all[key].as_array().expect("a list").clone()
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|v| v.as_u64().expect("a count") as usize).collect()
}

fn floats(value: &Value) -> (Vec<usize>, Vec<f32>) {
    let values = value["values"].as_array().expect("a list");
    (numbers(&value["shape"]), values.iter().map(|v| v.as_f64().expect("a number") as f32).collect())
}

fn matrix(value: &Value) -> Array2<f32> {
    let (shape, values) = floats(value);
    Array2::from_shape_vec((shape[0], shape[1]), values).expect("a matrix")
}

fn cube(value: &Value) -> Array3<f32> {
    let (shape, values) = floats(value);
    Array3::from_shape_vec((shape[0], shape[1], shape[2]), values).expect("three axes")
}

#[test]
fn batches_are_embedded_convolved_and_pooled_as_by_pytorch() {
    let cases = cases("convolutions");
    assert_eq!(cases.len(), 32);
    for case in cases {
        let mode = match case["mode"].as_str() {
            Some("full") => Mode::Full,
            Some("same") => Mode::Same,
            Some("causal") => Mode::Causal,
            _ => Mode::Valid,
        };
        let side = if case["side"] == "left" { Side::Left } else { Side::Right };
        let sentences = case["sentences"].as_array().expect("a list");
        let ids: Vec<Vec<u32>> =
            sentences.iter().map(|s| numbers(s).into_iter().map(|id| id as u32).collect()).collect();

        let embedding = Embedding::new(matrix(&case["table"])).expect("a table with padding");
        let tokens = case["tokens"].as_u64().expect("a count") as usize;
        let batch = Batcher::new().length(tokens).side(side).batch(&ids).expect("a batch");
        let x = embedding.batch(&batch).expect("embedded");
        assert_eq!(x, cube(&case["x"]));
        for (i, sentence) in ids.iter().enumerate() {
            let columns = if side == Side::Left { tokens - sentence.len()..tokens } else { 0..sentence.len() };
            assert_eq!(embedding.sentence(sentence).expect("embedded"), x.slice(s![i, .., columns]));
        }

        let convolution = TextConvolution::new(cube(&case["w"])).expect("weights").mode(mode);
        // Sums of integers, which the algorithm that is chosen may round.
        let whole = |y: Array3<f32>| {
            y.mapv(|v| {
                assert!((v - v.round()).abs() < 1e-3, "{v} of integers");
                v.round()
            })
        };
        let y = whole(convolution.apply(&x).expect("convolved"));
        assert_eq!(y, cube(&case["y"]), "{} {:?}", case["mode"], case["w"]["shape"]);
        // An array of another order in memory.
        assert_eq!(whole(convolution.apply(&x.t().as_standard_layout().t().to_owned()).expect("convolved")), y);
        let pooled = convolution.max_over_time(&y, &batch).expect("pooled");
        assert_eq!(pooled.values, matrix(&case["pooled"]), "{} {side:?} {:?}", case["mode"], case["w"]["shape"]);
        let least = if mode == Mode::Valid { convolution.weights().dim().2 } else { 1 };
        for ((i, f), &position) in pooled.positions.indexed_iter() {
            let start = if side == Side::Left { tokens - ids[i].len().max(least) } else { 0 };
            let maximum = pooled.values[[i, f]];
            assert!(position >= start && y[[i, f, position]] == maximum);
            assert!(y.slice(s![i, f, start..position]).iter().all(|&v| v < maximum), "the first of equal ones");
        }
        // Equals are told apart only where nothing is rounded.
        let convolution = convolution.planner(Planner::new().algorithm(Algorithm::Direct));
        assert_eq!(convolution.features(&embedding, &batch).expect("pooled"), pooled);
    }
}

#[test]
fn every_algorithm_serves_a_text() {
    let embedding = Embedding::uniform(50, 20, 0.25, 3).expect("a table");
    let ids: Vec<Vec<u32>> = (1..9u32).map(|n| (0..3 * n).map(|i| 1 + (i * n) % 49).collect()).collect();
    let batch = Batcher::new().batch(&ids).expect("a batch");
    let weights = Embedding::normal(7, 60, 1.0, 4).expect("numbers").into_table();
    let weights = weights.to_shape((7, 20, 3)).expect("the same elements").into_owned();
    let with = |algorithm| {
        let planner = Planner::new().algorithm(algorithm);
        let convolution = TextConvolution::new(weights.clone()).expect("weights").planner(planner);
        convolution.features(&embedding, &batch).expect("pooled").values
    };
    let reference = with(Algorithm::Reference);
    for algorithm in [Algorithm::Direct, Algorithm::Im2col, Algorithm::Fft, Algorithm::Auto] {
        let difference = (&with(algorithm) - &reference).mapv(f32::abs);
        assert!(difference.iter().all(|&d| d < 1e-4), "{algorithm:?}");
    }
}

#[test]
fn a_nan_is_the_maximum_and_the_first_of_equals_is_taken() {
    let batch = Batcher::new().batch(&[[2; 4], [3; 4]]).expect("a batch");
    let convolution = TextConvolution::new(Array3::ones((1, 1, 1))).expect("weights");
    let y = array![[[1.0, f32::NAN, 5.0, f32::NAN]], [[0.0, 7.0, 7.0, f32::NEG_INFINITY]]];
    let pooled = convolution.max_over_time(&y, &batch).expect("pooled");
    assert!(pooled.values[[0, 0]].is_nan());
    assert_eq!((pooled.values[[1, 0]], pooled.positions), (7.0, array![[1], [1]]));
}

#[test]
fn kims_rules_give_what_his_regular_expressions_give() {
    let tokens = |tokenizer: &Tokenizer, text: &str| tokenizer.tokens(text).into_iter().map(Cow::into_owned).collect();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().expect("a list").iter().map(|v| v.as_str().expect("a token").to_string()).collect()
    };
    let kim = Tokenizer::new().split(Split::Kim);
    let cases = cases("kim");
    assert_eq!(cases.len(), 75);
    for case in cases {
        let text = case["text"].as_str().expect("a text");
        let given: Vec<String> = tokens(&kim, text);
        assert_eq!(given, list(&case["tokens"]), "{text:?}");
        let given: Vec<String> = tokens(&kim.clone().lowercase(false), text);
        assert_eq!(given, list(&case["cased"]), "{text:?}");
    }
}

/// With the folder of MR and TREC in `FALTUNG_DATA`: the numbers of words that Python's regular expressions give. Kim
/// reports 18765 for MR, which is one more, his row 0, and 9592 for TREC.
#[test]
fn the_vocabularies_of_mr_and_trec() {
    let Some(folder) = std::env::var_os("FALTUNG_DATA") else {
        eprintln!("skipped: FALTUNG_DATA names no folder");
        return;
    };
    let count = |files: [&str; 2], kim: &Tokenizer, labelled: bool| {
        let mut builder = Vocabulary::builder();
        let mut longest = 0;
        for file in files {
            for line in Lines::open(Path::new(&folder).join(file)).expect("a file").encoding(Encoding::Latin1) {
                let line = line.expect("Latin-1");
                let text = if labelled { line.split_once(' ').expect("a label").1 } else { &line };
                let tokens = kim.tokens(text);
                longest = longest.max(tokens.len());
                builder.count(tokens);
            }
        }
        (builder.build().expect("a vocabulary").len() - 2, longest)
    };
    let kim = Tokenizer::new().split(Split::Kim);
    assert_eq!(count(["mr-polarity/rt-polarity.neg", "mr-polarity/rt-polarity.pos"], &kim, false), (18764, 56));
    let cased = kim.lowercase(false);
    assert_eq!(count(["trec/train_5500.label", "trec/TREC_10.label"], &cased, true).0, 9580);
}

#[test]
fn words_are_those_of_unicode() {
    let table: [(&str, &[&str]); 17] = [
        ("", &[]),
        (" \t\r\n\u{a0}\u{2028}\u{3000}", &[]),
        ("Can't stop: 3.14 e.g. U.S.A.", &["can't", "stop", ":", "3.14", "e.g", ".", "u.s.a", "."]),
        ("cafe\u{301} café", &["cafe\u{301}", "café"]),
        ("İstanbul ISPARTA", &["i\u{307}stanbul", "isparta"]),
        ("ΟΔΟΣ Σ STRASSE Straße", &["οδος", "σ", "strasse", "straße"]),
        ("我爱电影。", &["我", "爱", "电", "影", "。"]),
        ("カタカナとひ", &["カタカナ", "と", "ひ"]),
        ("한국어 영화", &["한국어", "영화"]),
        ("👨‍👩‍👧‍👦🇩🇪🇫🇷 👍🏽!", &["👨‍👩‍👧‍👦", "🇩🇪", "🇫🇷", "👍🏽", "!"]),
        ("שלום, עולם", &["שלום", ",", "עולם"]),
        ("\u{200f}مرحبا بك\u{200f}", &["مرحبا", "بك\u{200f}"]),
        ("a\0b\u{7}c\u{1b}[0m", &["a", "b", "c", "[", "0m"]),
        ("\u{feff}x\u{200b}y", &["x", "y"]),
        ("ﬁlm Ⅷ ½", &["ﬁlm", "ⅷ", "½"]),
        ("snake_case kebab-case", &["snake_case", "kebab", "-", "case"]),
        ("हिन्दी फ़िल्म", &["हिन्दी", "फ़िल्म"]),
    ];
    for (text, expected) in table {
        assert_eq!(Tokenizer::new().tokens(text), expected, "{text:?}");
    }
    let bare = Tokenizer::new().punctuation(false);
    assert_eq!(bare.tokens("So — what?! 👍 «oui» 100%"), ["so", "what", "oui", "100"]);
    let white = bare.split(Split::Whitespace).lowercase(false);
    assert_eq!(white.tokens(" So\u{3000}what?! ... \u{200e} x"), ["So", "what?!", "x"]);
    let characters = Tokenizer::new().split(Split::Characters);
    assert_eq!(characters.tokens("Zo\u{308} 👨‍👩‍👧İ\r\n"), ["z", "o\u{308}", " ", "👨‍👩‍👧", "i\u{307}", "\r\n"]);
    assert!(matches!(Tokenizer::new().tokens("plain words").as_slice(), [Cow::Borrowed(_), Cow::Borrowed(_)]));
}

#[test]
fn no_text_takes_long() {
    let start = Instant::now();
    for unit in
        ["a", "a'", "🇩🇪", "👨\u{200d}", "\u{301}", ".", "1,", "\r", "a\u{200d}", "n't", "\u{11a8}", "क\u{94d}", "\"א"]
    {
        let text = unit.repeat(300_000 / unit.len());
        for split in [Split::Words, Split::Whitespace, Split::Kim, Split::Characters] {
            let tokens = Tokenizer::new().split(split).tokens(&text);
            assert!(tokens.len() <= text.len());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_vocabulary_has_its_order_its_limits_and_its_names() {
    let words = "b a c a b d b a c <unk> <pad> e".split(' ');
    let build = |minimum, maximum| {
        let mut builder = Vocabulary::builder().minimum_count(minimum).maximum_size(maximum);
        builder.count(words.clone());
        builder.build().expect("a vocabulary").tokens().skip(2).map(str::to_string).collect::<Vec<_>>()
    };
    // Three times b, first, and a; twice c; once d and e.
    assert_eq!(build(1, usize::MAX), ["b", "a", "c", "d", "e"]);
    assert_eq!(build(2, usize::MAX), ["b", "a", "c"]);
    assert_eq!(build(1, 4), ["b", "a"]);
    assert_eq!(build(9, usize::MAX), [""; 0]);
    let vocabulary = Vocabulary::of(words).expect("a vocabulary");
    assert_eq!(vocabulary.encode(["<unk>", "<pad>", "zzz", ""]), [UNKNOWN, PADDING, UNKNOWN, UNKNOWN]);
    assert!(matches!(vocabulary.decode(&[7]), Err(Error::Argument { .. })));
    assert_eq!(vocabulary.token(u32::MAX), None);

    for (padding, unknown) in [("", "u"), ("p", ""), ("p", "p"), ("a\nb", "u"), ("p", "a\r"), ("\u{feff}p", "u")] {
        let built = Vocabulary::builder().padding(padding).unknown(unknown).build();
        assert!(matches!(built, Err(Error::Argument { .. })), "{padding:?} {unknown:?}");
    }
}

#[test]
fn vocabularies_go_to_files_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vocabulary.txt");
    let vocabulary =
        Vocabulary::of(["ö", " ", "\\n", "\u{feff}", "a b", "\u{85}", "\u{2028}", "\0", "a\rb"]).expect("built");
    vocabulary.save(&path).expect("saved");
    assert_eq!(Vocabulary::load(&path).expect("loaded"), vocabulary);
    let other = Vocabulary::of(["two\nlines"]).expect("built");
    assert!(matches!(other.save(&path), Err(Error::Argument { .. })));
    assert!(matches!(Vocabulary::of(["cr\r"]).expect("built").save(&path), Err(Error::Argument { .. })));
    assert!(matches!(Vocabulary::of([""]).expect("built").save(&path), Err(Error::Argument { .. })));
    assert_eq!(Vocabulary::load(&path).expect("the old one"), vocabulary, "a failure leaves what was there");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);

    let read = |text: &[u8]| Vocabulary::read(text);
    let windows = read(b"\xef\xbb\xbf<pad>\r\n<unk>\r\nword").expect("read");
    assert_eq!(windows.tokens().collect::<Vec<_>>(), ["<pad>", "<unk>", "word"]);
    let wrong: [(&[u8], &str); 7] = [
        (b"", "padding"),
        (b"<pad>\n", "padding"),
        (b"<pad>\n<unk>\na\nb\na\n", "line 5"),
        (b"<pad>\n<unk>\n\nb\n", "line 3"),
        (b"<pad>\n<unk>\n\xff\n", "line 3"),
        (b"a\na\n", "line 2"),
        (b"<pad>\n<unk>\na\r\r\n", "line 3: an entry that ends with a carriage return"),
    ];
    for (text, named) in wrong {
        let error = read(text).expect_err("refused");
        assert!(matches!(error, Error::Parse { .. }) && error.to_string().contains(named), "{error}");
    }
}

#[test]
fn lines_are_decoded_numbered_and_bounded() {
    let mut lines = Lines::new(&b"a\xc3\xa9\n\xff\nb"[..]);
    assert_eq!(lines.next().expect("a line").expect("UTF-8"), "aé");
    let error = lines.next().expect("a line").expect_err("no UTF-8");
    assert!(error.to_string().contains("line 2") && error.to_string().contains("byte 0"), "{error}");
    assert!(lines.next().is_none(), "nothing behind an error");
    let latin: Vec<_> =
        Lines::new(&b"\xef\xbb\xbf\n\x80\xff"[..]).encoding(Encoding::Latin1).map(Result::unwrap).collect();
    assert_eq!(latin, ["ï»¿", "\u{80}ÿ"]);
    let lines: Vec<_> = Lines::new(&b"\r\n\r\r\n\n"[..]).map(Result::unwrap).collect();
    assert_eq!(lines, ["", "\r", ""]);
    assert!(Lines::new("abcd\r\n".as_bytes()).limit(4).all(|line| line.is_ok()));
    assert!(Lines::open("/no/such/file").is_err_and(|e| e.to_string().contains("/no/such/file")));
}

#[test]
fn random_tables_have_the_same_bits_everywhere() {
    let table = Embedding::uniform(3, 4, 0.25, 1).expect("a table");
    assert_eq!(table.table().row(0).to_vec(), [0.0; 4]);
    let bits = |e: &Embedding| e.table().iter().skip(4).map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&table), UNIFORM);
    assert_eq!(bits(&Embedding::normal(3, 4, 1.0, 1).expect("a table")), NORMAL);
    assert_ne!(table, Embedding::uniform(3, 4, 0.25, 2).expect("a table"));

    // Kolmogorov and Smirnov: 200,000 values against their distributions, at the level 1e-6.
    let distance = |mut values: Vec<f64>, cumulative: &dyn Fn(f64) -> f64| {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        values.iter().enumerate().map(|(i, &v)| (cumulative(v) - (i as f64 + 0.5) / n).abs()).fold(0.0, f64::max)
    };
    let values = |e: Embedding| e.into_table().iter().skip(100).map(|&v| f64::from(v)).collect::<Vec<_>>();
    let uniform = values(Embedding::uniform(2001, 100, 0.25, 5).expect("a table"));
    assert!(distance(uniform, &|v| 2.0 * v + 0.5) < 2.7 / 200_000f64.sqrt());
    let normal = values(Embedding::normal(2001, 100, 2.0, 5).expect("a table"));
    assert!(distance(normal, &|v| normal_distribution(v / 2.0)) < 2.7 / 200_000f64.sqrt());
}

/// The normal distribution function, by the series of its integral (Marsaglia 2004).
fn normal_distribution(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut i) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() && term != 0.0 {
        i += 2.0;
        term *= x * x / i;
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

const UNIFORM: [u32; 8] =
    [1019887824, 3175593376, 1048059164, 3193362420, 3188978164, 1027981656, 3177693080, 3188700338];
const NORMAL: [u32; 8] =
    [3195042751, 3216283053, 1051361979, 3213900257, 3198872591, 1061455257, 3192596142, 3212846880];

#[test]
fn tables_and_batches_refuse_what_makes_no_sense() {
    for limit in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(Embedding::uniform(3, 2, limit, 0), Err(Error::Argument { .. })), "{limit}");
        assert!(matches!(Embedding::normal(3, 2, limit, 0), Err(Error::Argument { .. })), "{limit}");
        let read = VectorText::glove().missing(Missing::Uniform { limit, seed: 0 }).read("a 1".as_bytes());
        assert!(matches!(read, Err(Error::Argument { .. })), "{limit}");
    }
    for (entries, dimension) in [(0, 2), (2, 0), (usize::MAX, 2), (1 << 40, 1 << 20)] {
        assert!(Embedding::uniform(entries, dimension, 0.25, 0).is_err(), "{entries} {dimension}");
    }
    for table in [Array2::zeros((0, 3)), Array2::zeros((3, 0)), array![[1.0], [1.0]], array![[0.0], [f32::NAN]]] {
        assert!(matches!(Embedding::new(table), Err(Error::Argument { .. })));
    }
    let embedding = Embedding::new(array![[0.0], [1.0]].reversed_axes().reversed_axes()).expect("a table");
    assert!(matches!(embedding.sentence(&[0, 2]), Err(Error::Argument { .. })));
    assert_eq!(embedding.sentence(&[]).expect("no tokens").dim(), (1, 0));

    let refused = |batcher: Batcher| assert!(batcher.batch(&[[1, 1]]).is_err(), "{batcher:?}");
    refused(Batcher::new().length(0));
    refused(Batcher::new().truncate(0));
    refused(Batcher::new().minimum(0));
    refused(Batcher::new().length(4).minimum(5));
    refused(Batcher::new().length(usize::MAX));
    refused(Batcher::new().minimum(1 << 50));
    let none = Batcher::new().minimum(3).batch::<Vec<u32>>(&[]).expect("no sentences");
    assert_eq!(none.ids().dim(), (0, 3));
    let convolution = TextConvolution::new(Array3::ones((2, 1, 3))).expect("weights");
    assert_eq!(convolution.features(&embedding, &none).expect("no sentences").values.dim(), (0, 2));

    let short = Batcher::new().batch(&[[1, 1]]).expect("a batch");
    assert!(matches!(convolution.features(&embedding, &short), Err(Error::KernelTooLong { kernel: 3, input: 2, .. })));
    assert!(matches!(convolution.apply(&Array3::zeros((1, 2, 5))), Err(Error::Shape { .. })));
    assert!(matches!(convolution.apply(&Array3::zeros((1, 1, 0))), Err(Error::Argument { .. })));
    let longer = Batcher::new().length(5).batch(&[[1, 1]]).expect("a batch");
    assert!(matches!(convolution.max_over_time(&Array3::zeros((1, 2, 5)), &longer), Err(Error::Shape { .. })));
    assert!(matches!(TextConvolution::new(Array3::zeros((0, 1, 1))), Err(Error::Argument { .. })));
}

/// Reads as GloVe's and as word2vec's text, and tells the errors.
fn refusal(options: VectorText, text: &[u8]) -> String {
    let error = options.read(text).expect_err("refused");
    let vocabulary = Vocabulary::of(["a", "b"]).expect("a vocabulary");
    let again = options.read_for(&vocabulary, text);
    // Values of words that nobody wants are not looked at.
    assert!(again.is_err() || error.to_string().contains("finite"), "{error}");
    error.to_string()
}

#[test]
fn files_of_vectors_that_lie_are_refused_by_line() {
    let (glove, word2vec) = (VectorText::glove, VectorText::word2vec);
    let table: [(VectorText, &[u8], &str); 27] = [
        (glove(), b"", "no vectors"),
        (glove(), b"\n \n\t\r\n", "no vectors"),
        (glove(), b"word\n", "line 1: a word and no values"),
        (glove(), b"a 1 2\nb 1\n", "line 2"),
        (glove(), b"a 1 2\n\nb 1 2 3\n", "line 3: more than 2 values"),
        (glove(), b"a 1 2\n1 2\n", "line 2"),
        (glove(), b"a 1 2\n 1 2\n", "line 2"),
        (glove(), b"a 1 2\nb 1 x\n", "line 2: value 2 is no finite number of single precision: \"x\""),
        (glove(), b"a 1 2\nb nan 1\n", "line 2: value 1"),
        (glove(), b"a 1 -inf\n", "line 1: value 2"),
        (glove(), b"a 1 1e39\n", "line 1: value 2"),
        (glove(), b"a 1 2\0\n", "line 1: value 2"),
        (glove(), b"a 1 2\nb\xff 1 2\n", "line 2: byte 1 is not UTF-8"),
        (glove(), b"2 2\na 1 2\nb 3 4\n", "line 2: more than 1 values; a first line of a count"),
        (glove().dimension(3), b"a 1 2\n", "line 1"),
        (glove().dimension(usize::MAX), b"a 1 2\n", "line 1"),
        (glove().dimension(0), b"a 1 2\n", "dimension"),
        (word2vec(), b"", "word2vec's first line"),
        (word2vec(), b"2 2\n", "0 of the 2 words"),
        (word2vec(), b"0 2\n", "no vectors"),
        (word2vec(), b"1 0\na\n", "line 1: a dimension of at least 1"),
        (word2vec(), b"a 1 2\n", "line 1: word2vec's first line"),
        (word2vec(), b"-1 2\na 1 2\n", "line 1: word2vec's first line"),
        (word2vec(), b"1000000000000000000 2\na 1 2\n", "1 of the 1000000000000000000 words"),
        (word2vec(), b"1 1000000000000000000\na 1 2\n", "line 2: a word and 1000000000000000000 values"),
        (word2vec(), b"1 2\na 1 2\nb 1 2\n", "line 3: the first line tells of 1 words"),
        (word2vec().dimension(3), b"1 2\na 1 2\n", "line 1: a dimension of 3 was asked for"),
    ];
    for (options, text, expected) in table {
        let error = refusal(options, text);
        assert!(error.contains(expected), "{:?}: {error}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_is_held() {
    let endless = || BufReader::new(std::io::repeat(b'7'));
    assert!(VectorText::glove().read(endless()).is_err());
    assert!(VectorText::word2vec().read(endless()).is_err());
    assert!(Vocabulary::read(endless()).is_err());
    let hundred = || BufReader::new("a ".as_bytes().chain(std::io::repeat(b'1').take(100 << 20)));
    let error = VectorText::glove().read(hundred()).expect_err("too long").to_string();
    assert!(error.contains("line 1: longer than 1048576 bytes"), "{error}");
    // As many values as a line holds, and no more memory than that.
    let many = "a".to_string() + &" 1".repeat(500_000);
    assert_eq!(VectorText::glove().read(many.as_bytes()).expect("read").1.dimension(), 500_000);
}

#[test]
fn vectors_are_read_as_the_tools_write_them() {
    // word2vec and fastText end lines with a space; GloVe's words may hold spaces; files come with CR LF and a mark.
    let text = "\u{feff}5 2\r\n</s> 0.5 -1e-3 \r\n. . . 1 2\r\nat name@domain.com\t3\t4\r\n. . . 9 9\r\n\
                \u{a0}\u{2028} 5 +6.25\r\n\r\n";
    let (vocabulary, embedding) = VectorText::word2vec().read(text.as_bytes()).expect("read");
    let words = ["<pad>", "<unk>", "</s>", ". . .", "at name@domain.com", "\u{a0}\u{2028}"];
    assert_eq!(vocabulary.tokens().collect::<Vec<_>>(), words);
    let expected = array![[0.5, -1e-3], [1.0, 2.0], [3.0, 4.0], [5.0, 6.25]];
    assert_eq!(embedding.table().slice(s![2.., ..]), expected);
    assert!(embedding.vector(UNKNOWN).expect("a row").iter().all(|v| v.abs() <= 0.25 && *v != 0.0));

    // The rows of special names.
    let text = "<pad> 7 7\nof 1 2\n<unk> 3 4\n<unk> 5 6\n";
    let (_, embedding) = VectorText::glove().read(text.as_bytes()).expect("read");
    assert_eq!(embedding.table(), array![[0.0, 0.0], [3.0, 4.0], [1.0, 2.0]]);
    let mut builder = Vocabulary::builder().unknown("of");
    builder.count(["<unk>", "<pad>"]);
    let named = builder.build().expect("a vocabulary");
    let (embedding, coverage) = VectorText::glove().read_for(&named, text.as_bytes()).expect("read");
    assert_eq!(embedding.table(), array![[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]);
    assert_eq!((coverage.found(), coverage.rows, coverage.duplicates), (1, 4, 1));

    let (vocabulary, _) =
        VectorText::glove().encoding(Encoding::Utf8Lossy).read(&b"\xe9 1\n\xe8 2\n"[..]).expect("read");
    assert_eq!(vocabulary.len(), 3, "both become U+FFFD, and the first counts");
}

#[test]
fn words_that_the_file_lacks_get_what_was_asked_for() {
    let vocabulary = Vocabulary::of(["x", "a", "y", "b"]).expect("a vocabulary");
    let file = "a 1 2\nzzz 100 100\nb 3 6\n";
    let read = |missing, text: &str| {
        VectorText::glove().missing(missing).read_for(&vocabulary, text.as_bytes()).expect("read")
    };
    let (zero, coverage) = read(Missing::Zero, file);
    assert_eq!(zero.table(), array![[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0], [3.0, 6.0]]);
    assert_eq!((coverage.missing.as_slice(), coverage.found(), coverage.rows), (&[2, 4][..], 2, 3));
    assert_eq!(coverage.to_string(), "2 of 4 tokens (50.0 %)");
    let (mean, _) = read(Missing::Unknown, file);
    assert_eq!(mean.table(), array![[0.0, 0.0], [2.0, 4.0], [2.0, 4.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]);
    let (own, _) = read(Missing::Unknown, &format!("{file}<unk> 7 8\n"));
    assert_eq!(own.table(), array![[0.0, 0.0], [7.0, 8.0], [7.0, 8.0], [1.0, 2.0], [7.0, 8.0], [3.0, 6.0]]);
    let (random, _) = read(Missing::Uniform { limit: 0.5, seed: 9 }, file);
    let drawn = Embedding::uniform(4, 2, 0.5, 9).expect("a table");
    for (id, row) in [(1, 1), (2, 2), (4, 3)] {
        assert_eq!(random.vector(id), drawn.vector(row));
    }
    assert_eq!(random.table().slice(s![3..;2, ..]), array![[1.0, 2.0], [3.0, 6.0]]);
    let nothing = VectorText::glove().missing(Missing::Unknown).read_for(&vocabulary, "zzz 1 2".as_bytes());
    assert!(nothing.expect("read").0.table().iter().all(|&v| v == 0.0));
}

#[test]
fn tables_go_to_files_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vectors.txt");
    let vocabulary = Vocabulary::of(["good", ". . .", "1", "½ a", "\u{feff}", "a\tb", "cr\r"]).expect("a vocabulary");
    let mut table = Embedding::normal(vocabulary.len(), 5, 1e-3, 2).expect("a table").into_table();
    table.row_mut(3).assign(&array![f32::MAX, f32::MIN_POSITIVE, 1e-45, -0.0, f32::EPSILON]);
    let embedding = Embedding::new(table).expect("a table");
    embedding.save(&vocabulary, &path).expect("saved");
    let (words, read) = VectorText::word2vec().load(&path).expect("loaded");
    assert_eq!(words, vocabulary);
    let bits = |e: &Embedding| e.table().mapv(f32::to_bits);
    assert_eq!(bits(&read), bits(&embedding));
    let (read, coverage) = VectorText::word2vec().load_for(&vocabulary, &path).expect("loaded");
    assert_eq!((bits(&read), coverage.found()), (bits(&embedding), 7));

    for word in ["", "a\nb", "a ", "a\t", "at 5", "to inf"] {
        let vocabulary = Vocabulary::of([word]).expect("a vocabulary");
        let refused = Embedding::uniform(3, 2, 0.25, 1).expect("a table").save(&vocabulary, &path);
        assert!(matches!(refused, Err(Error::Argument { .. })), "{word:?}");
    }
    assert!(matches!(embedding.save(&Vocabulary::of(["a"]).expect("one"), &path), Err(Error::Argument { .. })));
    assert!(VectorText::word2vec().load(&path).is_ok(), "failures leave what was there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn tokens_are_parts_of_the_text(text in any::<String>(), punctuation: bool) {
        for split in [Split::Words, Split::Whitespace, Split::Kim, Split::Characters] {
            let tokenizer = Tokenizer::new().split(split).lowercase(false).punctuation(punctuation);
            let mut rest = text.as_str();
            for token in tokenizer.tokens(&text) {
                let at = rest.find(token.as_ref());
                prop_assert!(!token.is_empty() && at.is_some(), "{split:?} {token:?}");
                rest = &rest[at.unwrap() + token.len()..];
            }
            if split == Split::Characters && punctuation {
                prop_assert_eq!(tokenizer.tokens(&text).concat(), text.clone());
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(text in any::<String>()) {
        let tokens = Tokenizer::new().tokens(&text);
        let vocabulary = Vocabulary::of(&tokens).expect("few tokens");
        prop_assert_eq!(vocabulary.decode(&vocabulary.encode(&tokens)).expect("its own ids"), tokens);
        let mut file = Vec::new();
        vocabulary.write(&mut file).expect("words have no line breaks");
        prop_assert_eq!(Vocabulary::read(&file[..]).expect("read"), vocabulary);
    }

    #[test]
    fn a_batch_changes_no_sentence(
        sentences in prop::collection::vec(prop::collection::vec(1u32..20, 0..9), 1..6),
        width in 1usize..5,
        left: bool,
        mode in 0usize..4,
    ) {
        let mode = [Mode::Valid, Mode::Same, Mode::Full, Mode::Causal][mode];
        let side = if left { Side::Left } else { Side::Right };
        let embedding = Embedding::uniform(20, 4, 0.25, 1).expect("a table");
        let weights = Embedding::uniform(4, 4 * width, 1.0, 2).expect("numbers").into_table();
        let weights = weights.to_shape((4, 4, width)).expect("the same elements").into_owned();
        let convolution = TextConvolution::new(weights).expect("weights").mode(mode);
        let batcher = Batcher::new().minimum(width).side(side);
        let pool = |sentences: &[Vec<u32>]| {
            convolution.features(&embedding, &batcher.batch(sentences).expect("a batch")).expect("pooled")
        };
        let together = pool(&sentences);
        for (sentence, values) in sentences.iter().zip(together.values.axis_iter(Axis(0))) {
            let alone = pool(std::slice::from_ref(sentence));
            for (a, b) in alone.values.iter().zip(values) {
                prop_assert!((a - b).abs() < 1e-5, "{a} {b} {mode:?} {side:?} {sentence:?}");
            }
        }
    }
}
