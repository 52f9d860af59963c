//! What the tools gave, put into sentences.

use serde_json::Value;

/// A sentence, or a list, for each output; each comes with its function's name.
pub fn sentences(outputs: &[(&str, &str)]) -> String {
    let sentences: Vec<_> = outputs.iter().map(|(tool, output)| sentence(tool, output)).collect();
    sentences.join("\n\n")
}

fn sentence(tool: &str, output: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(output) else { return plain(tool, output) };
    if let Some(message) = error_message(&value) {
        return failed(tool, message);
    }
    if tool == "list_tasks" {
        return list(&value);
    }
    let task =
        ["deleted", "task", "data"].iter().find_map(|name| value.get(name)).unwrap_or(&value);
    let Some(named) = named(task) else { return plain(tool, output) };
    match tool {
        "add_task" => format!("Added {named} to your list."),
        "complete_task" => format!("Done: {named} is complete."),
        "update_task" => format!("Changed: it is {named} now."),
        "delete_task" => format!("Deleted {named}."),
        _ => plain(tool, output),
    }
}

/// An output that is no JSON of the task tools.
fn plain(tool: &str, output: &str) -> String {
    match tool {
        "add_task" | "list_tasks" | "complete_task" | "update_task" | "delete_task" => {
            failed(tool, output)
        }
        _ => format!("The tool `{tool}` answered: {output}"),
    }
}

fn failed(tool: &str, message: &str) -> String {
    let deed = match tool {
        "add_task" => "add the task",
        "list_tasks" => "list your tasks",
        "complete_task" => "complete the task",
        "update_task" => "change the task",
        "delete_task" => "delete the task",
        other => return format!("The tool `{other}` failed: {message}"),
    };
    format!("I could not {deed}: {}.", message.trim_end_matches('.'))
}

/// `{"error": "…"}` or `{"error": {"message": "…"}}`.
fn error_message(value: &Value) -> Option<&str> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    error.as_str().or_else(|| error["message"].as_str()).or(Some("the tool failed"))
}

fn list(value: &Value) -> String {
    let member = ["data", "tasks"].iter().find_map(|name| value.get(name));
    let Some(tasks) = member.unwrap_or(value).as_array() else {
        return plain("list_tasks", &value.to_string());
    };
    let omitted = value["omitted"].as_u64().map(|more| format!("\n… and {more} more."));
    let count = match tasks.len() {
        0 => return "There are no tasks. Say *add a task buy milk* to make one.".to_owned(),
        1 if omitted.is_none() => "There is one task:".to_owned(),
        count if omitted.is_none() => format!("There are {count} tasks:"),
        count => format!("The first {count} of your tasks:"),
    };
    let lines = tasks.iter().filter_map(line);
    std::iter::once(count + "\n").chain(lines).chain(omitted).collect::<Vec<_>>().join("\n")
}

fn line(task: &Value) -> Option<String> {
    let mark = if task["completed"].as_bool() == Some(true) { "x" } else { " " };
    let description = task["description"].as_str().filter(|text| !text.is_empty());
    let description = description.map_or_else(String::new, |text| format!(" — {text}"));
    Some(format!("- [{mark}] {}{description}", named(task)?))
}

/// "**Buy milk** (task 3)".
fn named(task: &Value) -> Option<String> {
    let id = ["id", "task_id"].iter().find_map(|name| task[*name].as_i64());
    match (task["title"].as_str(), id) {
        (Some(title), Some(id)) => Some(format!("**{title}** (task {id})")),
        (Some(title), None) => Some(format!("**{title}**")),
        (None, Some(id)) => Some(format!("task {id}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_named_by_title_and_number() {
        let task = r#"{"id":3,"title":"Buy milk","completed":false}"#;
        let cases = [
            ("add_task", task, "Added **Buy milk** (task 3) to your list."),
            ("add_task", r#"{"task":{"id":3,"title":"a"}}"#, "Added **a** (task 3) to your list."),
            ("complete_task", task, "Done: **Buy milk** (task 3) is complete."),
            ("delete_task", r#"{"task_id":3,"status":"deleted"}"#, "Deleted task 3."),
            (
                "delete_task",
                r#"{"deleted":{"id":3,"title":"Buy milk"}}"#,
                "Deleted **Buy milk** (task 3).",
            ),
            (
                "list_tasks",
                r#"{"tasks":[{"id":1,"title":"a"},{"id":2,"title":"b"}],"omitted":2}"#,
                "The first 2 of your tasks:\n\n- [ ] **a** (task 1)\n- [ ] **b** (task 2)\n\n… and 2 more.",
            ),
            (
                "list_tasks",
                r#"{"data":[]}"#,
                "There are no tasks. Say *add a task buy milk* to make one.",
            ),
        ];
        for (tool, output, said) in cases {
            assert_eq!(sentences(&[(tool, output)]), said);
        }
    }

    #[test]
    fn a_list_shows_what_is_done() {
        let tasks =
            r#"[{"id":1,"title":"a","completed":true},{"id":2,"title":"b","description":"c"}]"#;

        let said = sentences(&[("list_tasks", tasks)]);

        let expected = "There are 2 tasks:\n\n- [x] **a** (task 1)\n- [ ] **b** (task 2) — c";
        assert_eq!(said, expected);
    }

    #[test]
    fn errors_are_told() {
        let cases = [
            ("delete_task", r#"{"error":{"message":"there is no task 9"}}"#),
            ("delete_task", "there is no task 9."),
        ];
        for case in cases {
            assert_eq!(sentences(&[case]), "I could not delete the task: there is no task 9.");
        }
    }
}
