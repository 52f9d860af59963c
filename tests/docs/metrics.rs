//! The metrics that the code counts, those that it describes, and those of `docs/operating.md` and of
//! the dashboard are the same.

use std::{collections::BTreeSet, fs, path::Path};

use chatkit_gateway::telemetry::{Kind, METRICS};
use serde_json::Value;

use super::page::Page;

const DASHBOARD: &str = "docs/grafana/chatkit-gateway.json";

fn described() -> BTreeSet<&'static str> {
    METRICS.iter().map(|metric| metric.name).collect()
}

/// The names of metrics in a text, as far as they go.
fn named(text: &str) -> BTreeSet<String> {
    let names = text.match_indices("gateway_").map(|(at, _)| (&text[..at], &text[at..]));
    names
        .filter(|(before, _)| !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        .map(|(_, name)| name.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect())
        .collect()
}

/// A series of a metric, as queries name it: that of a histogram has an ending.
fn metric_of(series: &str) -> &str {
    let is_histogram =
        |name: &str| METRICS.iter().any(|m| m.name == name && m.kind == Kind::Histogram);
    let endings = ["_bucket", "_sum", "_count"];
    let base = endings.iter().find_map(|ending| series.strip_suffix(ending));
    base.filter(|base| is_histogram(base)).unwrap_or(series)
}

fn is_bare_histogram(series: &str) -> bool {
    METRICS.iter().any(|metric| metric.name == series && metric.kind == Kind::Histogram)
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("telemetry/metrics.rs")
        {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_metric_that_is_counted_is_described_and_the_other_way_round() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    let strings = text.match_indices("\"gateway_").map(|(at, _)| &text[at + 1..]);
    let counted: BTreeSet<&str> = strings.map(|name| name.split('"').next().unwrap()).collect();

    assert_eq!(counted, described());
}

#[test]
fn the_table_of_the_operators_page_has_every_metric_with_its_labels() {
    let page = Page::read("docs/operating.md").text;

    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let row = format!("| `{}` | {kind} | {labels} |", metric.name);
        assert!(page.contains(&row), "there is no row that begins {row}");
    }
}

#[test]
fn the_operators_page_names_no_metric_that_is_not_there() {
    let page = Page::read("docs/operating.md").text;

    for series in named(&page) {
        assert!(described().contains(metric_of(&series)), "{series}");
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_there() {
    let dashboard: Value = serde_json::from_str(&Page::read(DASHBOARD).text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= panels.iter().filter(|panel| panel["type"] != "row").count());

    let mut asked = BTreeSet::new();
    for query in queries {
        for series in named(query) {
            let metric = metric_of(&series).to_owned();
            assert!(described().contains(metric.as_str()), "{series} in {query}");
            assert!(!is_bare_histogram(&series), "{series} has no series of that name: {query}");
            asked.insert(metric);
        }
    }

    let missing: Vec<&str> =
        described().into_iter().filter(|name| !asked.contains(*name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "not on the dashboard");
}

#[test]
fn every_panel_of_the_dashboard_has_a_place_of_its_own() {
    let dashboard: Value = serde_json::from_str(&Page::read(DASHBOARD).text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());

    for panel in panels {
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && places.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}
