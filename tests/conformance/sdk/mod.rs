//! The gateway and the official server SDK itself, which is Python: `TEST_SDK_PYTHON` is an
//! interpreter that has the packages of `requirements.txt`. `scripts/test` makes one.
//!
//! | file | does |
//! |---|---|
//! | `official_models` | all that the gateway sends, read with the SDK's own types |
//! | `judge`, `parse.py` | reads it |
//! | `gateway` | a gateway with its own agent |
//! | `model` | a model that answers as the test says |

mod gateway;
mod judge;
mod model;
mod official_models;

use std::{env, path::PathBuf};

/// The interpreter.
fn python() -> PathBuf {
    env::var_os("TEST_SDK_PYTHON").expect("TEST_SDK_PYTHON is set").into()
}

/// A program beside this file.
fn program(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/conformance/sdk", name].iter().collect()
}
