//! Reference convolution by definition, in f64.

use crate::ConvShape;

/// y, dx and dw of a convolution of `x` (`dims`) with output gradient `dy`.
pub(super) struct Naive {
    pub(super) y: Vec<f64>,
    pub(super) dx: Vec<f64>,
    pub(super) dw: Vec<f64>,
}

pub(super) fn convolve(shape: ConvShape, dims: [usize; 4], x: &[f32], w: &[f32], dy: &[f32]) -> Naive {
    let ConvShape { out_channels, kernel, stride, padding, groups, .. } = shape;
    let [n, c, height, width] = dims;
    let (out_h, out_w) = shape.output_size(height, width).unwrap();
    let (in_group, out_group) = (c / groups, out_channels / groups);
    let mut naive = Naive {
        y: vec![0.0; n * out_channels * out_h * out_w],
        dx: vec![0.0; x.len()],
        dw: vec![0.0; w.len()],
    };
    for (at, y_at) in naive.y.iter_mut().enumerate() {
        let (column, row) = (at % out_w, at / out_w % out_h);
        let (out, image) = (at / out_w / out_h % out_channels, at / out_w / out_h / out_channels);
        for input in 0..in_group {
            for tap in 0..kernel * kernel {
                let (y, x_) = (row * stride + tap / kernel, column * stride + tap % kernel);
                if y < padding || x_ < padding || y - padding >= height || x_ - padding >= width {
                    continue;
                }
                let channel = out / out_group * in_group + input;
                let from = ((image * c + channel) * height + y - padding) * width + x_ - padding;
                let weight = (out * in_group + input) * kernel * kernel + tap;
                *y_at += f64::from(x[from]) * f64::from(w[weight]);
                naive.dx[from] += f64::from(dy[at]) * f64::from(w[weight]);
                naive.dw[weight] += f64::from(dy[at]) * f64::from(x[from]);
            }
        }
    }
    naive
}
