//! Classifier heads.

mod config;
mod cosine;
mod etf;
mod interface;
mod linear;
mod scaled;

pub use config::HeadConfig;
pub use cosine::CosineHead;
pub use etf::EtfHead;
pub use interface::Head;
pub use linear::LinearHead;
pub use scaled::ScaledHead;
