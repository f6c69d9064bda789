//! Independence of the results from the number of threads.

use std::process::Command;

use candle_core::{DType, Tensor, Var};
use nc_losses::{BetweenForm, Result, between_class, uniform_targets, within_class};

use crate::support::{gradient, labels, normal};

/// Prints digests of losses, gradients and targets. The test below runs it in separate processes, because the number of threads
/// is read from the environment.
#[test]
#[ignore = "a helper of the test below"]
#[allow(clippy::print_stdout)]
fn print_bits() -> Result<()> {
    let features = normal(1, 64, 300)?.to_dtype(DType::F32)?;
    let centers = Var::from_tensor(&normal(2, 400, 300)?.to_dtype(DType::F32)?)?;
    for loss in [
        between_class(&centers, BetweenForm::MeanMinAngle)?,
        between_class(&centers, BetweenForm::EtfGap)?,
        within_class(&features, &labels(3, 64, 400)?, &centers)?,
    ] {
        let digest = digest(&gradient(&loss, &centers)?)?;
        println!("bits {:08x} {digest:016x}", loss.to_scalar::<f32>()?.to_bits());
    }
    println!("bits {:016x}", digest(&uniform_targets(150, 100, 1)?)?);
    Ok(())
}

fn digest(tensor: &Tensor) -> Result<u64> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.iter().fold(0u64, |hash, x| {
        (hash ^ u64::from(x.to_bits())).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5)
    }))
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let bits = |threads: &str| {
        let program = std::env::current_exe().expect("the test runs from a file");
        let output = Command::new(program)
            .args(["--exact", "threads::print_bits", "--ignored", "--nocapture"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .expect("the test program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| line.starts_with("bits")).map(str::to_owned).collect::<Vec<_>>()
    };
    let single = bits("1");
    assert_eq!(single.len(), 4);
    assert_eq!(single, bits("2"));
    assert_eq!(single, bits("3"));
}
