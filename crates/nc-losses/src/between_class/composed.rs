//! L_B composed of Candle's own operations, for every device.

use candle_core::{Result, Tensor};

use super::BetweenForm;
use super::arc_cosine::arc_cosine;
use super::limits::{BLOCK, TINY, rounding};

/// L_B in the two angle forms.
///
/// The nearest neighbours are found outside the graph; the cosine to each is then one dot product per row.
pub(super) fn smallest_angles(centers: &Tensor, form: BetweenForm) -> Result<Tensor> {
    let directions = directions(centers)?;
    let nearest = nearest(&directions.detach())?;
    let cosines = (&directions * directions.index_select(&nearest, 0)?)?.sum(1)?;
    let cosines = match form {
        BetweenForm::GlobalMinAngle => cosines.index_select(&cosines.detach().argmax_keepdim(0)?, 0)?,
        _ => cosines,
    };
    arc_cosine(&cosines)?.mean_all()?.neg()
}

/// L_B as the distance of the off-diagonal cosines from -1/(K-1).
pub(super) fn etf_gap(centers: &Tensor) -> Result<Tensor> {
    let directions = directions(centers)?;
    let classes = centers.dim(0)?;
    let gaps = (directions.matmul(&directions.t()?)? + 1.0 / (classes - 1) as f64)?;
    let others = (1.0 - diagonal(0, classes, &directions)?)?;
    let squared = (gaps * others)?.sqr()?.sum_all()?;
    let floor = (squared.detach().zeros_like()? + TINY)?;
    &squared * inverse_root(&squared, &floor)?
}

/// Unit vectors from the mean of the rows to each row; zero for a row at the mean.
fn directions(centers: &Tensor) -> Result<Tensor> {
    let mean = centers.mean_keepdim(0)?;
    let from_mean = centers.broadcast_sub(&mean)?;
    let squared = from_mean.sqr()?.sum_keepdim(1)?;
    let floor = ((mean.detach().sqr()?.sum_keepdim(1)? * rounding(centers.dtype()).powi(2))? + TINY)?;
    from_mean.broadcast_mul(&inverse_root(&squared, &floor)?)
}

/// 1 / sqrt(x) where x > floor, else 0 with gradient 0.
fn inverse_root(x: &Tensor, floor: &Tensor) -> Result<Tensor> {
    let regular = x.detach().broadcast_gt(floor)?;
    let root = regular.where_cond(x, &x.detach().ones_like()?)?.sqrt()?;
    regular.to_dtype(x.dtype())? / root
}

/// Index of the most similar other row for each row, block by block, in O(K) rows of memory.
fn nearest(directions: &Tensor) -> Result<Tensor> {
    let classes = directions.dim(0)?;
    let blocks = (0..classes).step_by(BLOCK).map(|start| {
        let rows = BLOCK.min(classes - start);
        let cosines = directions.narrow(0, start, rows)?.matmul(&directions.t()?)?;
        // Subtracting 4 puts a row's own cosine below all others, so it is not its own neighbour.
        (cosines - (diagonal(start, rows, directions)? * 4.0)?)?.argmax(1)
    });
    Tensor::cat(&blocks.collect::<Result<Vec<_>>>()?, 0)
}

/// Rows `start..start + rows` of the K x K identity.
fn diagonal(start: usize, rows: usize, like: &Tensor) -> Result<Tensor> {
    let classes = Tensor::arange(0, like.dim(0)? as u32, like.device())?;
    let own = classes.narrow(0, start, rows)?.unsqueeze(1)?;
    own.broadcast_eq(&classes.unsqueeze(0)?)?.to_dtype(like.dtype())
}
