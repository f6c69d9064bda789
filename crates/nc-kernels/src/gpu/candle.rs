use candle_core::{Device, Result};

/// Candle's own CUDA device `ordinal`, set up for training: freed memory stays in the driver's pool, which by default returns
/// it at every synchronisation, and buffers carry no events, which one stream does not need.
///
/// # Errors
///
/// Those of Candle and of the driver; without the feature `cuda`, always.
#[cfg(feature = "cuda")]
pub fn candle_cuda(ordinal: usize) -> Result<Device> {
    use candle_core::cuda_backend::cudarc::driver::{result, sys};

    let device = Device::new_cuda_with_stream(ordinal)?;
    let cuda = device.as_cuda_device()?;
    let mut keep = u64::MAX;
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: no tensor exists yet, and all use the device's one stream; the device is valid, and the attribute is a u64.
    unsafe {
        cuda.disable_event_tracking();
        result::device::get_default_mem_pool(cuda.cuda_stream().context().cu_device())
            .and_then(|pool| result::mem_pool::set_attribute(pool, attribute, (&raw mut keep).cast()))
            .map_err(candle_core::Error::wrap)?;
    }
    Ok(device)
}

/// Lets the matrix products of Candle's CUDA, in all of the process, round f32 to TF32, or not.
pub(crate) fn set_candle_tf32(allowed: bool) {
    #[cfg(feature = "cuda")]
    candle_core::cuda_backend::set_gemm_reduced_precision_f32(allowed);
    #[cfg(not(feature = "cuda"))]
    let _ = allowed;
}

/// Candle's own CUDA device: an error without the feature `cuda`.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "cuda"))]
pub fn candle_cuda(ordinal: usize) -> Result<Device> {
    Device::new_cuda(ordinal)
}
