//! Weights of eight configurations, pinned to the bit in `fixtures/weights`.

use std::{fmt::Write, fs, path::Path};

use sha2::{Digest, Sha256};

use crate::run::{fixtures, nclt, run_dir, stdout};

/// SHA-256 of a file of weights without its metadata, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let bytes = safetensors::serialize(tensors.tensors(), None).unwrap();
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Vector unit, and instruction set of nc-kernels (set by NC_KERNELS_ISA): the last bits of weights depend on both.
pub(crate) fn processor() -> String {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    let unit = if is_x86_feature_detected!("avx512f") {
        "avx512"
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        "avx2"
    } else {
        "older"
    };
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    let unit = "other";
    format!("{unit} {}", nc_kernels::instruction_set().unwrap())
}

/// The hash pinned for `name` on this processor, in a file of lines `NAME PROCESSOR KERNELS SHA-256`.
#[allow(clippy::print_stderr)]
pub(crate) fn pinned(file: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let prefix = format!("{name} {} ", processor());
    let found = text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned);
    assert!(found.is_some() || text.contains(&format!("\n{name} ")), "{name} is not in {}", file.display());
    if found.is_none() {
        eprintln!("no hash of {name} is pinned for \"{}\": nothing to compare", processor());
    }
    found
}

#[test]
fn weights_are_unchanged() {
    let fixtures = fixtures("weights");
    let mut configs: Vec<_> = fs::read_dir(&fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    configs.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    configs.sort();
    assert_eq!(configs.len(), 8);
    let mut changed = vec![];
    for config in configs {
        let name = config.file_stem().unwrap().to_str().unwrap();
        let dir = tempfile::tempdir().unwrap();
        stdout(&nclt(dir.path(), &["train", "--config", config.to_str().unwrap(), "--measure-every", "0"]));
        let found = sha256(&run_dir(dir.path()).join("weights.safetensors"));
        if pinned(&fixtures.join("pins.txt"), name).is_some_and(|pinned| pinned != found) {
            changed.push(format!("{name}: {found}"));
        }
    }
    assert!(changed.is_empty(), "weights changed on \"{}\":\n{}", processor(), changed.join("\n"));
}
