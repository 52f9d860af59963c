//! What the bytes of a target are taken for.

/// How many bytes say how the others are cut.
const CUTS: usize = 4;

/// The bytes behind the first four, and the same in pieces, whose lengths those four say in turn.
pub(crate) fn cut(data: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let (lengths, whole) = data.split_at(data.len().min(CUTS));
    (whole, pieces(whole, lengths))
}

/// Letters are lengths of 1 to 26, so that seeds can be written by hand.
fn pieces<'a>(mut rest: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut lengths = lengths.iter().map(|length| usize::from(length % 32).max(1)).cycle();
    while let Some(length) = lengths.next().filter(|_| !rest.is_empty()) {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
