//! The table against the folder and the documentation.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    flows::{FLOWS, State},
    recording::all_names,
};

#[test]
fn every_recording_stands_in_the_table_once() {
    let listed: BTreeSet<String> = FLOWS.iter().map(|(flow, _)| (*flow).to_owned()).collect();
    let count = |is_it: fn(&State) -> bool| FLOWS.iter().filter(|(_, state)| is_it(state)).count();

    println!(
        "{} recordings: {} equal, {} different on purpose",
        FLOWS.len(),
        count(|state| matches!(state, State::Equal)),
        count(|state| matches!(state, State::Different { .. })),
    );
    assert_eq!(listed.len(), FLOWS.len(), "a flow stands in the table twice");
    assert_eq!(listed, all_names());
}

#[test]
fn the_documentation_names_every_flow_that_differs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let page = fs::read_to_string(page).unwrap();
    for (flow, state) in FLOWS {
        let State::Different { reason, .. } = state else { continue };
        let heading = "## Different on purpose";
        let (_, section) = page.split_once(heading).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let number = flow.split('-').next().unwrap();
        assert!(section.contains(&format!("[{number}]")), "{heading}: {flow} ({reason})");
    }
}
