//! Stub until its helper lands.
