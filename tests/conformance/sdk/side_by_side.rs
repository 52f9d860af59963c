//! The gateway's own agent and the official server over the Agents library, asked the same, with
//! models that answer the same: the same events, the same items, and the same input for the model.

use futures_util::future::BoxFuture;

use super::{
    answers,
    pair::{Pair, Servers},
    requests,
};

type Case = for<'a> fn(&'a mut Pair<'_>) -> BoxFuture<'a, Result<(), String>>;

/// Each with a user of its own.
const CASES: [(&str, Case); 22] = [
    ("plain text", |pair| Box::pin(answers::plain_text(pair))),
    ("two parts", |pair| Box::pin(answers::two_parts(pair))),
    ("two messages", |pair| Box::pin(answers::two_messages(pair))),
    ("citations", |pair| Box::pin(answers::citations(pair))),
    ("thoughts", |pair| Box::pin(answers::thoughts(pair))),
    ("many thoughts", |pair| Box::pin(answers::many_thoughts(pair))),
    ("silent thoughts", |pair| Box::pin(answers::silent_thoughts(pair))),
    ("nothing said", |pair| Box::pin(answers::nothing_said(pair))),
    ("cut short", |pair| Box::pin(answers::cut_short(pair))),
    ("quotation", |pair| Box::pin(answers::quotation(pair))),
    ("searches", |pair| Box::pin(answers::searches(pair))),
    ("picture", |pair| Box::pin(answers::picture(pair))),
    ("client tool", |pair| Box::pin(answers::client_tool(pair))),
    ("client tool that nobody runs", |pair| Box::pin(answers::abandoned_client_tool(pair))),
    ("refusal", |pair| Box::pin(answers::refusal(pair))),
    ("nothing but a refusal", |pair| Box::pin(answers::nothing_but_a_refusal(pair))),
    ("failure before the first byte", |pair| Box::pin(answers::early_failure(pair))),
    ("failure in mid-answer", |pair| Box::pin(answers::late_failure(pair))),
    ("threads and items", |pair| Box::pin(requests::threads_and_items(pair))),
    ("retry", |pair| Box::pin(requests::retry(pair))),
    ("what is not supported", |pair| Box::pin(requests::unsupported(pair))),
    ("an unknown thread", |pair| Box::pin(requests::unknown_thread(pair))),
];

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn the_gateway_and_the_official_server_answer_the_same() {
    let servers = Servers::start().await;
    let mut wrong = Vec::new();
    let mut compared = 0;

    for (name, case) in CASES {
        let mut pair = Pair::new(&servers, name);
        let played = case(&mut pair).await;
        let ended = pair.end();
        if let Err(problem) = played.and(ended) {
            wrong.push(format!("{name}\n{problem}\n"));
        }
        compared += pair.compared;
    }

    servers.stop().await;
    println!("{} cases, {compared} answers and inputs compared", CASES.len());
    assert!(wrong.is_empty(), "{} cases differ:\n\n{}", wrong.len(), wrong.join("\n"));
}
