//! Any bytes as files of vectors and vocabularies: no panic, little memory, and what is read is written and read back.

#![no_main]

use faltung::text::{Encoding, Lines, Missing, Split, Tokenizer, VectorText, Vocabulary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let encoding = [Encoding::Utf8, Encoding::Utf8Lossy, Encoding::Latin1][usize::from(choice) % 3];
    let options = if choice & 4 == 0 { VectorText::glove() } else { VectorText::word2vec() };
    let missing = [Missing::Zero, Missing::default(), Missing::Unknown][usize::from(choice >> 3) % 3];
    let options = options.encoding(encoding).line_limit(1 << 12).missing(missing);
    if let Ok((vocabulary, embedding)) = options.read(bytes) {
        assert_eq!(vocabulary.len(), embedding.len());
        let mut text = Vec::new();
        if embedding.write(&vocabulary, &mut text).is_ok() {
            let again = VectorText::word2vec().read(&text[..]).expect("what was written is read");
            assert_eq!(again, (vocabulary.clone(), embedding.clone()));
        }
        let (wanted, coverage) = options.read_for(&vocabulary, bytes).expect("what was read is read");
        assert!(coverage.missing.is_empty());
        for id in 2..vocabulary.len() as u32 {
            assert_eq!(wanted.vector(id), embedding.vector(id));
        }
    }

    if let Ok(vocabulary) = Vocabulary::read(bytes) {
        let mut text = Vec::new();
        vocabulary.write(&mut text).expect("lines are written as lines");
        assert_eq!(Vocabulary::read(&text[..]).expect("what was written is read"), vocabulary);
    }

    let lines: Vec<String> = Lines::new(bytes).encoding(encoding).map_while(Result::ok).collect();
    for split in [Split::Words, Split::Whitespace, Split::Kim, Split::Characters] {
        let tokenizer = Tokenizer::new().split(split).lowercase(choice & 64 == 0).punctuation(choice & 128 == 0);
        let tokens = || lines.iter().flat_map(|line| tokenizer.tokens(line));
        let vocabulary = Vocabulary::of(tokens()).expect("few tokens");
        let ids = vocabulary.encode(tokens());
        assert!(vocabulary.decode(&ids).expect("ids of the vocabulary").into_iter().eq(tokens()));
    }
});
