use std::path::Path;

use super::machine::*;

#[test]
fn a_cuda_build() {
    assert_eq!(
        plan("--cuda", &with_cuda()),
        "# CUDA 12.4: /usr/local/cuda/bin/nvcc\n\
         # compute capability 80, the least of this machine's GPUs\n\
         PATH=/usr/local/cuda/bin:/usr/bin:/bin \\\n\
         NVCC=/usr/local/cuda/bin/nvcc \\\n\
         CUDA_HOME=/usr/local/cuda \\\n\
         CUDA_COMPUTE_CAP=80 \\\n\
         cargo build --package nc-cli --features cuda\n"
    );
    assert_eq!(flags("--cuda").plan(&with_cuda()).unwrap().device(), Some("cuda"));
}

#[test]
fn nvcc_is_sought_in_the_order_of_the_build_script() {
    let mut machine = with_cuda().nvcc("/usr/bin/nvcc", "12.6").nvcc("/opt/cuda/bin/nvcc", "12.6");
    let found = |machine: &Fake| {
        let text = plan("--cuda", machine);
        text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    machine = machine.nvcc("/home/bin/nvcc", "12.6").nvcc("/path/bin/nvcc", "12.6").nvcc("/own/nvcc", "12.6");
    machine = machine.var("CUDA_HOME", "/home").var("CUDA_PATH", "/path").var("NVCC", "/own/nvcc");
    for expected in [
        "/own/nvcc",
        "/usr/bin/nvcc",
        "/home/bin/nvcc",
        "/path/bin/nvcc",
        "/usr/local/cuda/bin/nvcc",
        "/opt/cuda/bin/nvcc",
    ] {
        assert_eq!(found(&machine), expected);
        machine.files.remove(Path::new(expected));
        // One that is named must be there.
        machine.vars.remove("NVCC");
    }
}

#[test]
fn what_the_environment_names_must_be_there() {
    let machine = with_cuda().var("NVCC", "/usr/local/cuda/bin/nvc");
    assert_eq!(
        refusal("--cuda", &machine),
        "NVCC=/usr/local/cuda/bin/nvc: there is no such file; name an nvcc, or unset it"
    );
    for wrong in ["12.4", "12041", "10020"] {
        assert_eq!(
            refusal("--cuda", &with_cuda().var("CUDARC_CUDA_VERSION", wrong)),
            format!(
                "CUDARC_CUDA_VERSION={wrong}: expected a version that cudarc has bindings for, as 13040 for 13.4"
            )
        );
    }
    plan("--cuda", &with_cuda().var("CUDARC_CUDA_VERSION", "12040"));
}

#[test]
fn a_missing_compiler_is_told_with_what_to_do() {
    assert_eq!(
        refusal("--cuda", &linux()),
        "no CUDA compiler: nvcc is not on PATH, nor where NVCC, CUDA_HOME or CUDA_PATH say, nor in /usr/local/cuda/bin, \
         /opt/cuda/bin, /usr/lib/cuda/bin, /usr/bin; install a CUDA toolkit up to 13.4 \
         (https://developer.nvidia.com/cuda-toolkit-archive), or set NVCC to its nvcc"
    );
    let silent = linux().tool("/usr/bin/nvcc", "--version", "hello");
    assert_eq!(
        refusal("--cuda", &silent),
        "/usr/bin/nvcc --version does not say a version; is it NVIDIA's compiler?"
    );
}

#[test]
fn versions_without_bindings_are_refused() {
    let with = |version| linux().nvcc("/usr/bin/nvcc", version).gpus("8.0\n");
    assert_eq!(
        refusal("--cuda", &with("13.5")),
        "CUDA 13.5 is newer than the bindings that Candle uses, which end at 13.4: set CUDARC_CUDA_VERSION=13040 to build \
         against those of 13.4, or install 13.4 (https://developer.nvidia.com/cuda-toolkit-archive)"
    );
    plan("--cuda", &with("13.5").var("CUDARC_CUDA_VERSION", "13040"));
    for version in ["12.7", "11.3", "10.2"] {
        assert!(
            refusal("--cuda", &with(version))
                .starts_with(&format!("CUDA {version} is not among the versions"))
        );
    }
    for version in ["12.0", "12.9", "13.4"] {
        plan("--cuda", &with(version));
    }
}

#[test]
fn the_compute_capability_is_told_or_found() {
    let capability = |accelerators, machine: &Fake| {
        let text = plan(accelerators, machine);
        text.lines()
            .find_map(|line| line.strip_prefix("CUDA_COMPUTE_CAP="))
            .unwrap()
            .trim_end_matches(" \\")
            .to_owned()
    };
    let machine = with_cuda();
    assert_eq!(capability("--cuda", &machine), "80");
    // Numbers, not words: 100 is above 90.
    assert_eq!(capability("--cuda", &linux().nvcc("/usr/bin/nvcc", "13.0").gpus("10.0\n9.0\n")), "90");
    assert_eq!(capability("--cuda", &machine.clone().var("CUDA_COMPUTE_CAP", "8.6")), "86");
    assert_eq!(capability("--cuda --compute-cap 90a", &machine.clone().var("CUDA_COMPUTE_CAP", "86")), "90a");
    assert_eq!(capability("--cuda --compute-cap=7.5", &machine), "75");

    assert!(!plan("--cuda", &machine).contains("will not run on"));
    assert!(
        plan("--cuda --compute-cap 90", &machine).contains("# compiled for 90, the program will not run on")
    );

    let no_gpu = linux().nvcc("/usr/bin/nvcc", "12.4");
    assert_eq!(
        refusal("--cuda", &no_gpu),
        "no GPU to build for: nvidia-smi lists none; say its compute capability with --compute-cap, as in --compute-cap 80 \
         (https://developer.nvidia.com/cuda-gpus)"
    );
    assert_eq!(
        refusal("--cuda --compute-cap new", &machine),
        "--compute-cap new: it is a number as 80 or 8.0, see https://developer.nvidia.com/cuda-gpus"
    );
    assert_eq!(
        refusal("--cuda --compute-cap 70", &machine),
        "CUDA 12.4 does not compile for compute capability 70, only for 75, 80, 86, 90, 90a, 100; for an older GPU install \
         an older toolkit (https://developer.nvidia.com/cuda-toolkit-archive)"
    );
    assert_eq!(refusal("--compute-cap 80", &machine), "--compute-cap is for --cuda or --cudnn");
}

#[test]
fn a_host_compiler_that_nvcc_refuses_is_replaced_or_told() {
    const NVCC: &str = "/usr/local/cuda/bin/nvcc";
    let refusal_of_gcc = "host_config.h:132:2: error: #error -- unsupported GNU version! gcc versions later than 11 are not \
                          supported! The nvcc flag '-allow-unsupported-compiler' can be used\n  132 | #error";
    let old = with_cuda().failing_tool(NVCC, TRIAL, refusal_of_gcc);
    let expected = "no C++ compiler that nvcc takes (unsupported GNU version! gcc versions later than 11 are not supported!): \
                    install one, such as g++-11 for CUDA 11 or g++-12 for later ones, or set NVCC_CCBIN to one";
    assert_eq!(refusal("--cuda", &old), expected);
    // One that it refuses too, and one that it takes.
    let old = old.file("/usr/bin/g++-12");
    assert_eq!(refusal("--cuda", &old), expected);
    let both = old.clone().tool("/usr/bin/g++-11", "", "").tool(
        NVCC,
        &format!("-ccbin /usr/bin/g++-11 {TRIAL}"),
        "",
    );
    let text = plan("--cuda", &both);
    assert!(
        text.contains(
            "\n# host compiler /usr/bin/g++-11, since nvcc refuses the ordinary one: unsupported GNU"
        )
    );
    assert!(text.contains("\nNVCC_CCBIN=/usr/bin/g++-11 \\\n"));

    let named = both.var("NVCC_CCBIN", "clang++");
    let trial = format!("-allow-unsupported-compiler -ccbin clang++ {TRIAL}");
    assert!(!plan("--cuda", &named.clone().tool(NVCC, &trial, "")).contains("NVCC_CCBIN"));
    let error =
        "clang++: No such file or directory\nnvcc fatal   : Failed to preprocess host compiler properties.\n";
    assert_eq!(
        refusal("--cuda", &named.failing_tool(NVCC, &trial, error)),
        "nvcc cannot use NVCC_CCBIN=clang++ (nvcc fatal   : Failed to preprocess host compiler properties.): name a C++ \
         compiler that it takes"
    );
}

#[test]
fn libraries_are_sought_where_the_linker_will() {
    let mut machine = with_cuda().var("LIBRARY_PATH", "/elsewhere:/own");
    for name in ["cuda", "curand"] {
        machine.files.remove(Path::new(&format!("/usr/lib/x86_64-linux-gnu/lib{name}.so")));
    }
    assert_eq!(
        refusal("--cuda", &machine),
        "the linker would not find libcuda.so, libcurand.so, neither below /usr/local/cuda nor in LIBRARY_PATH: install \
         them with the whole toolkit (libcudnn with cuDNN), or name their directory in LIBRARY_PATH"
    );
    // Without a driver there is the toolkit's stub.
    plan("--cuda", &machine.file("/usr/local/cuda/lib64/stubs/libcuda.so").file("/own/libcurand.so"));
}

#[test]
fn cudnn_is_asked_for_where_it_is() {
    let machine = with_cuda().var("CUDNN_PATH", "/own");
    assert_eq!(
        refusal("--cudnn", &machine),
        "no cuDNN: cudnn.h is not below /usr/local/cuda, /usr/local or /usr, nor where CUDNN_PATH says; install it \
         (https://developer.nvidia.com/cudnn), or build with --cuda, which does without"
    );
    for header in [
        "/usr/include/cudnn.h",
        "/usr/include/x86_64-linux-gnu/cudnn.h",
        "/usr/local/cuda/include/cudnn.h",
        "/own/include/cudnn.h",
    ] {
        let machine = machine.clone().file(header);
        let error = refusal("--cudnn", &machine);
        assert!(error.starts_with("the linker would not find libcudnn.so, neither"), "{header}: {error}");
        let text = plan("--cudnn", &machine.file("/usr/lib/libcudnn.so"));
        assert!(text.ends_with("cargo build --package nc-cli --features cudnn\n"), "{text}");
        assert_eq!(text.contains("CUDNN_LIB=/own"), header.starts_with("/own"), "{text}");
    }
    plan("--cudnn", &machine.file("/own/include/cudnn.h").file("/own/lib/libcudnn.so"));
}
