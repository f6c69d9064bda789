//! Published constants of VS loss, SAM and ADRW.

use super::data_sets::DataSet;
use crate::config::DataSource;

/// Constants of the authors' code of DDC (wang22ti/DDC, `bash_script.sh`), tuned per data set.
pub(super) struct Ddc {
    /// Of the VS loss.
    pub(super) gamma: f64,
    pub(super) tau: f64,
    /// Weight decay and SAM's radius of the first 320 epochs, or of all 400.
    pub(super) weight_decay: f64,
    pub(super) rho: f64,
    pub(super) late: DdcLate,
}

/// Constants from epoch 320: of class weights n_k^-exponent, of logit adjustment, weight decay and SAM's radius.
pub(super) struct DdcLate {
    pub(super) exponent: f64,
    pub(super) tau: f64,
    pub(super) weight_decay: f64,
    pub(super) rho: f64,
}

/// Data without published constants use those of r = 100, all but CIFAR-100 those of CIFAR10-LT.
pub(super) fn ddc(data: &DataSet) -> Ddc {
    let late = |exponent, tau, weight_decay, rho| DdcLate { exponent, tau, weight_decay, rho };
    match (data.constants(), data.imbalance_ratio) {
        (DataSource::Cifar10, Some(10.0)) => {
            Ddc { gamma: 0.0, tau: 1.0, weight_decay: 1e-4, rho: 0.1, late: late(0.1, 1.0, 1e-4, 0.1) }
        }
        (DataSource::Cifar100, Some(10.0)) => {
            Ddc { gamma: 0.05, tau: 0.5, weight_decay: 1e-4, rho: 0.1, late: late(0.1, 0.75, 1e-4, 0.5) }
        }
        (DataSource::Cifar100, _) => {
            Ddc { gamma: 0.05, tau: 1.0, weight_decay: 2e-4, rho: 0.3, late: late(0.25, 0.75, 5e-4, 0.4) }
        }
        _ => Ddc { gamma: 0.05, tau: 1.0, weight_decay: 2e-4, rho: 0.1, late: late(0.15, 1.0, 2e-4, 0.2) },
    }
}
