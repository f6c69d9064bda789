//! L_B: what it is (`regularizer`), on any device (`composed`), and fast on the CPU (`fused`).

mod arc_cosine;
mod composed;
mod form;
mod fused;
mod limits;
mod regularizer;
mod rows;
#[cfg(test)]
mod tests;

pub use form::BetweenForm;
pub use regularizer::between_class;
