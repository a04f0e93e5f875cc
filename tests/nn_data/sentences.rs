//! Sentence files.

use std::fs;

use faltung::ndarray::array;
use faltung::nn::data::{Dataset, Deal, SentenceClasses, Sentences, Targets, Trec, TrecLabels};
use faltung::text::{Batcher, Encoding, Side, Split, Tokenizer, Vocabulary};

use crate::{real_data, sample};

#[test]
fn trec_as_published() {
    let Some(folder) = real_data("trec") else { return };
    let trec = Trec::open(&folder, TrecLabels::Coarse).expect("TREC");
    assert_eq!((trec.train.len(), trec.test.len()), (5452, 500));
    assert_eq!(trec.train.names(), ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"]);
    assert_eq!((trec.train.labels()[0], trec.test.labels()[0]), (1, 5));
    assert_eq!(trec.train.texts()[0], "How did serfdom develop in and then leave Russia ?");
    let count = |class| trec.test.labels().iter().filter(|&&label| label == class).count();
    assert_eq!((0..6).map(count).collect::<Vec<_>>(), [9, 138, 94, 65, 81, 113]);
    let fine = Trec::open(&folder, TrecLabels::Fine).expect("TREC");
    assert_eq!(fine.train.names().len(), 50);
    assert_eq!(fine.train.names(), fine.test.names());

    // Kim's rules for TREC keep the case; the counts are those of his `clean_str` in Python.
    let tokenizer = Tokenizer::new().split(Split::Kim).lowercase(false);
    let vocabulary = trec.train.vocabulary(&tokenizer, Vocabulary::builder()).expect("a vocabulary");
    let length = trec.train.longest(&tokenizer);
    assert_eq!((vocabulary.len(), length), (9257 + 2, 37));
    let batcher = Batcher::new().length(length);
    let test: SentenceClasses<f32> = trec.test.encode(&tokenizer, &vocabulary, &batcher).expect("ids");
    assert_eq!(test.sample_shape(), [length]);
    assert!(test.ids().iter().all(|&id| (id as usize) < vocabulary.len()));
}

#[test]
fn movie_reviews_as_published() {
    let Some(folder) = real_data("mr-polarity") else { return };
    let reviews = Sentences::movie_reviews(folder).expect("reviews");
    assert_eq!(reviews.labels().iter().filter(|&&label| label == 1).count(), 5331);
    assert_eq!(reviews.labels().iter().filter(|&&label| label == 0).count(), 5331);
    assert!(reviews.texts()[0].starts_with("simplistic , silly and tedious"));
    let tokenizer = Tokenizer::new().split(Split::Kim);
    assert_eq!(reviews.longest(&tokenizer), 56); // Kim's `max_l`
    let whole = reviews.vocabulary(&tokenizer, Vocabulary::builder()).expect("a vocabulary");
    assert_eq!(whole.len(), 18_764 + 2); // what his `process_data.py` counts

    let batcher = Batcher::new().length(56);
    let data: SentenceClasses<f32> = reviews.encode(&tokenizer, &whole, &batcher).expect("ids");
    for fold in Deal::stratified(1).folds(&data, 10).expect("folds") {
        let train = reviews.select(fold.train.indices()).expect("sentences");
        let vocabulary = train.vocabulary(&tokenizer, Vocabulary::builder()).expect("a vocabulary");
        assert!(vocabulary.len() < whole.len());
        assert!((1066..=1067).contains(&fold.test.len()));
    }
}

#[test]
fn sentences_become_ids_of_one_length() {
    let texts = ["One fish, two fish", "red", ""].map(str::to_string).to_vec();
    let sentences = Sentences::new(texts, vec![1, 0, 1], vec!["a".into(), "b".into()]).expect("sentences");
    let tokenizer = Tokenizer::new().punctuation(false);
    let vocabulary = sentences.vocabulary(&tokenizer, Vocabulary::builder().maximum_size(4)).expect("a vocabulary");
    let encode = |batcher: Batcher| sentences.encode::<f64>(&tokenizer, &vocabulary, &batcher);
    let data = encode(Batcher::new().length(3)).expect("ids");
    assert_eq!(data.ids(), array![[3, 2, 1], [1, 0, 0], [0, 0, 0]]);
    assert_eq!(sample(&data, 0, Some(4)), array![3.0, 2.0, 1.0].into_dyn());
    assert_eq!(data.targets(), &Targets::Classes(vec![1, 0, 1]));
    assert_eq!(encode(Batcher::new().length(5).side(Side::Left)).expect("ids").ids().row(1), array![0, 0, 0, 0, 1]);
    assert!(encode(Batcher::new().length(0)).is_err());
    assert_eq!(sentences.longest(&tokenizer), 4);
    assert!(sentences.select(&[3]).is_err());
    assert!(Sentences::new(vec!["a".into()], vec![2], vec!["a".into()]).is_err());
}

#[test]
fn files_that_lie_are_named_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).expect("written");
    write("train_5500.label", b"DESC:def What is a caf\xe9 ?\r\n\nNUM:date When ?\n");
    write("TREC_10.label", b"ABBR:exp What is EU ?\nno label here\n");
    let refused = Trec::open(folder.path(), TrecLabels::Coarse).expect_err("refused").to_string();
    assert!(refused.contains("TREC_10.label, line 2"), "{refused}");
    write("TREC_10.label", b"ABBR:exp What is EU ?\n");
    let trec = Trec::open(folder.path(), TrecLabels::Fine).expect("read");
    assert_eq!(trec.train.texts(), ["What is a caf\u{e9} ?", "When ?"]);
    assert_eq!(trec.test.names(), ["ABBR:exp", "DESC:def", "NUM:date"]); // of both files
    assert_eq!((trec.train.labels(), trec.test.labels()), (&[1, 2][..], &[0][..]));
    let latin = folder.path().join("train_5500.label");
    assert!(Sentences::files(&[("q", &latin)], Encoding::Utf8).is_err());
    assert_eq!(Sentences::files(&[("q", &latin)], Encoding::Utf8Lossy).expect("read").len(), 2);
    assert!(Sentences::movie_reviews(folder.path()).expect_err("refused").to_string().contains("rt-polarity.neg"));
}
