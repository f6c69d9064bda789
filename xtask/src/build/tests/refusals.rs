use super::machine::*;

#[path = "../../../../tests/snapshot.rs"]
mod snapshot;

/// `UPDATE_SNAPSHOTS=1` rewrites the snapshot.
#[test]
fn error_messages_match_the_snapshot() {
    let nvcc = |version| linux().nvcc("/usr/bin/nvcc", version).gpus("8.0\n");
    let clang =
        "clang++: No such file or directory\nnvcc fatal   : Failed to preprocess host compiler properties.\n";
    let clang = with_cuda().var("NVCC_CCBIN", "clang++").failing_tool(NVCC, CLANG_TRIAL, clang);
    let mut text = String::new();
    for (accelerators, machine_with, machine) in [
        ("--metal", "Linux", &linux()),
        ("--accelerate", "Linux", &linux()),
        ("--cuda", "macOS", &mac()),
        ("--mkl", "macOS", &mac()),
        ("--cuda --metal", "macOS", &mac()),
        ("--mkl --accelerate", "macOS", &mac()),
        ("--cuda", "no nvcc", &linux()),
        ("--cuda", "an invalid NVCC", &with_cuda().var("NVCC", "/usr/local/cuda/bin/nvc")),
        ("--cuda", "an nvcc without version", &linux().tool("/usr/bin/nvcc", "--version", "hello")),
        ("--cuda", "CUDARC_CUDA_VERSION=12.4", &with_cuda().var("CUDARC_CUDA_VERSION", "12.4")),
        ("--cuda", "CUDARC_CUDA_VERSION=12041", &with_cuda().var("CUDARC_CUDA_VERSION", "12041")),
        ("--cuda", "CUDARC_CUDA_VERSION=10020", &with_cuda().var("CUDARC_CUDA_VERSION", "10020")),
        ("--cuda", "CUDA 13.5", &nvcc("13.5")),
        ("--cuda", "CUDA 12.7", &nvcc("12.7")),
        ("--cuda", "CUDA 11.3", &nvcc("11.3")),
        ("--cuda", "CUDA 10.2", &nvcc("10.2")),
        ("--cuda", "no GPU", &linux().nvcc("/usr/bin/nvcc", "12.4")),
        ("--cuda --compute-cap new", "CUDA 12.4", &with_cuda()),
        ("--cuda --compute-cap 70", "CUDA 12.4", &with_cuda()),
        ("--compute-cap 80", "CUDA 12.4", &with_cuda()),
        ("--cuda", "a GCC too new", &newer_gcc()),
        ("--cuda", "two GCCs too new", &newer_gcc().file("/usr/bin/g++-12")),
        ("--cuda", "an invalid NVCC_CCBIN", &clang),
        ("--cuda", "libraries missing", &without_libraries()),
        ("--cudnn", "no cuDNN", &with_cuda().var("CUDNN_PATH", "/own")),
        ("--cudnn", "only the header of cuDNN", &with_cuda().file("/usr/include/cudnn.h")),
    ] {
        let error = flags(accelerators).plan(machine).err();
        let error = error.unwrap_or_else(|| panic!("{accelerators} on {machine_with}: expected an error"));
        text = format!("{text}{accelerators} on a machine with {machine_with}\n    {error}\n");
    }
    snapshot::assert_kept("src/build/tests/refusals.txt", &text);
}
