//! The rules of `clean_str`, in one pass over the text: see [`Split::Kim`](super::Split::Kim).

/// What is cut off a word.
const ENDINGS: [&[u8]; 6] = [b"'s", b"'ve", b"n't", b"'re", b"'d", b"'ll"];

/// The tokens of a text, as parts of it.
///
/// The rules never move or change a character that they keep, so tokens are slices; and since all kept characters are
/// ASCII, every cut is at a character boundary. No two endings overlap, so that one pass finds what the six
/// replacements of `clean_str` find one after the other.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !is_kept(bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_kept(bytes[at]) && (at == start || !starts_token(bytes, at)) {
            at += 1;
            if is_mark(bytes[at - 1]) {
                break;
            }
        }
        (at > start).then(|| text.get(start..at)).flatten()
    })
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b',' | b'!' | b'(' | b')' | b'?')
}

fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || is_mark(byte) || matches!(byte, b'\'' | b'`')
}

/// Whether a cut is before `at`.
fn starts_token(bytes: &[u8], at: usize) -> bool {
    is_mark(bytes[at]) || ENDINGS.iter().any(|ending| bytes[at..].starts_with(ending))
}
