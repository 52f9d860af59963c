//! A moment of every target: its seeds, and those changed at random.

use std::{collections::BTreeSet, fs, path::PathBuf};

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};

use super::{TARGETS, Target};

/// How many inputs of each target are tried.
const CASES: u32 = 400;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(target: Target) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder().join("seeds").join(target.name)).expect("a folder of seeds");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// What is done to a seed.
#[derive(Clone, Debug)]
enum Change {
    Put(Index, Vec<u8>),
    Cut(Index, u8),
    Repeat(Index, u8),
    Swap(Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    // What readers are mostly made of; any byte gets less far.
    let words: [&[u8]; 21] = [
        b"\"",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\n",
        b"\r\n",
        b"0",
        b"-1",
        b"18446744073709551615",
        b"null",
        b"\0",
        b"\xff",
        b".",
        b"=",
        b"\"type\":",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec);
    let put = prop_oneof![3 => word, 1 => vec(any::<u8>(), 1..4)];
    prop_oneof![
        (any::<Index>(), put).prop_map(|(at, bytes)| Change::Put(at, bytes)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, len)| Change::Cut(at, len)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, len)| Change::Repeat(at, len)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Swap(at, byte)),
    ]
}

fn changed(mut seed: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    let range = |len: usize, at: usize, length: u8| at..len.min(at + usize::from(length % 32));
    for change in changes {
        let len = seed.len();
        match change {
            Change::Put(at, bytes) => {
                let at = at.index(len + 1);
                seed.splice(at..at, bytes.iter().copied());
            }
            _ if len == 0 => {}
            Change::Cut(at, length) => {
                seed.drain(range(len, at.index(len), *length));
            }
            Change::Repeat(at, length) => {
                let at = at.index(len);
                let again = seed[range(len, at, *length)].to_vec();
                seed.splice(at..at, again);
            }
            Change::Swap(at, byte) => seed[at.index(len)] = *byte,
        }
    }
    seed
}

fn holds_for_changed_seeds(name: &str) {
    let target = *TARGETS.iter().find(|target| target.name == name).expect("a target");
    let inputs = (prop::sample::select(seeds(target)), vec(change(), 0..6))
        .prop_map(|(seed, changes)| changed(seed, &changes));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };

    let result = TestRunner::new(config).run(&inputs, |input| {
        target.check(&input);
        Ok(())
    });

    // As it is written into a file of seeds.
    result.unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

macro_rules! short_runs {
    ($($name:ident)*) => {
        mod what_has_to_hold_does_for_changed_seeds_of {
            $(#[test]
            fn $name() {
                super::holds_for_changed_seeds(stringify!($name));
            })*
        }

        #[test]
        fn every_target_has_its_short_run() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
        }
    };
}

short_runs! {
    sse http1_answer responses chat_completions remote_agent chatkit_request rest_body header cursor
    token mcp_request mcp_answer widget stored_events config
}

#[test]
fn every_target_has_seeds_that_are_taken_and_seeds_that_are_not() {
    for target in TARGETS {
        let taken = seeds(target).iter().filter(|seed| target.check(seed)).count();
        assert!(taken > 0, "all seeds of {} are refused", target.name);
        assert!(taken < seeds(target).len(), "no seed of {} is refused", target.name);
    }
}

#[test]
fn every_target_can_be_run_for_long() {
    let names = |folder: PathBuf| -> BTreeSet<String> {
        let files =
            fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
        files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("a manifest");

    assert_eq!(names(folder().join("fuzz_targets")), targets);
    assert_eq!(names(folder().join("seeds")), targets);
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}
