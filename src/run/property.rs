//! Stored events are written as they were read.

use bytes::BytesMut;

use super::{
    Framing,
    chunk::{decode, encode, encode_some},
    segment::Segment,
};
use crate::{protocol::RunId, upstream::sse::Parser};

/// A reader's position and a limit, then a chunk of stored events.
pub(crate) fn stored_events(data: &[u8]) -> bool {
    let Some((&[after, limit], data)) = data.split_first_chunk() else { return false };
    let Ok(payload) = std::str::from_utf8(data) else { return false };
    let Ok(segments) = decode(payload) else { return false };

    assert_eq!(decode(&encode(&segments, 0)).expect("our own"), segments);
    check_frames(&segments);
    if segments.is_sorted_by(|one, next| one.last_seq() < next.first_seq()) {
        check_portions(&segments, u64::from(after), usize::from(limit) + 1);
    }
    !segments.is_empty()
}

/// Each frame is one event for whoever reads the stream.
fn check_frames(segments: &[Segment]) {
    for framing in [Framing::Plain, Framing::WithId(RunId::UNKNOWN)] {
        for segment in segments {
            let mut frame = BytesMut::new();
            framing.write(segment, 0, &mut frame);
            let mut json = BytesMut::new();
            segment.write_json(0, &mut json);
            let (mut parser, mut input) = (Parser::new(frame.len()), &frame[..]);
            assert_eq!(parser.next(&mut input), Ok(Some(&json[..])));
            assert_eq!(parser.next(&mut input), Ok(None));
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok());
        }
    }
}

/// In portions of any size nothing is missing and nothing comes twice.
fn check_portions(segments: &[Segment], after: u64, limit: usize) {
    let mut position = after;
    loop {
        let rest: Vec<Segment> =
            segments.iter().filter(|segment| segment.last_seq() > position).cloned().collect();
        let (last, portion) = encode_some(&rest, position, limit);
        if rest.is_empty() {
            assert_eq!((last, portion.as_str()), (position, ""));
            return;
        }
        assert!(last > position, "there is progress");
        let portion = decode(&portion).expect("our own");
        assert!(portion.iter().all(|segment| segment.first_seq() > position));
        assert_eq!(portion.last().map(Segment::last_seq), Some(last));
        position = last;
    }
}
