use super::dims::Dims;
use crate::element::Element;
use crate::lanes::LANES;

/// ResNet's option-A shortcut: every `stride`-th pixel, with channels zero-padded on both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subsample {
    pub(crate) from: Dims,
    pub(crate) to: Dims,
    pub(crate) stride: usize,
}

impl Subsample {
    /// Computes one shortcut image, including the zero channels.
    pub(crate) fn apply<E: Element>(&self, from: &[E], to: &mut [E]) {
        to.fill(E::ZERO);
        self.each(|source, target, lanes| {
            to[target..target + lanes].copy_from_slice(&from[source..source + lanes]);
        });
    }

    /// Adds one image's shortcut gradient to the gradient of its input.
    pub(crate) fn add_gradient<E: Element>(&self, gradient: &[E], sum: &mut [E]) {
        self.each(|source, target, lanes| {
            for (sum, part) in sum[source..source + lanes].iter_mut().zip(&gradient[target..]) {
                *sum = E::from_f32(sum.to_f32() + part.to_f32());
            }
        });
    }

    /// Calls `f` with input index, output index and number of lanes for every run of channels that lies within one
    /// block on both sides.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let Self { from, to, stride } = *self;
        let before = (to.c - from.c) / 2;
        let mut channel = 0;
        while channel < from.c {
            let target = channel + before;
            let lanes = (LANES - channel % LANES).min(LANES - target % LANES).min(from.c - channel);
            for y in 0..to.h {
                for x in 0..to.w {
                    let source = (channel / LANES * from.h + y * stride) * from.w + x * stride;
                    let at = (target / LANES * to.h + y) * to.w + x;
                    f(source * LANES + channel % LANES, at * LANES + target % LANES, lanes);
                }
            }
            channel += lanes;
        }
    }
}
