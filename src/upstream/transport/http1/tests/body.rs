//! Chunks, lengths, and what is neither.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::super::{
    decoder::{Decoder, Framing, MalformedChunk},
    property::decode,
};

fn chunked(bytes: &[u8]) -> (Decoder, Vec<u8>, Result<Vec<u8>, MalformedChunk>) {
    decode(Framing::Chunked, [bytes])
}

/// The bytes in pieces that end at these places.
fn cut<'a>(bytes: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let ends = places.iter().copied().chain([bytes.len()]);
    let starts = [0].into_iter().chain(places.iter().copied());
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

fn encode(chunks: &[Vec<u8>], extension: &str, trailer: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        bytes.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("000{extension}\r\n{trailer}\r\n").as_bytes());
    bytes
}

#[test]
fn chunks_are_joined_and_what_is_behind_the_last_one_is_left() {
    let (decoder, body, rest) = chunked(b"3\r\nabc\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\n\r\nHTTP");

    assert_eq!((body.as_slice(), rest), (&b"abc0123456789"[..], Ok(b"HTTP".to_vec())));
    assert!(decoder.is_end());
}

#[test]
fn malformed_chunks_are_an_error_behind_what_was_good() {
    for rest in ["x", "\r\n", "-1\r\n", "1\n", "1\r\nab", "1\r\na\n", "1\r\na\r\r", ";x\r\n"] {
        let (_, body, end) = chunked(format!("2\r\nok\r\n{rest}").as_bytes());
        assert_eq!(end, Err(MalformedChunk), "{rest:?}");
        assert!(body.starts_with(b"ok"), "{rest:?}");
    }
}

#[test]
fn a_length_that_overflows_is_malformed() {
    for size in ["ffffffffffffffff", "fffffffffffffffff", "0000000000000000000001"] {
        assert_eq!(chunked(format!("{size}\r\n").as_bytes()).2, Err(MalformedChunk), "{size}");
    }
    assert_eq!(chunked(b"fffffffffffffff\r\nabc").1, b"abc");
}

#[test]
fn extensions_and_trailers_without_end_are_given_up() {
    let long = "x".repeat(20 << 10);
    assert_eq!(chunked(format!("1;{long}").as_bytes()).2, Err(MalformedChunk));
    assert_eq!(chunked(format!("0\r\n{long}").as_bytes()).2, Err(MalformedChunk));
    let lines = "a: b\r\n".repeat(4 << 10);
    assert_eq!(chunked(format!("0\r\n{lines}").as_bytes()).2, Err(MalformedChunk));
}

#[test]
fn only_a_body_without_a_length_may_end_with_its_connection() {
    assert!(decode(Framing::UntilClose, [&b"abc"[..]]).0.may_close());
    assert!(!decode(Framing::Length(4), [&b"abc"[..]]).0.may_close());
    assert!(decode(Framing::Length(3), [&b"abc"[..]]).0.may_close());
    assert!(decode(Framing::Length(0), []).0.is_end());
    assert!(!chunked(b"3\r\nabc\r\n").0.may_close());
    assert!(!chunked(b"3\r\nabc\r\n0\r\n").0.may_close());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_cutting_gives_the_chunks(
        chunks in vec(vec(any::<u8>(), 0..300), 0..8),
        extension in prop_oneof![Just(""), Just(";a=b"), Just(" ")],
        trailer in prop_oneof![Just(""), Just("a: b\r\nc: d\r\n")],
        surplus in vec(any::<u8>(), 0..4),
        places in vec(any::<Index>(), 0..30),
    ) {
        let bytes = [encode(&chunks, extension, trailer), surplus.clone()].concat();

        let (decoder, body, rest) = decode(Framing::Chunked, cut(&bytes, &places));

        prop_assert!(decoder.is_end());
        prop_assert_eq!(body, chunks.concat());
        prop_assert_eq!(rest, Ok(surplus));
    }

    #[test]
    fn any_cutting_gives_a_body_with_a_length(
        bytes in vec(any::<u8>(), 0..300),
        length in 0_u64..300,
        places in vec(any::<Index>(), 0..10),
    ) {
        let (decoder, body, rest) = decode(Framing::Length(length), cut(&bytes, &places));

        let length = usize::try_from(length).unwrap();
        prop_assert_eq!(decoder.is_end(), bytes.len() >= length);
        prop_assert_eq!(&body[..], &bytes[..length.min(bytes.len())]);
        prop_assert_eq!(rest.unwrap(), bytes.get(length..).unwrap_or_default());
    }

    #[test]
    fn a_body_that_is_cut_off_is_never_whole(
        chunks in vec(vec(any::<u8>(), 1..40), 1..8),
        place in any::<Index>(),
    ) {
        let bytes = encode(&chunks, "", "");
        let (decoder, body, _) = chunked(&bytes[..place.index(bytes.len())]);

        prop_assert!(!decoder.may_close());
        prop_assert!(chunks.concat().starts_with(&body));
    }

    /// Random bytes of the alphabet of chunks get further than those of any.
    #[test]
    fn random_chunks_are_no_panic_and_the_same_however_they_are_cut(
        bytes in vec(prop::sample::select(b"013af;x\r\n".to_vec()), 0..200),
        places in vec(any::<Index>(), 0..30),
    ) {
        let (whole, pieces) = (chunked(&bytes), decode(Framing::Chunked, cut(&bytes, &places)));

        prop_assert!(whole.1.len() <= bytes.len());
        prop_assert_eq!((whole.1, whole.2), (pieces.1, pieces.2));
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _any = chunked(&bytes);
    }
}
