//! Integration tests in one binary.

mod case;
mod damaged;
mod pages;
mod refusals;
mod reports;
