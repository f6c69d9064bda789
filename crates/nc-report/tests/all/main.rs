//! Integration tests in one binary.

mod case;
mod damaged;
mod images;
mod pages;
mod refusals;
mod reports;
