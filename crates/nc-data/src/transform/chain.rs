use rand::Rng;

use super::{
    Fit, auto_augment,
    blur::gaussian_blur,
    canvas::Canvas,
    color_jitter,
    crop_flip::{CropFlip, Placement},
    cutout::cutout,
    kind::Transform,
    luma::grey,
    operation::Operation,
    rand_augment, random_resized_crop,
    resize::{central_offset, resize, shorter_side},
    warp::{Filter, Warp},
};
use crate::{Error, ImageShape, Result, rng::ImageStreams};

/// A validated list of transforms.
pub(crate) struct Chain {
    /// Transforms that bring a streamed image to the size `input`, as in `steps`.
    fit: Vec<(Transform, u32)>,
    /// Each transform and the number of earlier ones of its kind.
    steps: Vec<(Transform, u32)>,
    /// Crop and flip, wherever they are in the list.
    crop_flip: Option<CropFlip>,
    /// The list has no other transforms, and no flip before a crop.
    only_crop_flip: bool,
    input: ImageShape,
    output: ImageShape,
}

impl Chain {
    /// Validates a list for images of shape `input`, which streamed images get by `fit`.
    pub(crate) fn new(fit: &Fit, transforms: &[Transform], input: ImageShape) -> Result<Self> {
        let mut steps: Vec<(Transform, u32)> = Vec::new();
        let mut add = |transform: Transform| {
            let same = |(other, _): &&(Transform, _)| other.stream_kind() == transform.stream_kind();
            steps.push((transform, steps.iter().filter(same).count() as u32));
        };
        fit.transforms().iter().copied().for_each(&mut add);
        let mut output = input;
        let (mut padding, mut flip) = (None, false);
        for &transform in transforms {
            output = transform.check(output)?;
            let repeated = match transform {
                Transform::Crop { padding: given } => padding.replace(given).map(|_| "crop"),
                Transform::Flip => std::mem::replace(&mut flip, true).then_some("flip"),
                _ => None,
            };
            if let Some(kind) = repeated {
                return Err(Error::Config(format!(
                    "expected at most one {kind} in a list of transforms, found two"
                )));
            }
            add(transform);
        }
        let only_crop_flip = matches!(
            transforms,
            [] | [Transform::Crop { .. } | Transform::Flip] | [Transform::Crop { .. }, Transform::Flip]
        );
        if !only_crop_flip && !matches!(input.channels, 1 | 3) {
            let found = input.channels;
            return Err(Error::Config(format!(
                "expected images of 1 or 3 channels for transforms other than crop and flip, found {found}"
            )));
        }
        let crop_flip = CropFlip { padding: padding.unwrap_or(0), flip };
        let crop_flip = (padding.is_some() || flip).then_some(crop_flip);
        let own = steps.split_off(fit.transforms().len());
        Ok(Self { fit: steps, steps: own, crop_flip, only_crop_flip, input, output })
    }

    /// The shape of the results.
    pub(crate) fn output(&self) -> ImageShape {
        self.output
    }

    /// Number of rows, from the top, of a streamed image of height and width `size` that [`Chain::apply_streamed`] reads.
    pub(crate) fn rows(&self, size: (usize, usize), streams: ImageStreams) -> usize {
        let Some(&(transform @ Transform::RandomResizedCrop { smallest_area, .. }, occurrence)) =
            self.fit.first()
        else {
            return size.0;
        };
        let mut rng = streams.transform(transform.stream_kind(), occurrence);
        let ((top, _), (height, _)) = random_resized_crop::draw(size, smallest_area, &mut rng);
        top + height
    }

    /// Transforms an image (C, H, W) with draws from `streams`. Writes the result (C, H, W) to `out`, mapped by the
    /// table of each channel.
    pub(crate) fn apply<T: Copy>(
        &self,
        pixels: &[u8],
        streams: ImageStreams,
        canvas: &mut Canvas,
        tables: &[[T; 256]],
        out: &mut [T],
    ) {
        if self.only_crop_flip {
            return self.placement(streams).write(pixels, self.input, tables, out);
        }
        canvas.load(pixels, self.input);
        self.apply_steps(&self.steps, streams, canvas);
        canvas.store(tables, out);
    }

    /// As [`Chain::apply`], on the streamed image in `canvas`, without tables.
    pub(crate) fn apply_streamed(&self, streams: ImageStreams, canvas: &mut Canvas, out: &mut [u8]) {
        self.apply_steps(&self.fit, streams, canvas);
        self.apply_steps(&self.steps, streams, canvas);
        canvas.store_bytes(out);
    }

    fn apply_steps(&self, steps: &[(Transform, u32)], streams: ImageStreams, canvas: &mut Canvas) {
        let placement = self.placement(streams);
        for &(transform, occurrence) in steps {
            let mut rng = streams.transform(transform.stream_kind(), occurrence);
            apply(transform, canvas, placement, &mut rng);
        }
    }

    fn placement(&self, streams: ImageStreams) -> Placement {
        self.crop_flip.map(|crop_flip| crop_flip.draw(&mut streams.augment())).unwrap_or_default()
    }
}

/// Applies a transform with draws from `rng`, crop and flip as drawn in `placement`.
fn apply(transform: Transform, canvas: &mut Canvas, placement: Placement, rng: &mut impl Rng) {
    const BLACK: [u8; 3] = [0; 3];
    let (height, width) = (canvas.height, canvas.width);
    match transform {
        Transform::Crop { .. } => canvas.crop(placement.origin(), (height, width)),
        Transform::Flip => {
            if placement.mirrored {
                canvas.flip();
            }
        }
        Transform::Rotation { degrees } => {
            let angle = degrees * (2.0 * rng.random::<f64>() - 1.0);
            Operation::Warp(Warp::Rotate(angle), Filter::Nearest).apply(canvas, BLACK);
        }
        Transform::RandomResizedCrop { size, smallest_area, interpolation } => {
            let ((top, left), part) = random_resized_crop::draw((height, width), smallest_area, rng);
            // Cropped before resizing: a crop within the resizer would see pixels outside the part.
            canvas.crop((top as isize, left as isize), part);
            resize(canvas, size.map_or((height, width), |size| (size, size)), interpolation);
        }
        Transform::Resize { size, interpolation } => {
            resize(canvas, shorter_side((height, width), size), interpolation);
        }
        Transform::CenterCrop { size } => {
            canvas.crop((central_offset(height, size), central_offset(width, size)), (size, size));
        }
        Transform::ColorJitter { brightness, contrast, saturation, hue, probability } => {
            if rng.random_bool(probability) {
                let strengths = [brightness, contrast, saturation, hue];
                color_jitter::draw(strengths, rng).for_each(|operation| operation.apply(canvas, BLACK));
            }
        }
        Transform::Grey { probability } => {
            if rng.random_bool(probability) {
                grey(canvas);
            }
        }
        Transform::GaussianBlur { probability, smallest_sigma, largest_sigma } => {
            if rng.random_bool(probability) {
                let sigma = smallest_sigma + (largest_sigma - smallest_sigma) * rng.random::<f64>();
                gaussian_blur(canvas, sigma as f32);
            }
        }
        Transform::RandAugment { layers, magnitude, deviation, fill } => {
            for _ in 0..layers {
                if let Some(operation) = rand_augment::draw(magnitude, deviation, rng) {
                    operation.apply(canvas, fill);
                }
            }
        }
        Transform::AutoAugmentCifar10 => {
            auto_augment::draw(rng).for_each(|operation| operation.apply(canvas, auto_augment::FILL));
        }
        Transform::Cutout { length } => {
            let row = rng.random_range(0..height);
            cutout(canvas, (row, rng.random_range(0..width)), length);
        }
    }
}
