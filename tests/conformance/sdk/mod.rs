//! The gateway and the official server SDK itself, which is Python: `TEST_SDK_PYTHON` is an
//! interpreter that has the packages of `requirements.txt`. `scripts/test` makes one.
//!
//! | file | does |
//! |---|---|
//! | `official_models` | all that the gateway sends, read with the SDK's own types |
//! | `judge`, `parse.py` | reads it |
//! | `side_by_side` | the gateway's own agent and the official server, with the same model |
//! | `answers`, `requests` | what both are asked |
//! | `pair` | asks both and compares |
//! | `normal`, `rules` | what is brought to the same before; what differs on purpose |
//! | `official`, `server.py` | the official server |
//! | `crowd` | many clients at once, all requests mixed |
//! | `gateway` | a gateway with its own agent |
//! | `model` | a model that answers as the test says |
//! | `responses` | whole answers of a model, event by event |

mod answers;
mod crowd;
mod gateway;
mod judge;
mod model;
mod normal;
mod official;
mod official_models;
mod pair;
mod requests;
mod responses;
mod rules;
mod side_by_side;

use std::{env, path::PathBuf};

/// The interpreter.
fn python() -> PathBuf {
    env::var_os("TEST_SDK_PYTHON").expect("TEST_SDK_PYTHON is set").into()
}

/// A program beside this file.
fn program(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/conformance/sdk", name].iter().collect()
}
