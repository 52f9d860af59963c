//! Every ChatKit request with each of its members missing, `null`, of each wrong type, and with
//! members that nobody knows: a clear error and nothing stored, or a whole result.

mod judge;
mod requests;
mod variants;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use crate::support::{TestServer, agent::Showman};
use judge::Judge;
use requests::requests;
use variants::variants;

/// Users at a time. The database takes what they write in one transaction.
const AT_A_TIME: usize = 8;
/// Variants that a user tries.
const FOR_A_USER: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_any_shape_has_a_whole_result_or_is_refused_and_leaves_nothing() {
    let (server, store) = TestServer::start_with_agent(Showman).await;
    let judge = Judge::new(&server, store);
    let cases: Vec<_> =
        requests().into_iter().map(|(kind, valid)| (kind, variants(&valid))).collect();
    let shares = cases.iter().flat_map(|(kind, variants)| {
        variants.chunks(FOR_A_USER).map(move |variants| (*kind, variants))
    });

    let judged: Vec<_> = stream::iter(shares.enumerate())
        .map(|(number, (kind, variants))| {
            let judge = &judge;
            async move { (kind, variants, judge.verdicts(number, kind, variants).await) }
        })
        .buffered(AT_A_TIME)
        .collect()
        .await;

    let mut counts = BTreeMap::<&str, [usize; 2]>::new();
    let mut wrong = Vec::new();
    for (kind, variants, verdicts) in judged {
        for (verdict, variant) in verdicts.iter().zip(variants) {
            match verdict {
                Ok(verdict) => counts.entry(kind).or_default()[*verdict as usize] += 1,
                Err(problem) => {
                    wrong.push(format!("{kind}, {}: {problem}\n  {}", variant.what, variant.body));
                }
            }
        }
    }
    for (kind, [accepted, refused]) in &counts {
        println!("{kind}: {accepted} accepted, {refused} refused");
    }
    let tried: usize = cases.iter().map(|(_, variants)| variants.len()).sum();
    println!("{tried} variants of {} requests", cases.len());
    assert_eq!(cases.len(), 16);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    server.stop().await;
}
