use super::machine::*;
use crate::build::Accelerators;

#[test]
fn a_cpu_build_has_no_prerequisites() {
    assert_eq!(plan("", &Fake::default()), "cargo build --package nc-cli\n");
}

#[test]
fn accelerators_depend_on_the_platform() {
    let mac = mac();
    assert_eq!(
        plan("--metal --accelerate", &mac),
        "cargo build --package nc-cli --features metal,accelerate\n"
    );
    assert_eq!(flags("--metal").plan(&mac).unwrap().device(), Some("metal"));
    assert!(plan("--mkl", &linux()).ends_with("--features mkl\n"));
}

#[test]
fn accelerator_flags_are_split_from_those_of_train() {
    let args = ["--preset", "cifar10", "--cuda", "--compute-cap", "80", "--epochs", "3"];
    let (taken, rest) = Accelerators::take(args.map(Into::into).into()).unwrap();
    assert!(taken.cuda && !taken.cudnn && taken.compute_cap.as_deref() == Some("80"));
    assert_eq!(rest, ["--preset", "cifar10", "--epochs", "3"]);
    assert!(Accelerators::take(vec!["--compute-cap".into()]).is_err());
}

/// The tables in this module copy the build scripts of these versions.
#[test]
fn build_scripts_are_the_known_versions() {
    let lock = include_str!("../../../../Cargo.lock").replace("\r\n", "\n");
    for (name, version) in [("cudarc", "0.19.10"), ("cudaforge", "0.1.6"), ("intel-mkl-src", "0.8.1")] {
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{name} is no longer {version}: review its build script");
    }
}

#[test]
fn paths_are_quoted_for_the_shell() {
    let machine = linux().nvcc("/it's mine/bin/nvcc", "12.4").gpus("8.0\n").var("CUDA_HOME", "/it's mine");
    assert!(plan("--cuda", &machine).contains("\nNVCC='/it'\\''s mine/bin/nvcc' \\\n"));
}
