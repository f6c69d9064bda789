use candle_core::Device;
use image::{DynamicImage, GrayImage, RgbImage};
use nc_data::{
    Dataset, Epoch, ImageShape, LoaderConfig, Normalize, Plan, Sampler, Source, Subset, View, ViewConfig,
    rng::{Purpose, stream},
};
use rand::{Rng, seq::SliceRandom};

/// Random images, `counts[k]` of class k, sorted by class.
pub(crate) fn dataset(shape: ImageShape, counts: &[usize]) -> Dataset {
    let mut rng = stream(99, Purpose::Subset, 0, 0);
    let labels: Vec<u32> = counts.iter().enumerate().flat_map(|(class, &n)| vec![class as u32; n]).collect();
    let pixels = (0..labels.len() * shape.values()).map(|_| rng.random()).collect();
    let names = (0..counts.len()).map(|class| format!("class {class}")).collect();
    Dataset::new(shape, pixels, labels, names).unwrap()
}

/// The same images in another order.
pub(crate) fn shuffled(dataset: &Dataset, seed: u64) -> Dataset {
    let mut order: Vec<usize> = (0..dataset.len()).collect();
    order.shuffle(&mut stream(seed, Purpose::Subset, 0, 0));
    let pixels = order.iter().flat_map(|&index| dataset.image(index).to_vec()).collect();
    let labels = order.iter().map(|&index| dataset.labels()[index]).collect();
    Dataset::new(dataset.shape(), pixels, labels, dataset.class_names().to_vec()).unwrap()
}

/// The same images and groups in another order, with other numbers of groups.
pub(crate) fn permuted(dataset: &Dataset, seed: u64) -> Dataset {
    let mut order: Vec<usize> = (0..dataset.len()).collect();
    order.shuffle(&mut stream(seed, Purpose::Subset, 0, 0));
    let groups = dataset.groups().unwrap();
    let most = *groups.iter().max().unwrap();
    let groups = order.iter().map(|&index| most - groups[index]).collect();
    shuffled(dataset, seed).with_groups(groups).unwrap()
}

/// A view of images drawn by `sampler`, without augmentation or mix-up.
pub(crate) fn sampled(sampler: Sampler) -> ViewConfig {
    ViewConfig::new(Plan::Sampled(sampler))
}

/// One uniformly sampled view whose normalisation restores the pixels: (p / 255 - 0) / (1 / 255).
pub(crate) fn plain(channels: usize, batch_size: usize) -> LoaderConfig {
    LoaderConfig {
        views: vec![sampled(Sampler::Uniform)],
        epochs: None,
        batch_size,
        normalize: Normalize { mean: vec![0.0; channels], std: vec![1.0 / 255.0; channels] },
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    }
}

pub(crate) fn values(view: &View) -> Vec<f32> {
    view.images.flatten_all().unwrap().to_vec1().unwrap()
}

/// The comparable parts of a view: bits of the images, labels, positions, lambda and partners.
pub(crate) type Bits = (Vec<u32>, Vec<u32>, Vec<u32>, Option<(u64, Vec<u32>)>);

/// All views of each batch.
pub(crate) fn bits(epoch: Epoch) -> Vec<Vec<Bits>> {
    let of = |view: View| {
        let images = values(&view).into_iter().map(f32::to_bits).collect();
        (images, view.labels, view.positions, view.mix.map(|mix| (mix.lambda.to_bits(), mix.partner)))
    };
    epoch.map(|batch| batch.unwrap().views.into_iter().map(of).collect()).collect()
}

/// View 0 of the first batch.
pub(crate) fn first_view(mut epoch: Epoch) -> View {
    epoch.next().unwrap().unwrap().into_first()
}

/// A subset of all images of a random data set.
pub(crate) fn subset(shape: ImageShape, counts: &[usize]) -> Subset {
    Subset::all(&dataset(shape, counts))
}

/// The size of small images.
pub(crate) const SMALL: ImageShape = ImageShape { channels: 3, height: 5, width: 4 };

/// Image `index` of `dataset` as an image of the `image` crate.
pub(crate) fn picture(dataset: &Dataset, index: usize) -> DynamicImage {
    let ImageShape { channels, height, width } = dataset.shape();
    let pixels = dataset.image(index);
    let value = |channel: usize, x: u32, y: u32| {
        pixels[(channel.min(channels - 1) * height + y as usize) * width + x as usize]
    };
    let (width, height) = (width as u32, height as u32);
    if channels == 1 {
        GrayImage::from_fn(width, height, |x, y| [value(0, x, y)].into()).into()
    } else {
        RgbImage::from_fn(width, height, |x, y| [0, 1, 2].map(|channel| value(channel, x, y)).into()).into()
    }
}

pub(crate) fn complaint(result: nc_data::Result<Source>) -> String {
    result.unwrap_err().to_string()
}
