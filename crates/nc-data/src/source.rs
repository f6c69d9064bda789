use crate::{Dataset, Result, idx};

/// Training and test images of the same classes.
#[derive(Clone, Debug)]
pub struct Source {
    /// A name for people.
    pub name: String,
    /// The images to train on.
    pub train: Dataset,
    /// The images to test on.
    pub test: Dataset,
}

const FASHION: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The data inside this crate: Fashion-MNIST (Xiao et al. 2017, MIT licence) with 1,000 to 10 training images a class
/// (exponential profile of ratio 100) and 200 test images a class, 28x28 grey.
///
/// ```
/// let source = nc_data::fashion_mnist_lt()?;
/// assert_eq!(source.train.class_counts(), [1000, 599, 359, 215, 129, 77, 46, 27, 16, 10]);
/// assert_eq!(source.test.class_counts(), [200; 10]);
/// # Ok::<(), nc_data::Error>(())
/// ```
pub fn fashion_mnist_lt() -> Result<Source> {
    macro_rules! file {
        ($name:literal) => {
            idx::File::new(
                concat!("fashion-mnist-lt/", $name),
                include_bytes!(concat!("../embedded/", $name)).as_slice(),
            )
        };
    }
    let names: Vec<String> = FASHION.map(str::to_owned).into();
    let train = idx::dataset(
        &file!("train-images-idx3-ubyte.gz"),
        &file!("train-labels-idx1-ubyte.gz"),
        Some(names.clone()),
    )?;
    let test =
        idx::dataset(&file!("t10k-images-idx3-ubyte.gz"), &file!("t10k-labels-idx1-ubyte.gz"), Some(names))?;
    Ok(Source { name: "fashion-mnist-lt".into(), train, test })
}
