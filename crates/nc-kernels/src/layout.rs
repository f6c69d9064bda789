//! Conversion between PyTorch's layout (N, C, H, W) and blocks of sixteen channels, one image at a time.

use crate::element::Element;
use crate::lanes::LANES;

/// Copies planes into blocks, zero-padding the channels.
pub(crate) fn to_blocks<E: Element>(planes: &[f32], pixels: usize, blocked: &mut [E]) {
    let channels = planes.len() / pixels;
    for (index, block) in blocked.chunks_mut(pixels * LANES).enumerate() {
        for lane in 0..LANES {
            let channel = index * LANES + lane;
            let to = block.iter_mut().skip(lane).step_by(LANES);
            if channel < channels {
                for (to, from) in to.zip(&planes[channel * pixels..][..pixels]) {
                    *to = E::from_f32(*from);
                }
            } else {
                to.for_each(|to| *to = E::ZERO);
            }
        }
    }
}

/// Copies blocks into planes.
pub(crate) fn to_planes<E: Element>(blocked: &[E], pixels: usize, planes: &mut [f32]) {
    for (channel, plane) in planes.chunks_mut(pixels).enumerate() {
        let block = &blocked[channel / LANES * LANES * pixels..][..LANES * pixels];
        for (to, from) in plane.iter_mut().zip(block.iter().skip(channel % LANES).step_by(LANES)) {
            *to = from.to_f32();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_round_trip() {
        for (channels, pixels) in [(1_usize, 1), (3, 5), (16, 4), (20, 6), (33, 1)] {
            let planes: Vec<f32> = (1..=channels * pixels).map(|x| x as f32).collect();
            let mut blocked = vec![-1.0; channels.div_ceil(LANES) * LANES * pixels];
            to_blocks(&planes, pixels, &mut blocked);
            assert_eq!(blocked.iter().filter(|&&x| x > 0.0).count(), channels * pixels);
            assert!(blocked.iter().all(|&x| x >= 0.0));
            let mut back = vec![0.0; planes.len()];
            to_planes(&blocked, pixels, &mut back);
            assert_eq!(back, planes);
        }
    }
}
