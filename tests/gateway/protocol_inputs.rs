//! Every ChatKit request with each of its members missing, `null`, of each wrong type, and with
//! members that nobody knows: a clear error and nothing stored, or a whole result.

mod judge;
mod requests;
mod variants;

use futures_util::{StreamExt as _, stream};

use crate::support::{TestServer, agent::Showman};
use judge::Judge;
use requests::requests;
use variants::variants;

/// Types of requests that are tried at a time. The database takes what they write in one
/// transaction.
const AT_A_TIME: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_any_shape_has_a_whole_result_or_is_refused_and_leaves_nothing() {
    let (server, store) = TestServer::start_with_agent(Showman).await;
    let judge = Judge::new(&server, store);
    let cases = requests().into_iter().map(|(kind, valid)| (kind, variants(&valid)));

    let judged: Vec<_> = stream::iter(cases)
        .map(|(kind, variants)| {
            let judge = &judge;
            async move { (kind, judge.verdicts(kind, &variants).await, variants) }
        })
        .buffered(AT_A_TIME)
        .collect()
        .await;

    let mut all = 0;
    let mut wrong = Vec::new();
    for (kind, verdicts, variants) in &judged {
        let mut counts = [0; 3];
        for (verdict, variant) in verdicts.iter().zip(variants) {
            match verdict {
                Ok(verdict) => counts[*verdict as usize] += 1,
                Err(problem) => {
                    wrong.push(format!("{kind}, {}: {problem}\n  {}", variant.what, variant.body));
                }
            }
        }
        all += verdicts.len();
        let [accepted, refused, later] = counts;
        println!("{kind}: {accepted} accepted, {refused} refused, {later} not implemented");
    }
    println!("{all} variants of {} requests", judged.len());
    assert_eq!(judged.len(), 16);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    server.stop().await;
}
