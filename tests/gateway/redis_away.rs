//! Redis comes and goes: nothing is lost.
