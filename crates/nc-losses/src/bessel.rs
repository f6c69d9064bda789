//! Modified Bessel functions of the first kind, differentiable.

use candle_core::Tensor;

use crate::Result;

/// g(x) = log( I_nu(x) / x^nu ) for nu >= -1/2, elementwise from x^2 in `f64`.
///
/// A function of x^2, g and its gradient are smooth at x = 0. For large mu the uniform asymptotic expansion gives, with
/// s = sqrt(mu^2 + x^2) and t = mu / s,
///
/// ```text
/// log( I_mu(x) / x^mu ) = s - mu log(mu + s) - 1/2 log(2 pi s) + log(1 + u_1(t)/mu + u_2(t)/mu^2 + u_3(t)/mu^3 + ..)
/// ```
///
/// A small nu is raised to mu = nu + n by the recurrence I_{m-1} = (2m/x) I_m + I_{m+1}, which in the ratios
/// q_m = I_m / (x I_{m-1}) reads q_m = 1 / (2m + x^2 q_{m+1}).
///
/// # Source
///
/// NIST Digital Library of Mathematical Functions, 10.41(ii) and 10.29(i).
pub(crate) fn log_scaled_bessel(nu: f64, squared: &Tensor) -> Result<Tensor> {
    /// From this order on, the error of the expansion is below 1e-7.
    const SUFFICIENT: f64 = 16.0;
    let raised = (SUFFICIENT - nu).ceil().max(0.0) as usize;
    let mu = nu + raised as f64;
    let mut log = expansion(mu, squared)?;
    if raised > 0 {
        let mut ratio = (expansion(mu + 1.0, squared)? - &log)?.exp()?;
        for step in (0..raised).rev() {
            let order = nu + (step + 1) as f64;
            ratio = ((squared * ratio)? + 2.0 * order)?.recip()?;
            log = (log - ratio.log()?)?;
        }
    }
    Ok(log)
}

/// The uniform asymptotic expansion of log( I_mu(x) / x^mu ), mu > 0.
fn expansion(mu: f64, squared: &Tensor) -> Result<Tensor> {
    let s = (squared + mu * mu)?.sqrt()?;
    let w = s.recip()?; // t / mu
    let t2 = (w.sqr()? * (mu * mu))?;
    // Horner's scheme in t^2.
    let polynomial = |coefficients: &[f64]| -> Result<Tensor> {
        let mut value = t2.zeros_like()?;
        for coefficient in coefficients.iter().rev() {
            value = ((value * &t2)? + *coefficient)?;
        }
        Ok(value)
    };
    let u1 = polynomial(&[3.0 / 24.0, -5.0 / 24.0])?;
    let u2 = polynomial(&[81.0 / 1152.0, -462.0 / 1152.0, 385.0 / 1152.0])?;
    let u3 = polynomial(&[
        30_375.0 / 414_720.0,
        -369_603.0 / 414_720.0,
        765_765.0 / 414_720.0,
        -425_425.0 / 414_720.0,
    ])?;
    let correction = (((((((u3 * &w)? + u2)? * &w)? + u1)? * &w)? + 1.0)?).log()?;
    let half_log = ((&s * std::f64::consts::TAU)?.log()? * 0.5)?;
    let main = (&s - ((&s + mu)?.log()? * mu)?)?;
    Ok(((main - half_log)? + correction)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::log_scaled_bessel;
    use crate::Result;

    /// I_{-1/2}(x) = sqrt(2 / (pi x)) cosh x and I_{1/2}(x) = sqrt(2 / (pi x)) sinh x.
    #[test]
    fn half_orders_match_the_hyperbolic_functions() -> Result<()> {
        let constant = std::f64::consts::FRAC_2_PI.sqrt().ln();
        for x in [1e-3f64, 0.1, 1.0, 5.0, 30.0, 300.0] {
            let squared = Tensor::new(&[x * x], &Device::Cpu)?;
            let value = |nu| -> Result<f64> { Ok(log_scaled_bessel(nu, &squared)?.to_vec1::<f64>()?[0]) };
            let cosh = x + (-2.0 * x).exp().ln_1p() - 2f64.ln();
            let sinh_by_x = x + (-(-2.0 * x).exp_m1() / 2.0 / x).ln();
            assert!((value(-0.5)? - cosh - constant).abs() < 1e-7, "{x}");
            assert!((value(0.5)? - sinh_by_x - constant).abs() < 1e-7, "{x}");
        }
        Ok(())
    }
}
