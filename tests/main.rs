//! The program as a user runs it.

mod errors;
mod plain_loop;
mod run;
mod train;
