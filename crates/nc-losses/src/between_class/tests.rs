//! Agreement of the two implementations of the angle forms.

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::limits::BLOCK;
use super::{BetweenForm, composed, fused};

const FORMS: [BetweenForm; 2] = [BetweenForm::MeanMinAngle, BetweenForm::GlobalMinAngle];

fn centers(classes: usize, dimensions: usize) -> Result<Var> {
    let mut rng = ChaCha8Rng::seed_from_u64((classes * dimensions) as u64);
    let values: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(classes * dimensions).collect();
    Var::from_vec(values, (classes, dimensions), &Device::Cpu)
}

fn worst_difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    (a - b)?.abs()?.flatten_all()?.max(0)?.to_dtype(DType::F64)?.to_scalar()
}

#[test]
fn fused_and_composed_agree() -> Result<()> {
    for (classes, dimensions) in [(2, 3), (3, 2), (7, 5), (BLOCK, 3), (2 * BLOCK + 1, 16)] {
        let centers = centers(classes, dimensions)?;
        for form in FORMS {
            let ours = fused::smallest_angles::<f64>(&centers, form)?;
            let theirs = composed::smallest_angles(&centers, form)?;
            assert!(worst_difference(&ours, &theirs)? < 1e-12, "{form:?} of {classes} classes");

            let (ours, theirs) = (ours.backward()?, theirs.backward()?);
            let (Some(ours), Some(theirs)) = (ours.get(&centers), theirs.get(&centers)) else {
                panic!("{form:?} of {classes} classes has no gradient");
            };
            assert!(worst_difference(ours, theirs)? < 1e-11, "gradient, {form:?} of {classes} classes");
        }
    }
    Ok(())
}

#[test]
fn composed_agrees_at_the_edge_cases() -> Result<()> {
    // The last row lies at the mean; the first two coincide.
    let rows = [[1f32, 0.0], [1.0, 0.0], [-2.0, 1.0], [0.0, -1.0], [0.0, 0.0]];
    for dtype in [DType::F32, DType::F64] {
        let centers = Var::from_tensor(&Tensor::new(&rows, &Device::Cpu)?.to_dtype(dtype)?)?;
        for form in FORMS {
            let ours = composed::smallest_angles(&centers, form)?;
            let reference = super::between_class(&centers, form).expect("valid centres");
            assert!(worst_difference(&ours, &reference)? < 1e-6);
            let (ours, reference) = (ours.backward()?, reference.backward()?);
            let (Some(ours), Some(reference)) = (ours.get(&centers), reference.get(&centers)) else {
                panic!("{form:?} has no gradient");
            };
            assert!(worst_difference(ours, reference)? < 1e-5);
        }
    }
    Ok(())
}

#[test]
fn nearest_neighbours_are_found_across_blocks() -> Result<()> {
    // Rows k and k + BLOCK share a direction, so each is the other's nearest neighbour.
    let half = centers(BLOCK, 64)?;
    let centers = Tensor::cat(&[half.as_tensor(), &(half.as_tensor() * 1.01)?], 0)?;
    let loss = fused::smallest_angles::<f64>(&centers, BetweenForm::MeanMinAngle)?.to_scalar::<f64>()?;
    assert!(loss > -0.02, "mean angle {}", -loss);
    Ok(())
}

#[cfg(feature = "serde")]
#[test]
fn forms_deserialize_from_kebab_case() {
    use serde::{Deserialize, de::IntoDeserializer, de::value::Error};
    let read =
        |name: &'static str| BetweenForm::deserialize(IntoDeserializer::<Error>::into_deserializer(name));
    assert_eq!(read("mean-min-angle"), Ok(BetweenForm::MeanMinAngle));
    assert_eq!(read("global-min-angle"), Ok(BetweenForm::GlobalMinAngle));
    assert_eq!(read("etf-gap"), Ok(BetweenForm::EtfGap));
}
