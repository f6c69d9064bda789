//! Operations against Pillow and torchvision; `tests/golden/README.md` describes the files.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::{
    blur::gaussian_blur,
    canvas::Canvas,
    cutout::cutout,
    luma::grey,
    operation::Operation,
    resize::{Interpolation, central_offset, resize, shorter_side},
    warp::{Filter, Warp},
};

type Known = BTreeMap<String, Tensor>;

fn load(name: &str) -> Known {
    let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect()
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn canvas((height, width, channels): (usize, usize, usize), pixels: Vec<u8>) -> Canvas {
    let mut canvas = Canvas::default();
    (canvas.height, canvas.width, canvas.channels, canvas.pixels) = (height, width, channels, pixels);
    canvas
}

/// Numbers separated by `x` or `_`.
fn numbers<const N: usize>(text: &str) -> [usize; N] {
    let numbers: Vec<usize> = text.split(['x', '_']).map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Applies the operation `name` and returns the largest permitted difference.
fn apply(name: &[&str], canvas: &mut Canvas) -> u8 {
    let argument = || name[1].parse::<f64>().unwrap();
    let warp = |by: fn(f64) -> Warp| {
        let filter = match name[2] {
            "nearest" => Filter::Nearest,
            "bilinear" => Filter::Bilinear,
            _ => Filter::Bicubic,
        };
        Operation::Warp(by(argument()), filter)
    };
    let fill = if name[0] == "policy_rotate" { super::auto_augment::FILL } else { [124, 116, 104] };
    let operation = match name[0] {
        "shear_x" => warp(Warp::ShearX),
        "shear_y" => warp(Warp::ShearY),
        "translate_x_rel" => warp(Warp::TranslateX),
        "translate_y_rel" => warp(Warp::TranslateY),
        "rotate" => warp(Warp::Rotate),
        // Level 2 or 9 of 0 to 9, in the name to four digits.
        "policy_rotate" => {
            Operation::Warp(Warp::Rotate((argument() / 30.0 * 9.0).round() * 30.0 / 9.0), Filter::Nearest)
        }
        "auto_contrast" => Operation::AutoContrast,
        "equalize" => Operation::Equalize,
        "invert" => Operation::Invert,
        "posterize" => Operation::Posterize { bits: argument() as u32 },
        "solarize" => Operation::Solarize { threshold: argument() },
        "solarize_add" => Operation::SolarizeAdd(argument() as u8),
        "color" => Operation::Saturation(argument()),
        "contrast" => Operation::Contrast(argument()),
        "brightness" => Operation::Brightness(argument()),
        "sharpness" => Operation::Sharpness(argument()),
        "hue" => Operation::Hue(argument()),
        "grayscale" => {
            grey(canvas);
            return 0;
        }
        "hflip" => {
            canvas.flip();
            return 0;
        }
        "blur" => {
            gaussian_blur(canvas, argument() as f32);
            return 0;
        }
        "resize" => {
            let [height, width] = numbers(name[1]);
            let (interpolation, tolerance) = match name[2] {
                "bilinear" => (Interpolation::Bilinear, 1),
                _ => (Interpolation::Bicubic, 2),
            };
            resize(canvas, (height, width), interpolation);
            return tolerance;
        }
        "resized_crop" => {
            let [top, left, height, width] = numbers(name[1]);
            canvas.crop((top as isize, left as isize), (height, width));
            resize(canvas, (24, 24), Interpolation::Bilinear);
            return 1;
        }
        "eval" => {
            let [size, crop] = numbers(name[1]);
            let (height, width) = shorter_side((canvas.height, canvas.width), size);
            resize(canvas, (height, width), Interpolation::Bilinear);
            canvas.crop((central_offset(height, crop), central_offset(width, crop)), (crop, crop));
            return 1;
        }
        other => panic!("{other}"),
    };
    operation.apply(canvas, fill);
    0
}

/// Compares all operations of a file and returns their number.
fn compare(file: &str) -> usize {
    let known = load(file);
    let mut compared = 0;
    for (name, expected) in &known {
        let parts: Vec<&str> = name.split('/').collect();
        if parts[0] == "input" {
            continue;
        }
        let image = &known[&format!("input/{}", parts[0])];
        let mut canvas = canvas(image.dims3().unwrap(), bytes(image));
        let tolerance = apply(&parts[1..], &mut canvas);
        let size = [canvas.height, canvas.width, canvas.channels];
        assert_eq!(size, expected.dims(), "{name}");
        let expected = bytes(expected);
        let difference = canvas.pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(canvas.pixels.len(), expected.len(), "{name}");
        assert!(difference <= Some(tolerance), "{name}: {difference:?}");
        compared += 1;
    }
    compared
}

#[test]
fn operations_match_torchvision() {
    assert_eq!(compare("torchvision"), 139);
}

#[test]
fn blur_and_grey_images_match_pillow() {
    assert_eq!(compare("pillow"), 72);
}

/// Rows and columns of the hole, from the published implementation.
#[test]
fn holes_match_cutout() {
    for (centre, side, length, rows, columns) in [
        ((0, 0), 32, 16, 0..8, 0..8),
        ((31, 31), 32, 16, 23..32, 23..32),
        ((16, 16), 32, 16, 8..24, 8..24),
        ((5, 20), 32, 16, 0..13, 12..28),
        ((10, 30), 28, 7, 7..13, 27..28),
    ] {
        let mut canvas = canvas((side, side, 3), vec![255; side * side * 3]);
        cutout(&mut canvas, centre, length);
        for (index, &byte) in canvas.pixels.iter().enumerate() {
            let (row, column) = (index / 3 / side, index / 3 % side);
            let hole = rows.contains(&row) && columns.contains(&column);
            assert_eq!(byte, if hole { 0 } else { 255 }, "{centre:?}: {row} {column}");
        }
    }
}
