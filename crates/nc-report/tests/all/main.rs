//! Reports as a user of the crate sees them.

mod case;
mod damaged;
mod pages;
mod refusals;
mod reports;
