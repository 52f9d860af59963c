use chatkit_gateway::{
    protocol::{ItemKind, ThreadEvent, ThreadId},
    tools::{Display, Shown},
};
use serde_json::json;

fn progress(number: usize) -> ThreadEvent {
    ThreadEvent::ProgressUpdate { icon: None, text: number.to_string() }
}

#[tokio::test]
async fn what_is_shown_comes_in_order_and_items_belong_to_the_thread() {
    let thread_id = ThreadId::new();
    let (display, mut shown) = Display::channel(thread_id);

    display.event(progress(1)).await;
    display.widget(json!({ "type": "Card" }), Some("a card".to_owned())).await;

    assert_eq!(shown.recv().await, Some(Shown::Event(Box::new(progress(1)))));
    let Some(Shown::Event(event)) = shown.recv().await else { panic!("nothing is shown") };
    let ThreadEvent::ItemDone { item } = *event else { panic!("{event:?}") };
    assert_eq!(item.thread_id, thread_id);
    assert!(matches!(item.kind, ItemKind::Widget(_)));
}

#[tokio::test]
async fn nobody_waits_where_nobody_watches_or_the_run_is_gone() {
    let (orphan, shown) = Display::channel(ThreadId::new());
    drop(shown);

    for display in [Display::default(), orphan] {
        for number in 0..1_000 {
            display.event(progress(number)).await;
        }
    }
}

#[tokio::test]
async fn a_tool_that_is_ahead_of_the_run_waits() {
    let (display, mut shown) = Display::channel(ThreadId::new());
    let ahead = async {
        for number in 0..1_000 {
            display.event(progress(number)).await;
        }
    };

    tokio::select! {
        biased;
        () = ahead => panic!("nothing holds it back"),
        first = shown.recv() => assert_eq!(first, Some(Shown::Event(Box::new(progress(0))))),
    }
    assert!(shown.len() < 1_000);
}
