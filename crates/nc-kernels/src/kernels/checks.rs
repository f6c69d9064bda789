//! Checks of the slices that the kernels read and write through pointers.

use std::ops::Range;

use super::tile::TileEnd;
use super::{Conv, Epilogue, transposed_len};
use crate::lanes::LANES;

const SIZES: &str = "image sizes do not match the convolution";

impl Conv {
    /// Checks a convolution's slices and returns its epilogue for the kernels.
    ///
    /// # Panics
    ///
    /// If a length does not match.
    pub(super) fn check_forward<E>(
        &self,
        x: &[E],
        packed: &[f32],
        y: &[E],
        epilogue: &mut Epilogue<'_, E>,
    ) -> TileEnd<E> {
        let images = x.len() / self.in_len();
        assert_eq!((images * self.in_len(), images * self.out_len()), (x.len(), y.len()), "{SIZES}");
        assert!(packed.len() >= self.packed_len());
        let channels = self.out_blocks() * LANES;
        match epilogue {
            Epilogue::Plain => TileEnd::Plain,
            Epilogue::Statistics { sums, first } => {
                assert_eq!(sums.len(), self.out_blocks());
                TileEnd::Statistics { sums: sums.as_mut_ptr(), set_shift: *first }
            }
            Epilogue::Affine { scale, shift, residual, relu } => {
                assert!(scale.len() == channels && shift.len() == channels);
                assert!(residual.is_none_or(|r| r.len() == y.len()));
                TileEnd::Affine {
                    scale: scale.as_ptr(),
                    shift: shift.as_ptr(),
                    residual: residual.map_or(std::ptr::null(), <[E]>::as_ptr),
                    relu: *relu,
                }
            }
        }
    }

    /// Checks the slices of an input gradient.
    ///
    /// # Panics
    ///
    /// If a length does not match.
    pub(super) fn check_input_gradient<E>(&self, dy: &[E], packed: &[f32], dx: &[E]) {
        let images = dy.len() / self.out_len();
        let lengths = (images * self.in_len_blocked(), images * self.out_len());
        assert_eq!(lengths, (dx.len(), dy.len()), "{SIZES}");
        assert!(packed.len() >= transposed_len(self));
    }

    /// Checks the slices of a kernel gradient and returns the number of images.
    ///
    /// # Panics
    ///
    /// If a length does not match.
    pub(super) fn check_kernel_gradient<E>(
        &self,
        x: &[E],
        dy: &[E],
        out_blocks: &Range<usize>,
        dw: &[f32],
    ) -> usize {
        let images = x.len() / self.in_len();
        assert_eq!((images * self.in_len(), images * self.out_len()), (x.len(), dy.len()), "{SIZES}");
        let block_step = self.most_sources() * self.pair_len();
        assert!(out_blocks.end <= self.out_blocks() && dw.len() >= out_blocks.len() * block_step);
        images
    }
}
