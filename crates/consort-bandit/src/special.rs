//! The few special functions the policies need, with the same bits on every platform.

const FRAC_1_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// Distribution function of the standard normal.
#[inline]
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Density of the standard normal.
#[inline]
pub(crate) fn normal_pdf(z: f64) -> f64 {
    FRAC_1_SQRT_2PI * libm::exp(-0.5 * z * z)
}

#[inline]
pub(crate) fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// Ten-point Gauss-Legendre rule on [-1, 1]: (node, weight) of the positive half.
pub(crate) const GAUSS_10: [(f64, f64); 5] = [
    (0.148_874_338_981_631_22, 0.295_524_224_714_752_87),
    (0.433_395_394_129_247_2, 0.269_266_719_309_996_35),
    (0.679_409_568_299_024_4, 0.219_086_362_515_982_04),
    (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
    (0.973_906_528_517_171_7, 0.066_671_344_308_688_14),
];

/// ln of the density of Beta(a, b) at `z`.
pub(crate) fn beta_ln_density(a: f64, b: f64, z: f64) -> f64 {
    if z <= 0.0 || z >= 1.0 {
        return f64::NEG_INFINITY;
    }
    (a - 1.0) * ln(z) + (b - 1.0) * libm::log1p(-z) - ln_beta(a, b)
}

fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// Distribution function of Beta(a, b), by the continued fraction of the incomplete beta
/// function (Lentz's method), accurate to about 1e-10.
pub(crate) fn beta_cdf(a: f64, b: f64, z: f64) -> f64 {
    if z <= 0.0 {
        return 0.0;
    }
    if z >= 1.0 {
        return 1.0;
    }
    let front = libm::exp(a * ln(z) + b * libm::log1p(-z) - ln_beta(a, b));
    // The fraction converges fast on this side of the mean only.
    if z < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, z) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - z) / b
    }
}

fn beta_fraction(a: f64, b: f64, z: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * z / (a + 1.0));
    let mut fraction = d;
    for step in 1..500 {
        let m = f64::from(step);
        let even = m * (b - m) * z / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * z / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-12 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incomplete_beta_function_meets_its_closed_forms() {
        for z in [0.01, 0.3, 0.5, 0.9, 0.999] {
            assert!((beta_cdf(1.0, 1.0, z) - z).abs() < 1e-12);
            assert!((beta_cdf(3.0, 1.0, z) - z * z * z).abs() < 1e-12);
            let mirrored = 1.0 - beta_cdf(7.5, 2.5, 1.0 - z);
            assert!((beta_cdf(2.5, 7.5, z) - mirrored).abs() < 1e-10);
        }
        assert!((beta_cdf(5000.0, 5000.0, 0.5) - 0.5).abs() < 1e-9);
        assert_eq!((beta_cdf(2.0, 2.0, 0.0), beta_cdf(2.0, 2.0, 1.0)), (0.0, 1.0));
    }

    #[test]
    fn the_normal_distribution_is_where_tables_say() {
        assert!((normal_cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-12);
        assert!((normal_pdf(0.0) - 0.398_942_280_401_432_7).abs() < 1e-15);
    }
}
