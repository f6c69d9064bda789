use super::machine::*;
use crate::build::Accelerators;

#[test]
fn nothing_asked_nothing_needed() {
    assert_eq!(plan("", &Fake::default()), "cargo build --package nc-cli\n");
}

#[test]
fn a_system_has_its_own_accelerators() {
    let mac = mac();
    assert_eq!(
        plan("--metal --accelerate", &mac),
        "cargo build --package nc-cli --features metal,accelerate\n"
    );
    assert_eq!(flags("--metal").plan(&mac).unwrap().device(), Some("metal"));
    assert!(plan("--mkl", &linux()).ends_with("--features mkl\n"));
}

#[test]
fn own_flags_are_taken_out_of_those_of_train() {
    let args = ["--preset", "cifar10", "--cuda", "--compute-cap", "80", "--epochs", "3"];
    let (taken, rest) = Accelerators::take(args.map(Into::into).into()).unwrap();
    assert!(taken.cuda && !taken.cudnn && taken.compute_cap.as_deref() == Some("80"));
    assert_eq!(rest, ["--preset", "cifar10", "--epochs", "3"]);
    assert!(Accelerators::take(vec!["--compute-cap".into()]).is_err());
}

/// What was read in their build scripts stands in tables here.
#[test]
fn crates_are_those_that_were_read() {
    let lock = include_str!("../../../../Cargo.lock").replace("\r\n", "\n");
    for (name, version) in [("cudarc", "0.19.10"), ("cudaforge", "0.1.6"), ("intel-mkl-src", "0.8.1")] {
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{name} is no longer {version}: read its build script again");
    }
}

#[test]
fn a_shell_reads_paths_as_they_are() {
    let machine = linux().nvcc("/it's mine/bin/nvcc", "12.4").gpus("8.0\n").var("CUDA_HOME", "/it's mine");
    assert!(plan("--cuda", &machine).contains("\nNVCC='/it'\\''s mine/bin/nvcc' \\\n"));
}
