//! What a model says, as both servers show it.

use chatkit_gateway::{demo::scripted_model::Step, upstream::FinishReason};
use serde_json::json;

use super::{
    pair::{Pair, message},
    responses,
    rules::{
        BARE_TEXT, CALLS_ARE_GIVEN_UP, COMPACT_JSON, CUT_SHORT_IS_AN_ANSWER, HALF,
        NO_USELESS_RETRY, ONE_TEXT, PARTIAL_ANSWERS, REFUSAL, REFUSAL_AS_IT_COMES,
        REFUSAL_IS_AN_ANSWER, SEARCHES_ARE_SHOWN, TOLD_IN_WORDS, WORKFLOWS_END,
    },
};

pub(super) async fn plain_text(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::text("Good"), Step::text(" \"day\"\n"), Step::text("to ü.")]);
    pair.begin("Hello", &[]).await?;
    pair.same_input(&[])?;
    pair.will_play([Step::text("As I said.")]);
    pair.say("What?", &[]).await?;
    pair.same_input(&[BARE_TEXT])?;
    pair.items(&[]).await
}

pub(super) async fn two_parts(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::answer(responses::message(0, &["One. ", "Two."]))]);
    pair.begin("Two, please", &[]).await?;
    pair.items(&[]).await?;
    pair.will_play([Step::text("Yes.")]);
    pair.say("Both?", &[]).await?;
    pair.same_input(&[BARE_TEXT, ONE_TEXT])
}

pub(super) async fn two_messages(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::text("First."), Step::Reasoning("Hm".to_owned()), Step::text("Second.")]);
    pair.begin("Go", &[]).await?;
    pair.items(&[]).await
}

pub(super) async fn citations(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::of_recording("80-bridge-text-and-citations")]);
    pair.begin("Who says so?", &[]).await?;
    pair.items(&[]).await?;
    pair.will_play([Step::text("Yes.")]);
    pair.say("Sure?", &[]).await?;
    pair.same_input(&[BARE_TEXT])
}

pub(super) async fn thoughts(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([
        Step::Reasoning("First".to_owned()),
        Step::Reasoning(" this.".to_owned()),
        Step::text("Done."),
    ]);
    pair.begin("Think", &[]).await?;
    pair.items(&[]).await?;
    pair.will_play([Step::text("Yes.")]);
    pair.say("Sure?", &[]).await?;
    pair.same_input(&[BARE_TEXT])
}

pub(super) async fn many_thoughts(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::of_recording("81-bridge-reasoning-workflow")]);
    pair.begin("Think much", &[]).await?;
    pair.items(&[]).await
}

/// A model that thinks and does not say what.
pub(super) async fn silent_thoughts(pair: &mut Pair<'_>) -> Result<(), String> {
    let item = json!({"id": "rs_1", "type": "reasoning", "summary": []});
    let events = ["added", "done"].map(|end| {
        let kind = format!("response.output_item.{end}");
        json!({"type": kind, "output_index": 0, "item": item})
    });
    pair.will_play([responses::answer(events.into())]);
    pair.begin("Think and be silent", &[WORKFLOWS_END]).await?;
    pair.items(&[WORKFLOWS_END]).await
}

pub(super) async fn nothing_said(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::answer(Vec::new())]);
    pair.begin("Say nothing", &[]).await?;
    pair.items(&[]).await
}

pub(super) async fn cut_short(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::text("Once upon a"), Step::Finish(FinishReason::Length)]);
    pair.begin("Tell a story", &[CUT_SHORT_IS_AN_ANSWER]).await?;
    pair.items(&[]).await
}

pub(super) async fn quotation(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::text("It means this.")]);
    let mut input = message("What does that mean?");
    input["quoted_text"] = "grew 12%".into();
    input["inference_options"] = json!({"tool_choice": {"id": "search"}, "model": "fast-1"});
    pair.ask("threads.create", &json!({"input": input}), &[]).await?;
    pair.same_input(&[])?;
    pair.will_play([Step::text("Yes.")]);
    pair.say("Sure?", &[]).await?;
    pair.same_input(&[BARE_TEXT])?;
    pair.items(&[]).await
}

pub(super) async fn searches(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::of_recording("84-bridge-web-and-file-search-ignored")]);
    pair.begin("Search", &[SEARCHES_ARE_SHOWN]).await?;
    pair.items(&[SEARCHES_ARE_SHOWN]).await
}

pub(super) async fn picture(pair: &mut Pair<'_>) -> Result<(), String> {
    // With a word behind it: the Agents library would ask once more for one.
    let mut events = responses::events_of_recording("82-bridge-image-generation");
    events.extend(responses::message(1, &["There."]));
    pair.will_play([responses::answer(events)]);
    pair.begin("Paint", &[]).await?;
    pair.items(&[]).await?;
    pair.will_play([Step::text("A cat.")]);
    pair.say("What is it?", &[]).await?;
    pair.same_input(&[BARE_TEXT])
}

pub(super) async fn client_tool(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::of_recording("83-bridge-client-tool-call")]);
    pair.begin("What is this?", &[]).await?;
    pair.items(&[]).await?;
    pair.will_play([Step::text("A bottle.")]);
    let output = json!({"thread_id": "id-1", "result": {"text": "bottle", "n": [1, null]}});
    pair.ask("threads.add_client_tool_output", &output, &[]).await?;
    pair.same_input(&[COMPACT_JSON])?;
    pair.items(&[]).await
}

/// The user goes on without waiting.
pub(super) async fn abandoned_client_tool(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([responses::of_recording("83-bridge-client-tool-call")]);
    pair.begin("What is this?", &[]).await?;
    pair.will_play([Step::text("Very well.")]);
    pair.say("Never mind", &[]).await?;
    pair.same_input(&[CALLS_ARE_GIVEN_UP])?;
    pair.items(&[CALLS_ARE_GIVEN_UP]).await
}

/// The Agents library takes a refusal in the last message for a failure, not so in one before it.
pub(super) async fn refusal(pair: &mut Pair<'_>) -> Result<(), String> {
    let (begin, end) = REFUSAL.split_at(4);
    pair.will_play([
        Step::Refusal(begin.to_owned()),
        Step::Refusal(end.to_owned()),
        Step::Reasoning("Anything else?".to_owned()),
        Step::text("But I can sing."),
    ]);
    pair.begin("Do evil", &[REFUSAL_AS_IT_COMES]).await?;
    pair.items(&[]).await
}

pub(super) async fn nothing_but_a_refusal(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::Refusal(REFUSAL.to_owned())]);
    pair.begin("Do evil", &[REFUSAL_IS_AN_ANSWER]).await.map(|_| ())
}

pub(super) async fn early_failure(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::status(400, "bad", "The prompt is bad.")]);
    pair.begin("Be refused", &[NO_USELESS_RETRY]).await?;
    pair.will_play([Step::status(400, "context_length_exceeded", "Too long.")]);
    pair.say("Be too long", &[TOLD_IN_WORDS]).await?;
    // Both try three times.
    for _ in 0..3 {
        pair.will_play([Step::status(500, "server_error", "Out of order.")]);
    }
    pair.say("Fail", &[]).await?;
    pair.will_play([Step::text("Here.")]);
    pair.say("Still there?", &[]).await?;
    pair.same_input(&[])?;
    pair.items(&[]).await
}

/// The Agents library drops what it has not yet told when it hears of a failure, so that the model
/// waits with it until the user has seen something.
pub(super) async fn late_failure(pair: &mut Pair<'_>) -> Result<(), String> {
    let half = Step::text(HALF);
    let failure = Step::error("server_error", "Out of order.");
    pair.will_play_up_to(&half, &failure);
    pair.begin("Fail", &[]).await?;
    pair.will_play_up_to(&half, &Step::EndWithoutMark);
    pair.say("End too early", &[]).await?;
    pair.will_play_up_to(&half, &Step::Cut);
    pair.say("Break off", &[]).await?;
    pair.items(&[PARTIAL_ANSWERS]).await
}
