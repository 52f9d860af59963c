//! Calls of tools that the provider runs itself, as tasks of the workflow.

use crate::{
    protocol::{
        Task, ThreadEvent,
        annotation::{Source, SourceInfo, SourceKind},
        workflow::{StatusIndicator, TaskKind, WorkflowKind},
    },
    upstream::{HostedCall, WebSource},
};

use super::Bridge;

/// How much of a program or of arguments is shown, in characters.
const SHOWN_CHARS: usize = 2_000;

impl Bridge {
    pub(super) fn start_hosted(
        &mut self,
        index: usize,
        call: HostedCall,
        out: &mut Vec<ThreadEvent>,
    ) {
        let open = self.open_workflow(WorkflowKind::Custom, out);
        let place = open.add_task(task(call, StatusIndicator::Loading), out);
        let workflow = open.id;
        self.hosted.insert(index, (workflow, place));
    }

    pub(super) fn end_hosted(
        &mut self,
        index: usize,
        call: HostedCall,
        out: &mut Vec<ThreadEvent>,
    ) {
        let Some((workflow, place)) = self.hosted.remove(&index) else { return };
        let images = match &call {
            HostedCall::CodeInterpreter { images, .. } => images.clone(),
            _ => Vec::new(),
        };
        // A workflow that was ended meanwhile has said that the call is over.
        if let Some(open) = self.workflow.as_mut().filter(|open| open.id == workflow) {
            open.set_task(place, task(call, StatusIndicator::Complete), out);
        }
        out.extend(images.into_iter().map(|url| self.made_image(url)));
    }
}

fn task(call: HostedCall, status_indicator: StatusIndicator) -> Task {
    let kind = match call {
        HostedCall::WebSearch { queries, sources } => TaskKind::WebSearch {
            title: None,
            title_query: queries.first().cloned(),
            queries,
            sources: sources.into_iter().map(web_source).collect(),
        },
        HostedCall::FileSearch { queries, filenames } => TaskKind::File {
            title: (!queries.is_empty()).then(|| queries.join(", ")),
            sources: filenames.into_iter().map(file_source).collect(),
        },
        HostedCall::CodeInterpreter { code, logs, .. } => TaskKind::Custom {
            title: Some("Code interpreter".to_owned()),
            icon: Some("square-code".to_owned()),
            content: program(&code, &logs),
        },
        HostedCall::Mcp { server, name, arguments, error } => TaskKind::Custom {
            title: Some(if server.is_empty() { name } else { format!("{server}: {name}") }),
            icon: None,
            content: Some(match error {
                Some(error) => format!("{}\n\n{error}", brief(&arguments, SHOWN_CHARS)),
                None => brief(&arguments, SHOWN_CHARS),
            }),
        },
    };
    Task { status_indicator, kind }
}

fn web_source(WebSource { url, title }: WebSource) -> Source {
    let info = SourceInfo { title, ..SourceInfo::default() };
    Source { info, kind: SourceKind::Url { url, attribution: None } }
}

fn file_source(filename: String) -> Source {
    let info = SourceInfo { title: filename.clone(), ..SourceInfo::default() };
    Source { info, kind: SourceKind::File { filename } }
}

/// A program and what it wrote, each as far as it is there.
fn program(code: &str, logs: &str) -> Option<String> {
    let blocks =
        [("python", code), ("text", logs)].into_iter().filter(|(_, text)| !text.is_empty());
    let blocks: Vec<String> =
        blocks.map(|(language, text)| fenced(language, &brief(text, SHOWN_CHARS))).collect();
    (!blocks.is_empty()).then(|| blocks.join("\n\n"))
}

/// Markdown of a text as it is. Its fence is longer than any in the text.
fn fenced(language: &str, code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{code}\n{fence}")
}

/// The beginning of a text.
pub(in crate::agent) fn brief(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}…", &text[..cut]),
    }
}

#[test]
fn a_fence_is_longer_than_those_in_the_program() {
    assert_eq!(fenced("python", "x"), "```python\nx\n```");
    assert_eq!(fenced("text", "a ```` b"), "`````text\na ```` b\n`````");
}
