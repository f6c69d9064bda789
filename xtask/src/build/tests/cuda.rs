use std::path::Path;

use super::machine::*;

#[test]
fn a_cuda_build() {
    assert_eq!(
        plan("--cuda", &with_cuda()),
        "# CUDA 12.4: /usr/local/cuda/bin/nvcc\n\
         # compute capability 80, the lowest among this machine's GPUs\n\
         PATH=/usr/local/cuda/bin:/usr/bin:/bin \\\n\
         NVCC=/usr/local/cuda/bin/nvcc \\\n\
         CUDA_HOME=/usr/local/cuda \\\n\
         CUDA_COMPUTE_CAP=80 \\\n\
         cargo build --package nc-cli --features cuda\n"
    );
    assert_eq!(flags("--cuda").plan(&with_cuda()).unwrap().device(), Some("candle-cuda"));
}

#[test]
fn nvcc_is_searched_in_the_order_of_the_build_script() {
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
        // NVCC must name an existing file.
        machine.vars.remove("NVCC");
    }
}

#[test]
fn versions_with_bindings_are_accepted() {
    let with = |version| linux().nvcc("/usr/bin/nvcc", version).gpus("8.0\n");
    for version in ["12.0", "12.9", "13.4"] {
        plan("--cuda", &with(version));
    }
    plan("--cuda", &with("13.5").var("CUDARC_CUDA_VERSION", "13040"));
    plan("--cuda", &with_cuda().var("CUDARC_CUDA_VERSION", "12040"));
}

#[test]
fn the_compute_capability_is_set_or_detected() {
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
    // Numeric order, not lexicographic: 100 is above 90.
    assert_eq!(capability("--cuda", &linux().nvcc("/usr/bin/nvcc", "13.0").gpus("10.0\n9.0\n")), "90");
    assert_eq!(capability("--cuda", &machine.clone().var("CUDA_COMPUTE_CAP", "8.6")), "86");
    assert_eq!(capability("--cuda --compute-cap 90a", &machine.clone().var("CUDA_COMPUTE_CAP", "86")), "90a");
    assert_eq!(capability("--cuda --compute-cap=7.5", &machine), "75");

    assert!(!plan("--cuda", &machine).contains("will not run on"));
    assert!(
        plan("--cuda --compute-cap 90", &machine).contains("# compiled for 90: the program will not run on")
    );
}

#[test]
fn a_host_compiler_that_nvcc_rejects_is_replaced() {
    // nvcc rejects g++-12 as well and accepts g++-11.
    let machine = newer_gcc().file("/usr/bin/g++-12").tool("/usr/bin/g++-11", "", "");
    let text = plan("--cuda", &machine.tool(NVCC, &format!("-ccbin /usr/bin/g++-11 {TRIAL}"), ""));
    assert!(text.contains("\n# host compiler /usr/bin/g++-11, because nvcc rejects the default one: "));
    assert!(text.contains("\nNVCC_CCBIN=/usr/bin/g++-11 \\\n"));
    let named = with_cuda().var("NVCC_CCBIN", "clang++").tool(NVCC, CLANG_TRIAL, "");
    assert!(!plan("--cuda", &named).contains("NVCC_CCBIN"));
}

#[test]
fn libraries_are_searched_where_the_linker_searches() {
    // Without a driver, libcuda is the stub of the toolkit.
    let machine = without_libraries().file("/usr/local/cuda/lib64/stubs/libcuda.so");
    plan("--cuda", &machine.file("/own/libcurand.so"));
}

#[test]
fn cudnn_is_found_in_its_install_locations() {
    let machine = with_cuda().var("CUDNN_PATH", "/own");
    for header in [
        "/usr/include/cudnn.h",
        "/usr/include/x86_64-linux-gnu/cudnn.h",
        "/usr/local/cuda/include/cudnn.h",
        "/own/include/cudnn.h",
    ] {
        let machine = machine.clone().file(header);
        assert!(flags("--cudnn").plan(&machine).is_err(), "{header} without library");
        let text = plan("--cudnn", &machine.file("/usr/lib/libcudnn.so"));
        assert!(text.ends_with("cargo build --package nc-cli --features cudnn\n"), "{text}");
        assert_eq!(text.contains("CUDNN_LIB=/own"), header.starts_with("/own"), "{text}");
    }
    plan("--cudnn", &machine.file("/own/include/cudnn.h").file("/own/lib/libcudnn.so"));
}
