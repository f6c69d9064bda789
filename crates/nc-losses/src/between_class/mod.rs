//! L_B: public function (`regularizer`), any device (`composed`), fast CPU path (`fused`).

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
