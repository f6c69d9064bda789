mod accelerators;
mod cuda;
mod machine;
mod refusals;
