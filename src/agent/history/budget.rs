//! How much of what was said a model is told.

use crate::upstream::{InputItem, InputPart};

/// What an image costs, about.
const IMAGE_TOKENS: usize = 1_000;
/// Bytes of English or of code that make a token, about.
const BYTES_A_TOKEN: usize = 4;

/// The newest of an input that `tokens` hold, from a turn of the user on, so that no call is parted
/// from its output. The last turn stays whatever it costs: it is what is asked.
pub(in crate::agent) fn newest_within(mut input: Vec<InputItem>, tokens: usize) -> Vec<InputItem> {
    let (mut sum, mut begin) = (0, None);
    for (place, item) in input.iter().enumerate().rev() {
        sum += cost(item);
        if sum > tokens
            && let Some(begin) = begin
        {
            input.drain(..begin);
            return input;
        }
        if matches!(item, InputItem::User(_)) {
            begin = Some(place);
        }
    }
    input
}

/// How many tokens an input has, about.
pub(in crate::agent) fn tokens(input: &[InputItem]) -> u64 {
    let sum: usize = input.iter().map(cost).sum();
    u64::try_from(sum).unwrap_or(u64::MAX)
}

fn cost(item: &InputItem) -> usize {
    match item {
        InputItem::User(parts) => parts.iter().map(cost_of_part).sum(),
        InputItem::Assistant { text, .. } => cost_of_text(text),
        InputItem::FunctionCall { name, arguments, .. } => {
            cost_of_text(name) + cost_of_text(arguments)
        }
        InputItem::FunctionCallOutput { output, .. } => cost_of_text(output),
        InputItem::Reasoning(item) | InputItem::Hosted(item) => cost_of_text(&item.to_string()),
    }
}

fn cost_of_part(part: &InputPart) -> usize {
    match part {
        InputPart::Text(text) => cost_of_text(text),
        InputPart::Image { .. } => IMAGE_TOKENS,
    }
}

/// Rather too much than too little: a character that is not ASCII counts as a token.
fn cost_of_text(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let others = text.chars().count() - ascii;
    ascii.div_ceil(BYTES_A_TOKEN) + others + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> InputItem {
        InputItem::user_text(text)
    }

    fn assistant(text: &str) -> InputItem {
        InputItem::Assistant { text: text.to_owned(), phase: None }
    }

    fn call(call_id: &str) -> [InputItem; 2] {
        let call_id = call_id.to_owned();
        let (name, arguments) = ("f".to_owned(), "{}".to_owned());
        let output = "o".repeat(400);
        [
            InputItem::FunctionCall { call_id: call_id.clone(), name, arguments },
            InputItem::FunctionCallOutput { call_id, output },
        ]
    }

    fn talk() -> Vec<InputItem> {
        let mut talk = vec![user("one"), assistant(&"a".repeat(400)), user("two")];
        talk.extend(call("a"));
        talk.extend([assistant("done"), user("three")]);
        talk
    }

    #[test]
    fn all_is_told_when_there_is_room() {
        assert_eq!(newest_within(talk(), 1_000), talk());
        let greeting = [vec![assistant("hello")], talk()].concat();
        assert_eq!(newest_within(greeting.clone(), 1_000), greeting);
    }

    #[test]
    fn the_oldest_turns_go_first_and_calls_stay_with_their_outputs() {
        for tokens in 0..250 {
            let kept = newest_within(talk(), tokens);

            assert!(talk().ends_with(&kept));
            assert!(matches!(kept.first(), Some(InputItem::User(_))), "{tokens}: {kept:?}");
            assert!([1, 5, 7].contains(&kept.len()), "{tokens}: {kept:?}");
        }
        assert_eq!(newest_within(talk(), 150).len(), 5);
    }

    #[test]
    fn the_last_turn_stays_whatever_it_costs() {
        let talk = vec![user("one"), user(&"long ".repeat(1_000)), assistant("yes")];

        assert_eq!(newest_within(talk.clone(), 10), talk[1..]);
    }

    #[test]
    fn what_has_no_turn_of_the_user_is_told_whole() {
        let talk = vec![assistant("hello"), assistant("again")];

        assert_eq!(newest_within(talk.clone(), 0), talk);
    }

    #[test]
    fn an_image_costs_the_same_wherever_it_is() {
        let image = |url: String| InputItem::User(vec![InputPart::Image { url }]);

        assert_eq!(cost(&image("https://a.example/b.png".to_owned())), IMAGE_TOKENS);
        assert_eq!(cost(&image(format!("data:,{}", "a".repeat(1_000_000)))), IMAGE_TOKENS);
    }
}
