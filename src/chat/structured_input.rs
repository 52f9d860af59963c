//! The answers to questions that the agent asked.

use serde_json::json;

use crate::{
    protocol::{
        ItemId, ItemKind, ThreadId, ThreadItem, UserId,
        item::{
            StructuredAnswer, StructuredInput, StructuredInputItem, StructuredInputKind,
            StructuredInputStatus,
        },
        request::{StructuredInputSubmission, SubmissionStatus},
    },
    run::Opening,
    store::record::{RunThread, ToolCallRecord, ToolCallState},
};

use super::{ChatError, ChatService, Posting, Sent, client_tools::newest_options};

impl ChatService {
    /// Answers the questions of an item; the answer of the agent goes on.
    pub async fn add_structured_input(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
        submission: &StructuredInputSubmission,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        let pending = self.find_item(user, thread_id, item_id).await?;
        let mut answered = pending.clone();
        let ItemKind::StructuredInput(questions) = &mut answered.kind else {
            return Err(ChatError::invalid("item_id must name a structured input"));
        };
        if questions.status != StructuredInputStatus::Pending {
            let error = ChatError::NotPending("the structured input has been answered");
            return self.started_before(user, &posting, error).await;
        }
        super::rules::check_answers(submission, self.limits)?;
        questions.status = match submission.status {
            SubmissionStatus::Answered => StructuredInputStatus::Answered,
            SubmissionStatus::Skipped => StructuredInputStatus::Skipped,
        };
        for question in &mut questions.inputs {
            question.answer = Some(answer(question, submission));
        }
        let options = newest_options(&self.newest_items(user, thread_id).await?);
        let waiting = self.store.list_item_calls(user, thread_id, item_id).await?;
        let waiting = waiting.into_iter().filter(|call| call.state == ToolCallState::Waiting);
        let output = told(&answered);
        let decided = |call| ToolCallRecord {
            state: ToolCallState::Completed,
            output: Some(output.clone()),
            ..call
        };
        let opening = Opening::Answer { pending, answered, calls: waiting.map(decided).collect() };
        self.begin(user, RunThread::Existing(thread_id), opening, options, posting).await
    }
}

/// The answers for the model whose call asked for them: JSON.
fn told(answered: &ThreadItem) -> String {
    match &answered.kind {
        ItemKind::StructuredInput(StructuredInputItem { inputs, .. }) => {
            let told = inputs.iter().map(|question| match &question.answer {
                Some(answer) if !answer.skipped => {
                    json!({ "question": question.question, "answer": answer.values })
                }
                _ => json!({ "question": question.question, "skipped": true }),
            });
            json!({ "answers": told.collect::<Vec<_>>() }).to_string()
        }
        _ => String::new(),
    }
}

/// The answer to one question. Values need not be among those offered: answers of one's own are
/// intended.
fn answer(question: &StructuredInput, submission: &StructuredInputSubmission) -> StructuredAnswer {
    let skipped = StructuredAnswer { values: Vec::new(), skipped: true };
    if submission.status == SubmissionStatus::Skipped {
        return skipped;
    }
    let given = submission.answers.get(&question.id);
    let Some(given) = given.filter(|given| !given.skipped && !given.values.is_empty()) else {
        return skipped;
    };
    let takes_one =
        matches!(question.kind, StructuredInputKind::MultipleChoice { multiple: false, .. });
    let count = if takes_one { 1 } else { given.values.len() };
    StructuredAnswer { values: given.values[..count].to_vec(), skipped: false }
}
