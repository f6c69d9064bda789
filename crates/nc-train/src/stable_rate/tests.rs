use super::*;

const SGD: SgdConfig =
    SgdConfig { learning_rate: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.0, clip_norm: None };

/// Features (3, 0) and (0, 4), half each: E[(h, 1) (h, 1)^T] = [[4.5, 0, 1.5], [0, 8, 2], [1.5, 2, 1]].
#[test]
fn the_largest_eigenvalue_satisfies_the_characteristic_equation() {
    let x = largest_eigenvalue(&[3.0, 0.0, 0.0, 4.0], &[0.5, 0.5]);
    let determinant = (4.5 - x) * ((8.0 - x) * (1.0 - x) - 4.0) - 1.5 * 1.5 * (8.0 - x);
    assert!(x > 8.0 && determinant.abs() < 1e-3, "{x}: {determinant}");
    // Of the bias alone.
    assert!((largest_eigenvalue(&[0.0, 0.0], &[1.0]) - 1.0).abs() < 1e-12);
}

#[test]
fn moments_are_weighted_and_the_largest_counts() {
    assert_eq!(largest_moment(&[1.0, -3.0, 2.0, 1.0], &[0.75, 0.25]), 7.0);
}

/// SGD on x^2 L / 2 from 1, just below and just above the limit.
#[test]
fn sgd_converges_below_the_limit_only() {
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true), (0.5, true)] {
        let sgd = SgdConfig { momentum, nesterov, ..SGD };
        let curvature = 50.0;
        let after = |learning_rate: f64| {
            let (mut x, mut velocity) = (1f64, 0.0);
            for _ in 0..5000 {
                let gradient = curvature * x;
                velocity = momentum * velocity + gradient;
                x -= learning_rate * if nesterov { gradient + momentum * velocity } else { velocity };
            }
            x.abs()
        };
        let limit = largest_stable(&sgd, curvature);
        assert!(after(0.98 * limit) < 1e-3, "{sgd:?}");
        assert!(after(1.02 * limit) > 1e3 || after(1.02 * limit).is_nan(), "{sgd:?}");
    }
}

#[test]
fn limits_are_rounded_down_to_two_digits() {
    for (limit, rounded) in
        [(0.013_189, 0.013), (0.1, 0.1), (0.099_99, 0.099), (12.7, 12.0), (3.4e-7, 3.4e-7)]
    {
        assert_eq!(rounded_down(limit), rounded);
    }
}
