//! Kernels without one of their barriers give wrong results: the emulator finds missing ones.

use nc_cuda::{
    Device, Emulator, Error, GradientTarget, Mask, Order, OutputGradient, Parameters, Precision, RawNorm,
    Reading, Result,
};

use crate::case::{Random, download, enter, floats, layer, leave, random_planes, upload};

const BARRIER: &str = "__syncthreads();";

/// Results of every kernel that has a barrier: several chunks of channels, tiles of pixels and parts of sums.
fn results(device: &Device) -> Result<Vec<f64>> {
    let mut random = Random(21);
    let layer = layer([1, 80, 64], [18, 17], [3, 1, 1], Precision::F32);
    let (input, output) = (layer.input, layer.output);
    let x = enter(device, input, &random_planes(&mut random, input));
    let weight = upload(device, &random.values(64 * 80 * 9, 0.0, 0.05));
    let weight = layer.pack(device, &weight)?;
    let y = device.buffer(output.bytes())?;
    let sums = layer.convolve(device, &x, Reading::Plain, &weight, &y, true)?;
    let parameters = upload(device, &random.values(80, 1.0, 0.2));
    let raw = RawNorm { gamma: parameters.clone(), beta: parameters.clone(), epsilon: 1e-5 };
    let batch = device.buffer(2 * 64 * 4)?;
    let norm = raw.batch(device, output, &sums.expect("statistics were requested"), &batch)?;
    let input_norm = raw.fixed(device, input, &parameters, &parameters)?;
    let mut found = leave(device, output, &y, Reading::Rectified(&norm));
    found.extend(download(device, &batch, 2 * 64));

    let gradient = enter(device, output, &random_planes(&mut random, output));
    let sums = output.mask_and_sum(device, &gradient, Mask::Normalised, &y, &norm)?;
    let (gamma, beta) = (device.buffer(80 * 4)?, device.buffer(80 * 4)?);
    let of_norm = norm.gradient(device, output, &sums, true, &gamma, &beta)?;
    found.extend(download(device, &gamma, 64));
    let of_output = OutputGradient { gradient: &gradient, norm: Some((&of_norm, &y)) };
    let kernel = device.buffer(64 * 80 * 9 * 4)?;
    layer.kernel_gradient(device, &x, Reading::Plain, of_output, &kernel)?;
    found.extend(download(device, &kernel, 64 * 80 * 9));
    let dx = device.buffer(input.bytes())?;
    let target =
        GradientTarget { gradient: &dx, add: false, norm: Some((Reading::Rectified(&input_norm), &x)) };
    let sums = layer.input_gradient(device, of_output, &weight, target)?;
    found.extend(leave(device, input, &dx, Reading::Plain));
    input_norm.gradient(device, input, &sums.expect("the input has a norm"), false, &gamma, &beta)?;
    found.extend(download(device, &gamma, 80));
    let means = device.buffer(64 * 4)?;
    output.global_average(device, &y, Reading::Plain, &means)?;
    found.extend(download(device, &means, 64));
    let parameters = Parameters::new(device, &[700])?;
    let vector = parameters.upload([Some(&floats(&random.values(700, 0.0, 1.0))[..])])?;
    found.extend(parameters.squares(&vector)?.into_iter().map(f64::from));
    Ok(found)
}

/// `text` with an empty statement in place of its barrier number `index`.
fn without(text: &str, index: usize) -> String {
    let (at, _) = text.match_indices(BARRIER).nth(index).expect("a barrier");
    format!("{};{}", &text[..at], &text[at + BARRIER.len()..])
}

#[test]
fn no_barrier_is_superfluous() {
    let intact = results(&Emulator::new(Order::Ascending).device()).unwrap();
    assert_eq!(results(&Emulator::new(Order::Descending).device()).unwrap(), intact);
    let files = [
        ("convolution", include_str!("../../src/kernels/convolution.cuh")),
        ("kernel_gradient", include_str!("../../src/kernels/kernel_gradient.cuh")),
        ("norm", include_str!("../../src/kernels/norm.cuh")),
        ("elementwise", include_str!("../../src/kernels/elementwise.cuh")),
        ("update", include_str!("../../src/kernels/update.cuh")),
    ];
    let mut barriers = 0;
    for (name, file) in files {
        for index in 0..file.matches(BARRIER).count() {
            barriers += 1;
            let differs = [Order::Ascending, Order::Descending].into_iter().any(|order| {
                let edit = move |text: &str| text.replace(file, &without(file, index));
                match results(&Emulator::edited(order, edit).device()) {
                    Ok(found) => found != intact,
                    // The threads wait for each other.
                    Err(Error::Launch { .. }) => true,
                    Err(error) => panic!("barrier {index} of {name}: {error}"),
                }
            });
            assert!(differs, "barrier {index} of {name} can be removed");
        }
    }
    assert!(barriers > 10, "{barriers}");
}
