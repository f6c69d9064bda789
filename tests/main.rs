//! End-to-end tests of `nclt`.

mod analyze;
mod checkpoints;
mod checks;
mod compare;
mod compatibility;
mod divergence;
mod docs;
mod documented;
mod downloads;
mod errors;
mod eval_folders;
mod examples;
mod interrupted;
mod interruptions;
mod own_backbone;
mod own_images;
mod plain_loop;
mod reference;
mod reproduce_tables;
mod run;
mod selection;
mod snapshot;
mod streamed;
mod train;
mod weights;
