//! Where the network cuts an answer does not matter.

use proptest::{collection::btree_set, prelude::*};

use super::{GREETING, ask, good, text};
use crate::server::{Server, Step, chunk, end, head};

/// The answer in chunks that end at these places.
fn cut(body: &[u8], places: impl IntoIterator<Item = usize>) -> Vec<Step> {
    let mut script = vec![head()];
    let mut from = 0;
    for place in places.into_iter().chain([body.len()]).filter(|place| *place <= body.len()) {
        if place > from {
            script.push(chunk(&body[from..place]));
            from = place;
        }
    }
    script.push(end());
    script
}

fn with_line_ends(line_end: &str) -> String {
    GREETING.replace("\r\n", "\n").replace('\n', line_end)
}

#[tokio::test]
async fn every_byte_may_be_a_chunk_of_its_own() {
    for line_end in ["\n", "\r\n", "\r"] {
        let body = with_line_ends(line_end);
        let server = Server::start(vec![cut(body.as_bytes(), 1..body.len())]).await;

        assert_eq!(text(&good(ask(&server)).await), "Grüße 😀", "{line_end:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_gives_the_same_events(
        places in btree_set(1..GREETING.len(), 0..40),
        line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
    ) {
        let body = with_line_ends(line_end);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (whole, parts) = runtime.block_on(async {
            let scripts = vec![cut(body.as_bytes(), []), cut(body.as_bytes(), places)];
            let server = Server::start(scripts).await;
            (good(ask(&server)).await, good(ask(&server)).await)
        });

        prop_assert_eq!(whole, parts);
    }
}
