use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::limits::COSINE_LIMIT;

/// Angle of each cosine after clamping, with gradient 0 where the clamp is active.
///
/// Candle has no arc cosine; these few values are computed on the CPU.
pub(super) fn arc_cosine(cosines: &Tensor) -> Result<Tensor> {
    let on_host = cosines.to_device(&candle_core::Device::Cpu)?;
    on_host.apply_op1(ArcCosine)?.to_device(cosines.device())
}

/// d angle / d cosine, 0 where the clamp is active.
pub(super) fn slope(cosine: f64) -> f64 {
    if cosine.abs() >= COSINE_LIMIT { 0.0 } else { -1.0 / (1.0 - cosine * cosine).sqrt() }
}

/// Angle of a clamped cosine.
pub(super) fn angle(cosine: f64) -> f64 {
    cosine.clamp(-COSINE_LIMIT, COSINE_LIMIT).acos()
}

struct ArcCosine;

impl CustomOp1 for ArcCosine {
    fn name(&self) -> &'static str {
        "arc-cosine"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((map(storage, layout, angle)?, layout.shape().clone()))
    }

    fn bwd(&self, cosines: &Tensor, _angles: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((cosines.detach().apply_op1_no_bwd(&Slope)? * gradient)?))
    }
}

struct Slope;

impl CustomOp1 for Slope {
    fn name(&self) -> &'static str {
        "arc-cosine-slope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((map(storage, layout, slope)?, layout.shape().clone()))
    }
}

fn map(storage: &CpuStorage, layout: &Layout, f: impl Fn(f64) -> f64) -> Result<CpuStorage> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("arc-cosine: expected contiguous cosines, found strides {:?}", layout.stride());
    };
    match storage {
        CpuStorage::F32(x) => {
            Ok(CpuStorage::F32(x[start..end].iter().map(|&x| f(x.into()) as f32).collect()))
        }
        CpuStorage::F64(x) => Ok(CpuStorage::F64(x[start..end].iter().map(|&x| f(x)).collect())),
        _ => bail!("arc-cosine: expected f32 or f64"),
    }
}
