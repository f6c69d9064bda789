use std::path::{Path, PathBuf};

use candle_core::D;
use candle_nn::ops::softmax;
use nc_data::{
    ImageOptions, ImageShape, Loader, LoaderConfig, Normalize, StreamOptions, Subset, decode_files,
};
use nc_models::Network;
use nc_record::InputSpec;

use crate::{
    Error, Result, RunOptions, Trained,
    network::resnet,
    source::{image_options, stream_options},
    stored::Stored,
};

/// A trained network that classifies image files. It needs no images of the run.
pub struct Predictor {
    network: Box<dyn Network>,
    input: InputSpec,
    images: ImageOptions,
    /// How images get their size, if those of the run were streamed.
    streamed: Option<StreamOptions>,
    options: RunOptions,
}

/// The prediction for an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// File.
    pub path: PathBuf,
    /// Class indices and probabilities (softmax of the logits), most probable first.
    pub classes: Vec<(usize, f32)>,
}

/// Images decoded and classified at a time.
const BATCH: usize = 128;

impl Predictor {
    /// Opens `checkpoint` as [`Trained::open`] does.
    ///
    /// # Errors
    ///
    /// Those of reading the configuration and the weights; [`Error::NoInputSpec`] for a run of an earlier version, which
    /// stored neither class names nor normalisation; [`Error::OwnBackbone`] for a run of
    /// [`train_backbone`](crate::train_backbone).
    pub fn open(checkpoint: &Path, options: &RunOptions) -> Result<Self> {
        let experiment = Trained::experiment_of(checkpoint)?;
        if let Some(name) = &experiment.model.own_backbone {
            return Err(Error::OwnBackbone { run: checkpoint.to_owned(), name: name.clone() });
        }
        let stored = Stored::read(checkpoint, &experiment)?;
        let input = stored.input.clone().ok_or_else(|| Error::NoInputSpec { run: checkpoint.to_owned() })?;
        let shape = shape(&input);
        let build = resnet(experiment.model.backbone);
        let network = stored.network(&experiment, shape, input.classes.len(), &options.device, build)?;
        let images = image_options(&experiment.data);
        let streamed = stream_options(&experiment.data);
        Ok(Self { network, input, images, streamed, options: options.clone() })
    }

    /// Class names, in the order of class indices.
    pub fn class_names(&self) -> &[String] {
        &self.input.classes
    }

    /// Classifies image files. Images of another size than the network's are resized to cover it and centre-cropped, or
    /// transformed as in the evaluation of a run with streamed images.
    /// Calls `each` with every prediction in order, and for a file that cannot be decoded with its error.
    ///
    /// # Errors
    ///
    /// Those of the network and of `each`.
    pub fn predict<E: From<Error>>(
        &self,
        paths: &[PathBuf],
        mut each: impl FnMut(std::result::Result<Prediction, nc_data::Error>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        for paths in paths.chunks(BATCH) {
            let decoded = match &self.streamed {
                Some(streamed) => streamed.decode_files(paths, self.input.channels),
                None => decode_files(paths, shape(&self.input), self.images),
            };
            let decoded = decoded.map_err(Error::from)?;
            let probabilities =
                if decoded.paths.is_empty() { vec![] } else { self.probabilities(&decoded.images)? };
            let mut predictions = decoded.paths.into_iter().zip(probabilities);
            let mut errors = decoded.errors.into_iter().peekable();
            for path in paths {
                if let Some(error) = errors.next_if(|(failed, _)| failed == path) {
                    each(Err(error.1))?;
                } else if let Some((path, shares)) = predictions.next() {
                    let mut classes: Vec<(usize, f32)> = shares.into_iter().enumerate().collect();
                    classes.sort_by(|(_, one), (_, other)| other.total_cmp(one));
                    each(Ok(Prediction { path, classes }))?;
                }
            }
        }
        Ok(())
    }

    /// Class probabilities of each image.
    fn probabilities(&self, images: &nc_data::Dataset) -> Result<Vec<Vec<f32>>> {
        let config = LoaderConfig {
            views: vec![],
            epochs: None,
            batch_size: BATCH,
            normalize: Normalize { mean: self.input.mean.clone(), std: self.input.std.clone() },
            seed: 0,
            workers: 1,
            device: self.options.device.clone(),
        };
        // A subset orders images by their pixels.
        let subset = Subset::all(images);
        let mut places = subset.indices().iter();
        let mut all = vec![vec![]; images.len()];
        for batch in Loader::sequential(&subset, config)?.epoch(0) {
            let logits = self.network.infer(&batch?.first().images)?.logits;
            let logits = logits.ok_or(Error::NoClassifier { needed_by: "prediction" })?;
            for (shares, &place) in
                softmax(&logits, D::Minus1)?.to_vec2::<f32>()?.into_iter().zip(&mut places)
            {
                all[place] = shares;
            }
        }
        Ok(all)
    }
}

fn shape(input: &InputSpec) -> ImageShape {
    ImageShape { channels: input.channels, height: input.height, width: input.width }
}
