//! Pages of documentation: what stands in their fenced blocks.

use std::path::Path;

/// A page, by its path in the repository.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

/// A part of a block of shell lines: what stands above one expectation.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The line of the page at which it begins, from 1.
    pub(crate) line: usize,
    /// The lines to be run.
    pub(crate) script: String,
    /// What they give; `None` for lines that call nothing.
    pub(crate) expected: Option<Expected>,
}

/// What a step gives: `# 200 words`, `# 404 not_found`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The error's code, or words of the answer.
    pub(crate) words: Vec<String>,
}

impl Expected {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("# ")?.split_whitespace();
        let status = words.next().filter(|status| status.len() == 3)?.parse().ok()?;
        Some(Self { status, words: words.map(str::to_owned).collect() })
    }

    pub(crate) fn is_error(&self) -> bool {
        self.status >= 400
    }
}

impl Page {
    pub(crate) fn read(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
        Self { name, text }
    }

    /// The blocks of one language, each with the line at which it begins, from 1.
    pub(crate) fn blocks(&self, language: &str) -> Vec<(usize, String)> {
        let opening = format!("```{language}");
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            if line == opening {
                let body = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```");
                blocks.push((number + 1, body.collect::<Vec<_>>().join("\n")));
            } else if line.starts_with("```") {
                lines
                    .by_ref()
                    .map(|(line, _)| line)
                    .take_while(|line| *line != "```")
                    .for_each(drop);
            }
        }
        blocks
    }

    /// The steps of all blocks of shell lines that call the gateway.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let blocks = self.blocks("sh").into_iter().filter(|(_, block)| block.contains("curl"));
        blocks.flat_map(|(line, block)| steps(line, &block)).collect()
    }
}

fn steps(first_line: usize, block: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut script = Vec::new();
    let mut begin = first_line;
    for (line, number) in block.lines().zip(first_line..) {
        if script.is_empty() {
            begin = number;
        }
        match Expected::parse(line) {
            Some(expected) => {
                let script = std::mem::take(&mut script).join("\n");
                steps.push(Step { line: begin, script, expected: Some(expected) });
            }
            None if script.is_empty() && line.trim().is_empty() => {}
            None => script.push(line),
        }
    }
    if !script.is_empty() {
        steps.push(Step { line: begin, script: script.join("\n"), expected: None });
    }
    steps
}

#[test]
fn a_step_ends_at_its_expectation() {
    let text = "```sh\n# a word\ncurl a \\\n  b\n# 404 not_found\n\ncurl c\n# 204\n```\n";
    let page = Page { name: "test", text: text.to_owned() };

    let steps = page.steps();

    assert_eq!(steps.len(), 2);
    assert_eq!((steps[0].line, steps[0].script.as_str()), (2, "# a word\ncurl a \\\n  b"));
    let expected = Expected { status: 404, words: vec!["not_found".to_owned()] };
    assert_eq!(steps[0].expected, Some(expected));
    assert_eq!((steps[1].line, steps[1].script.as_str()), (7, "curl c"));
}
