//! Integration tests of the public API, in one binary.

mod best_epoch;
mod bf16;
mod branches_steps;
mod config_files;
mod contrast;
mod contrast_steps;
mod experiments;
mod experts;
mod golden;
mod hashes;
mod init_from;
mod methods;
mod optimizer;
mod recipes;
mod refusals;
mod resnet_steps;
mod second_phases;
mod single_network_steps;
mod support;
mod unfinished;
mod weight_average;
