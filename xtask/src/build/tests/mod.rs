mod accelerators;
mod cuda;
mod machine;
