//! Streamed batches in units of a few images.

use std::ops::Range;

use crate::{
    ImageShape, Result,
    batch::{Plans, Prepared, Recipe, Worker},
    images::Picture,
    streamed::Streamed,
};

/// Images of a unit. Few, so that all workers share the first batch; not one, so that they rarely meet at the lock.
const UNIT: usize = 8;

impl Recipe {
    /// Number of units of batch `number`.
    pub(crate) fn units(&self, number: usize) -> usize {
        self.places(number).len().div_ceil(UNIT)
    }

    /// The places in an epoch of the images of a unit.
    fn unit(&self, (number, unit): (usize, usize)) -> Range<usize> {
        let Range { start, end } = self.places(number);
        start + unit * UNIT..end.min(start + (unit + 1) * UNIT)
    }

    /// Decodes the image at `position` of the subset, at least the rows that the views `views` read at `place` of `epoch`.
    pub(crate) fn decode(
        &self,
        streamed: &Streamed,
        position: u32,
        views: Range<usize>,
        epoch: usize,
        place: usize,
        worker: &mut Worker,
    ) -> Result<Picture> {
        let rows = |size: (usize, usize)| {
            let of_view = |view: usize| self.views[view].chain.rows(size, self.streams(view, epoch, place));
            views.map(of_view).max().unwrap_or(size.0)
        };
        let buffer = worker.canvas.take_buffer();
        streamed.decode(&self.subset, position, rows, &mut worker.reader, buffer)
    }

    /// Decodes and transforms the images of a unit into `pixels`: view after view, each image (C, H, W).
    pub(crate) fn decode_unit(
        &self,
        worker: &mut Worker,
        plans: &Plans,
        epoch: usize,
        unit: (usize, usize),
        pixels: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(streamed) = &self.streamed else { return Ok(()) };
        let places = self.unit(unit);
        let of_views = self.views.iter().map(|view| view.chain.output());
        pixels.resize(places.len() * of_views.clone().map(ImageShape::values).sum::<usize>(), 0);
        for (place, number) in places.clone().zip(0..) {
            // Views of the same image share its decoded pixels.
            let mut decoded: Option<(u32, Picture)> = None;
            let mut start = 0;
            for (index, (view, shape)) in self.views.iter().zip(of_views.clone()).enumerate() {
                let position = plans[index][place];
                let same = plans[index..].iter().take_while(|plan| plan[place] == position).count();
                let picture = match decoded.take() {
                    Some((earlier, picture)) if earlier == position => picture,
                    _ => self.decode(streamed, position, index..index + same, epoch, place, worker)?,
                };
                if same > 1 {
                    decoded = Some((position, picture.clone()));
                }
                worker.canvas.load_picture(picture, shape.channels);
                let first = start + number * shape.values();
                let out = &mut pixels[first..first + shape.values()];
                view.chain.apply_streamed(self.streams(index, epoch, place), &mut worker.canvas, out);
                start += places.len() * shape.values();
            }
        }
        Ok(())
    }

    /// Batch `number` of the pixels of its units, normalised and mixed.
    pub(crate) fn finish(&self, plans: &Plans, epoch: usize, number: usize, units: &[Vec<u8>]) -> Prepared {
        let mut starts = vec![0; units.len()];
        let views = self.views.iter().zip(plans).enumerate().map(|(index, (view, plan))| {
            let shape @ ImageShape { height, width, .. } = view.chain.output();
            let mut images = Vec::with_capacity(self.places(number).len() * shape.values());
            for (unit, (pixels, start)) in units.iter().zip(&mut starts).enumerate() {
                let length = self.unit((number, unit)).len() * shape.values();
                let planes = pixels[*start..*start + length].chunks_exact(height * width);
                for (plane, table) in planes.zip(self.tables.iter().cycle()) {
                    images.extend(plane.iter().map(|&value| table[usize::from(value)]));
                }
                *start += length;
            }
            self.mixed(images, index, plan, epoch, number)
        });
        Prepared { views: views.collect() }
    }
}
