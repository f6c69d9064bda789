//! The classifiers.

mod config;
mod cosine;
mod etf;
mod linear;
mod scaled;

pub use config::{Head, HeadConfig};
pub use cosine::CosineHead;
pub use etf::EtfHead;
pub use linear::LinearHead;
pub use scaled::ScaledHead;
