use rand::{Rng, seq::SliceRandom};
use rand_distr::{Beta, Distribution};

use crate::{Error, Result};

/// Mix-up of a batch ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)).
///
/// Image i becomes lambda x_i + (1 - lambda) x_j, on normalised values. The partners j are a random permutation of the
/// batch, in which an image may meet itself. The loss is lambda l(y_i) + (1 - lambda) l(y_j).
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Weight of the image itself, one per batch: lambda ~ Beta(alpha, alpha).
    pub lambda: f64,
    /// Label of each image's partner.
    pub partner: Vec<u32>,
}

/// Draws mix-ups.
#[derive(Clone, Copy)]
pub(crate) struct Mixer {
    beta: Beta<f64>,
}

impl Mixer {
    pub(crate) fn new(alpha: f64) -> Result<Self> {
        match Beta::new(alpha, alpha) {
            Ok(beta) if SENSIBLE.contains(&alpha) => Ok(Self { beta }),
            _ => Err(Error::Config(format!(
                "expected a mix-up alpha from {:e} to {:e}, found {alpha}",
                SENSIBLE.start(),
                SENSIBLE.end()
            ))),
        }
    }

    /// Mixes the images of a batch, stored consecutively in `images`.
    pub(crate) fn mix(self, images: &mut Vec<f32>, labels: &[u32], rng: &mut impl Rng) -> Mix {
        let lambda = self.beta.sample(rng);
        let mut partners: Vec<usize> = (0..labels.len()).collect();
        partners.shuffle(rng);
        *images = mixed(images, &partners, lambda as f32);
        Mix { lambda, partner: partners.into_iter().map(|partner| labels[partner]).collect() }
    }
}

/// Supported alphas. Beyond them Beta degenerates to its ends or its middle, and sampling is inexact.
const SENSIBLE: std::ops::RangeInclusive<f64> = 1e-3..=1e6;

/// lambda x_i + (1 - lambda) x_partner(i).
fn mixed(images: &[f32], partners: &[usize], lambda: f32) -> Vec<f32> {
    let values = images.len() / partners.len();
    let mut out = Vec::with_capacity(images.len());
    for (image, &partner) in images.chunks_exact(values).zip(partners) {
        let partner = &images[partner * values..][..values];
        out.extend(image.iter().zip(partner).map(|(x, y)| lambda * x + (1.0 - lambda) * y));
    }
    out
}
