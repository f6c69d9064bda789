//! Speed of streaming: images per second of a folder of JPEG files, decoded, cropped at random to 224 x 224 pixels,
//! flipped and normalised by worker threads, and the peak memory.
//!
//! ```sh
//! cargo run --release -p nc-data --example stream -- DIRECTORY WORKERS [BATCH_SIZE]
//! ```
//!
//! Without DIRECTORY, creates one of 400 synthetic photographs of about 500 x 375 pixels. Prints the epoch's
//! `images_per_second` of wall time and, on Linux, `images_per_cpu_second` and `peak_megabytes` of the process.

#![allow(clippy::print_stdout)]

use std::{error::Error, fs, hint::black_box, path::Path, time::Instant};

use candle_core::Device;
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use nc_data::{
    Interpolation::Bilinear,
    Loader, LoaderConfig, Normalize, Plan, Sampler, StreamOptions, Subset, Transform, ViewConfig, folder,
    rng::{Purpose, stream},
};
use rand::Rng;

// That of `nclt`, which returns freed memory to the system later: MIMALLOC_PURGE_DELAY=60000.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IMAGES: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [directory, workers, rest @ ..] = args.as_slice() else {
        return Err("usage: stream DIRECTORY WORKERS [BATCH_SIZE]".into());
    };
    let (directory, workers) = (Path::new(directory), workers.parse()?);
    let batch_size = rest.first().map_or(Ok(32), |size| size.parse())?;
    if !directory.exists() {
        write_photographs(directory)?;
    }
    let options = StreamOptions {
        size: (224, 224),
        exif_orientation: false,
        training: vec![Transform::RandomResizedCrop {
            size: Some(224),
            smallest_area: 0.08,
            interpolation: Bilinear,
        }],
        evaluation: vec![
            Transform::Resize { size: 256, interpolation: Bilinear },
            Transform::CenterCrop { size: 224 },
        ],
    };
    let source = folder::find(directory)?.stream(&options, &mut ())?;
    let view =
        ViewConfig { transforms: vec![Transform::Flip], ..ViewConfig::new(Plan::Sampled(Sampler::Uniform)) };
    let config = LoaderConfig {
        views: vec![view],
        epochs: None,
        batch_size,
        normalize: Normalize { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] },
        seed: 0,
        workers,
        device: Device::Cpu,
    };
    let loader = Loader::new(&Subset::all(&source.train), config)?;
    // The first epoch brings the files into the memory of the system.
    loader.epoch(0).for_each(drop);
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    let mut images = 0;
    for batch in loader.epoch(1) {
        images += black_box(batch?).first().labels.len();
    }
    println!("images_per_second {:.0}", images as f64 / started.elapsed().as_secs_f64());
    if let (Some(before), Some(after)) = (cpu_before, cpu_seconds()) {
        println!("images_per_cpu_second {:.0}", images as f64 / (after - before));
    }
    if let Some(peak) = peak_kilobytes() {
        println!("peak_megabytes {:.0}", peak / 1024.0);
    }
    Ok(())
}

/// Seconds of processor time of this process, from clock ticks of 1/100 s.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse().ok()?;
    Some((ticks + fields.next()?.parse::<f64>().ok()?) / 100.0)
}

fn peak_kilobytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Gradients and blotches with noise, as JPEG files of quality 90: about as many bytes as photographs have.
fn write_photographs(directory: &Path) -> Result<(), Box<dyn Error>> {
    for image in 0..IMAGES {
        let class = directory.join(format!("class {}", image % 10));
        fs::create_dir_all(&class)?;
        let mut rng = stream(image as u64, Purpose::Noise, 0, 0);
        let (width, height) = (rng.random_range(400..600), rng.random_range(300..450));
        let waves: Vec<[f32; 4]> = (0..6)
            .map(|_| {
                let mut draw = |most: f32| rng.random::<f32>() * most;
                [draw(0.06), draw(0.06), draw(6.3), draw(40.0)]
            })
            .collect();
        let photograph = RgbImage::from_fn(width, height, |x, y| {
            let (x, y) = (x as f32, y as f32);
            let wave = |&[a, b, c, d]: &[f32; 4]| d * (a * x + b * y + c).sin();
            let base: f32 = 128.0 + waves.iter().map(wave).sum::<f32>();
            let noise: f32 = 24.0 * rng.random::<f32>();
            [base + noise, 0.8 * base + noise, 255.0 - base + noise].map(|value| value as u8).into()
        });
        let file = fs::File::create(class.join(format!("{image}.jpg")))?;
        JpegEncoder::new_with_quality(file, 90).encode_image(&photograph)?;
    }
    Ok(())
}
