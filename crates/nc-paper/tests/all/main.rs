//! Integration tests in one binary.

mod committed;
mod malformed;
mod published;
mod queue;
mod records;
mod refusals;
mod runs;
mod tables;
