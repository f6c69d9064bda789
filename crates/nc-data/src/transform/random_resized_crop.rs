use rand::Rng;

/// Ratios of width to height are log-uniform from 3/4 to 4/3.
const WIDEST: f64 = 4.0 / 3.0;

/// A part of an image: offset (top, left) and size (height, width).
pub(super) type Part = ((usize, usize), (usize, usize));

/// The crop of torchvision's `RandomResizedCrop`: the first of ten draws that fits, else the largest central part of a
/// permitted ratio.
pub(super) fn draw(size @ (height, width): (usize, usize), smallest_area: f64, rng: &mut impl Rng) -> Part {
    for _ in 0..10 {
        let area = smallest_area + (1.0 - smallest_area) * rng.random::<f64>();
        let ratio = ratio(rng.random());
        let part = crop_size(size, area, ratio);
        if let Some((h, w)) = part {
            let top = rng.random_range(0..=height - h);
            return ((top, rng.random_range(0..=width - w)), (h, w));
        }
    }
    central(size)
}

fn ratio(uniform: f64) -> f64 {
    (WIDEST.ln() * (2.0 * uniform - 1.0)).exp()
}

/// Height and width of a crop with a share `area` of the image and a `ratio` of width to height; `None` if it does not
/// fit.
fn crop_size((height, width): (usize, usize), area: f64, ratio: f64) -> Option<(usize, usize)> {
    let area = area * (height * width) as f64;
    let side = |square: f64| square.sqrt().round_ties_even() as usize;
    let (h, w) = (side(area / ratio), side(area * ratio));
    ((1..=height).contains(&h) && (1..=width).contains(&w)).then_some((h, w))
}

fn central((height, width): (usize, usize)) -> Part {
    let ratio = width as f64 / height as f64;
    let scaled = |side: usize| (side as f64 * WIDEST).round_ties_even() as usize;
    let (h, w) = if ratio < 1.0 / WIDEST {
        (scaled(width), width)
    } else if ratio > WIDEST {
        (height, scaled(height))
    } else {
        (height, width)
    };
    (((height - h) / 2, (width - w) / 2), (h, w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    /// Parts of up to 3/4 of a square fit at any ratio, so their areas and ratios keep their distribution.
    #[test]
    fn parts_follow_their_distribution() {
        let mut rng = stream(0, Purpose::Transform, 0, 0);
        let drawn: Vec<Part> = (0..40_000).map(|_| draw((1000, 1000), 0.08, &mut rng)).collect();
        let of = |&(_, (h, w)): &Part| (h * w) as f64 / 1e6;
        let small: Vec<&Part> = drawn.iter().filter(|part| of(part) < 0.7).collect();
        let (mut below, mut wide, mut high, mut left) = (0, 0, 0, 0);
        for part in &small {
            let ((y, x), (h, w)) = **part;
            below += usize::from(of(part) < 0.39);
            wide += usize::from(w as f64 / h as f64 > (4.0f64 / 3.0).sqrt());
            high += usize::from(2 * y < 1000 - h);
            left += usize::from(2 * x < 1000 - w);
        }
        let n = small.len() as f64;
        for (what, found, share) in
            [("area", below, 0.5), ("ratio", wide, 0.25), ("top", high, 0.5), ("left", left, 0.5)]
        {
            let spread = 5.0 * (n * share * (1.0 - share)).sqrt() + 0.002 * n;
            assert!((found as f64 - n * share).abs() < spread, "{what}: {found} of {n}");
        }
    }

    /// From torchvision 0.29.2 with areas from 0.08.
    #[test]
    fn crops_match_torchvision() {
        for (size, area, log_ratio, crop) in [
            ((375, 500), 0.0, 0.5, Some((122, 122))),
            ((375, 500), 1.0, 0.5, None),
            ((375, 500), 0.3, 0.9, Some((230, 290))),
            ((500, 375), 0.3, 0.1, Some((290, 230))),
            ((100, 1000), 0.5, 0.5, None),
            ((64, 64), 0.123, 0.777, Some((26, 30))),
            ((333, 500), 0.9, 0.2, None),
        ] {
            assert_eq!(crop_size(size, 0.08 + 0.92 * area, ratio(log_ratio)), crop, "{size:?} {area}");
        }
        for (size, offset, crop) in [
            ((100, 1000), (0, 433), (100, 133)),
            ((1000, 100), (433, 0), (133, 100)),
            ((300, 400), (0, 0), (300, 400)),
            ((300, 401), (0, 0), (300, 400)),
            ((10, 10), (0, 0), (10, 10)),
        ] {
            assert_eq!(central(size), (offset, crop));
        }
    }
}
