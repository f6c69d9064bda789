//! The driver's calls, against a driver without a GPU: order, graphs, page-locked memory, errors.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nc_cuda::{Device, KernelTime, Precision, Reading};

use crate::case::layer;

/// Builds the fake libraries; returns their directory.
fn libraries() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "fake-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&directory).unwrap();
    for (source, library) in [("cuda.c", "libcuda.so.1"), ("nvrtc.c", "libnvrtc.so.13")] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/fake").join(source);
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-w", "-o"]).arg(directory.join(library)).arg(source);
        assert!(command.status().unwrap().success());
    }
    directory
}

/// Runs the test `name` of this file in a process that finds the libraries in `directory`.
fn child(name: &str, directory: &Path, major: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", &format!("cuda::{name}")])
        .env("LD_LIBRARY_PATH", directory)
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .env("FAKE_CUDA_LOG", directory.join("log"))
        .env("FAKE_CUDA_MAJOR", major)
        .env("FAKE_CUDA_MEMORY", "1000000")
        .output()
        .unwrap()
}

#[test]
#[ignore = "runs in a process with the fake driver"]
fn three_steps() {
    let device = Device::cuda(0).unwrap();
    let layer = layer([4, 16, 32], [8, 8], [3, 2, 1], Precision::Bf16);
    for step in 0..3 {
        let values = device.upload(&vec![step as f32; 32 * 16 * 9]).unwrap();
        assert_eq!(device.download(&values, 2).unwrap(), [step as f32; 2]);
        let weight = layer.pack(&device, &values).unwrap();
        let x = device.buffer(layer.input.bytes()).unwrap();
        let y = device.buffer(layer.output.bytes()).unwrap();
        layer.convolve(&device, &x, Reading::Plain, &weight, &y, true).unwrap();
        device.download(&y, 1).unwrap();
    }
}

#[test]
#[ignore = "runs in a process with the fake driver"]
fn timed_steps() {
    let device = Device::cuda(0).unwrap();
    let layer = layer([4, 16, 32], [8, 8], [3, 2, 1], Precision::Bf16);
    let [x, y] = [layer.input, layer.output].map(|of| device.buffer(of.bytes()).unwrap());
    device.start_timing().unwrap();
    for _ in 0..3 {
        let weight = layer.pack(&device, &x).unwrap();
        layer.convolve(&device, &x, Reading::Plain, &weight, &y, false).unwrap();
        layer.convolve(&device, &x, Reading::Plain, &weight, &y, false).unwrap();
        device.download(&y, 1).unwrap();
    }
    // The fake driver measures a quarter of a millisecond each time.
    let time = |kernel, launches| KernelTime { kernel, launches, milliseconds: 0.25 * launches as f64 };
    assert_eq!(device.take_times().unwrap(), [time("convolution", 6), time("pack_weight", 3)]);
    layer.pack(&device, &x).unwrap();
    assert_eq!(device.take_times().unwrap(), []);
}

#[test]
#[ignore = "runs in a process with the fake driver"]
fn little_memory() {
    let device = Device::cuda(0).unwrap();
    drop(device.buffer(600_000).unwrap());
    let kept = device.buffer(700_000).unwrap();
    let error = device.buffer(600_000).err().unwrap().to_string();
    assert!(error.contains("cuMemAlloc failed"), "{error}");
    drop(kept);
    device.buffer(600_000).unwrap();
}

#[test]
#[ignore = "runs in a process with the fake driver"]
#[allow(clippy::print_stdout)]
fn no_device() {
    println!("{}", Device::cuda(3).err().unwrap());
    println!("{}", Device::cuda(0).err().unwrap());
}

#[test]
fn kernels_run_one_by_one_then_as_a_graph() {
    let directory = libraries();
    let output = child("three_steps", &directory, "9");
    assert!(output.status.success(), "{output:?}");
    let log = std::fs::read_to_string(directory.join("log")).unwrap();
    let calls: Vec<_> =
        log.lines().filter(|call| !call.starts_with("allocate") && !call.contains("pin ")).collect();
    let copies = ["upload 18432", "download 8", "synchronize"];
    let launches = [
        "launch pack_weight 18 1 1, 256 threads, 0 bytes",
        "launch convolution 1 1 1, 128 threads, 29376 bytes",
    ];
    let result = ["download 4", "synchronize"];
    let first = [&copies[..], &["load pack_weight", "load convolution"], &launches, &result].concat();
    let second = [
        &copies[..],
        &["begin capture"],
        &launches,
        &["end capture", "instantiate", "launch graph"],
        &result,
    ]
    .concat();
    let third = [&copies[..], &["launch graph"], &result].concat();
    let steps = [first, second, third].concat();
    assert_eq!(calls[..steps.len()], steps[..], "{log}");
    // Everything is released, the context last.
    let count = |call: &str| log.lines().filter(|line| line.starts_with(call)).count();
    assert_eq!(count("free"), count("allocate"));
    assert_eq!(count("unpin"), count("pin"));
    assert_eq!(count("destroy graph"), 1);
    assert_eq!(log.lines().last(), Some("release"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn timed_kernels_are_not_graphs() {
    let directory = libraries();
    let output = child("timed_steps", &directory, "9");
    assert!(output.status.success(), "{output:?}");
    let log = std::fs::read_to_string(directory.join("log")).unwrap();
    assert!(!log.contains("graph"), "{log}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn unused_memory_is_returned_before_memory_runs_out() {
    let directory = libraries();
    let output = child("little_memory", &directory, "9");
    assert!(output.status.success(), "{output:?}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn missing_and_old_devices_are_reported() {
    let directory = libraries();
    let output = child("no_device", &directory, "7");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("no CUDA device 3: the driver reports 1\n"), "{text}");
    assert!(
        text.contains("Fake GPU has compute capability 7.0; the kernels need 8.0 (Ampere) or later"),
        "{text}"
    );
    std::fs::remove_file(directory.join("libnvrtc.so.13")).unwrap();
    let output = child("no_device", &directory, "8");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("no NVRTC for this driver"), "{text}");
    std::fs::remove_file(directory.join("libcuda.so.1")).unwrap();
    let output = child("no_device", &directory, "8");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("no NVIDIA driver: libcuda was not found"), "{text}");
    std::fs::remove_dir_all(directory).unwrap();
}
