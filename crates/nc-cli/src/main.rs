//! `nclt`: train and inspect long-tailed classifiers.
fn main() {}
