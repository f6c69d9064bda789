use crate::{Result, Source, idx};

macro_rules! file {
    ($name:literal) => {
        idx::File::embedded(
            concat!("fashion-mnist-lt/", $name),
            include_bytes!(concat!("../embedded/", $name)),
        )
    };
}

/// The data set embedded in this crate: long-tailed [Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist)
/// (Xiao, Rasul and Vollgraf 2017, MIT licence), 28x28 grey, 1,000 to 10 training images per class (exponential profile
/// of ratio 100) and 200 test images per class.
///
/// ```
/// let source = nc_data::fashion_mnist_lt()?;
/// assert_eq!(source.train.class_counts(), [1000, 599, 359, 215, 129, 77, 46, 27, 16, 10]);
/// assert_eq!(source.test.class_counts(), [200; 10]);
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`idx::read_dir`]; none in practice, as the crate's tests read the embedded files.
pub fn fashion_mnist_lt() -> Result<Source> {
    idx::source(
        "fashion-mnist-lt".into(),
        &[
            file!("train-images-idx3-ubyte.gz"),
            file!("train-labels-idx1-ubyte.gz"),
            file!("t10k-images-idx3-ubyte.gz"),
            file!("t10k-labels-idx1-ubyte.gz"),
        ],
        Some(idx::FASHION_MNIST_CLASSES.map(str::to_owned).into()),
    )
}
