//! The program as a user runs it.

mod errors;
mod own_backbone;
mod plain_loop;
mod run;
mod train;
