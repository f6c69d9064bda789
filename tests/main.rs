//! The program as a user runs it.

mod analyze;
mod checkpoints;
mod downloads;
mod errors;
mod interruptions;
mod own_backbone;
mod own_images;
mod plain_loop;
mod reproduce_tables;
mod run;
mod train;
