//! The elementwise passes of a set, for every number type.

use super::elementwise::{Add, AddStatistics, Convert, MaskAndSum, NormGradient, Normalise, RawMask};
use super::max_pool::Maxima;
use super::{BlockSums, Elementwise, GradientSums, Mask, NormCoefficients, Set, Windows};
use crate::element::Element;
use crate::lanes::{LANES, Lanes};

impl<V: Lanes, E: Element> Elementwise<E> for Set<V> {
    fn normalise(
        &self,
        y: &[E],
        scale: &[f32],
        shift: &[f32],
        residual: Option<&[E]>,
        relu: bool,
        out: &mut [E],
    ) {
        let blocks = scale.len() / LANES;
        let pixels = y.len() / scale.len();
        assert_eq!((blocks * pixels * LANES, shift.len(), out.len()), (y.len(), scale.len(), y.len()));
        assert!(residual.is_none_or(|r| r.len() == y.len()));
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(Normalise {
                y: y.as_ptr(),
                scale: scale.as_ptr(),
                shift: shift.as_ptr(),
                residual: residual.map_or(std::ptr::null(), <[E]>::as_ptr),
                relu,
                out: out.as_mut_ptr(),
                blocks,
                pixels,
            });
        }
    }

    fn mask_and_sum(
        &self,
        gradient: &mut [E],
        mask: Mask<'_, E>,
        y: &[E],
        mean: &[f32],
        sums: &mut [GradientSums],
    ) {
        let blocks = sums.len();
        let pixels = y.len() / mean.len();
        let channels = blocks * LANES;
        assert_eq!((channels * pixels, channels, y.len()), (y.len(), mean.len(), gradient.len()));
        let mask = match mask {
            Mask::Open => RawMask::Open,
            Mask::Values(values) => {
                assert_eq!(values.len(), y.len());
                RawMask::Values(values.as_ptr())
            }
            Mask::Affine { scale, shift } => {
                assert!(scale.len() == channels && shift.len() == channels);
                RawMask::Affine { scale: scale.as_ptr(), shift: shift.as_ptr() }
            }
        };
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(MaskAndSum {
                gradient: gradient.as_mut_ptr(),
                mask,
                y: y.as_ptr(),
                mean: mean.as_ptr(),
                sums: sums.as_mut_ptr(),
                blocks,
                pixels,
            });
        }
    }

    fn norm_gradient(&self, gradient: &[E], y: &[E], by: &NormCoefficients, dy: &mut [E]) {
        let NormCoefficients { mean, scale, slope, offset } = by;
        let blocks = mean.len() / LANES;
        let pixels = y.len() / mean.len();
        assert_eq!((blocks * pixels * LANES, gradient.len(), dy.len()), (y.len(), y.len(), y.len()));
        assert!([scale, slope, offset].into_iter().all(|c| c.len() == mean.len()));
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(NormGradient {
                gradient: gradient.as_ptr(),
                y: y.as_ptr(),
                mean: mean.as_ptr(),
                scale: scale.as_ptr(),
                slope: slope.as_ptr(),
                offset: offset.as_ptr(),
                dy: dy.as_mut_ptr(),
                blocks,
                pixels,
            });
        }
    }

    fn max_pool(&self, windows: Windows, image: &[E], out: &mut [E], chosen: &mut [u32]) {
        let len = |(h, w): (usize, usize)| windows.blocks * h * w * LANES;
        assert_eq!((image.len(), out.len()), (len(windows.from), len(windows.to)));
        assert!(chosen.is_empty() || chosen.len() == out.len());
        // SAFETY: the processor has the instruction set (`Set::new`).
        unsafe { V::enter(Maxima { windows, image, out, chosen }) }
    }

    fn add(&self, sum: &mut [E], term: &[E]) {
        add::<V, E>(sum, term);
    }

    fn add_f32(&self, sum: &mut [f32], term: &[f32]) {
        add::<V, f32>(sum, term);
    }
}

fn add<V: Lanes, E: Element>(sum: &mut [E], term: &[E]) {
    assert!(sum.len() == term.len() && sum.len().is_multiple_of(LANES));
    // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
    unsafe {
        V::enter(Add { sum: sum.as_mut_ptr(), term: term.as_ptr(), vectors: sum.len() / LANES });
    }
}

/// Adds one image to the sums for the batch statistics, for the processor of a `Set<V>`.
pub(super) fn add_statistics<V: Lanes, E: Element>(y: &[E], sums: &mut [BlockSums], set_shift: bool) {
    let blocks = sums.len();
    let pixels = y.len() / LANES / blocks;
    assert_eq!(blocks * pixels * LANES, y.len());
    // SAFETY: the caller has a `Set<V>`, and the lengths were checked above.
    unsafe {
        V::enter(AddStatistics { y: y.as_ptr(), sums: sums.as_mut_ptr(), set_shift, blocks, pixels });
    }
}

/// Converts the values of `from` for the processor of a `Set<V>`.
pub(super) fn convert<V: Lanes, A: Element, B: Element>(from: &[A], to: &mut [B]) {
    assert_eq!(from.len(), to.len());
    let vectors = from.len() / LANES;
    // SAFETY: the caller has a `Set<V>`, and the lengths were checked above.
    unsafe {
        V::enter(Convert { from: from.as_ptr(), to: to.as_mut_ptr(), vectors });
    }
    for (to, from) in to.iter_mut().zip(from).skip(vectors * LANES) {
        *to = B::from_f32(from.to_f32());
    }
}
