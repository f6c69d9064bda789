//! Opens the images that the data configuration names.

use std::path::Path;

use nc_data::{
    ImageFiles, ImageOptions, LoadProgress, Source, StreamOptions,
    cifar::{self, Cifar},
    folder, idx, list,
};

use crate::{
    Error, Result,
    config::{DataConfig, DataSource, Streaming},
};

/// How image files of folders and lists are read.
pub(crate) fn image_options(config: &DataConfig) -> ImageOptions {
    let upright = config.exif_orientation.unwrap_or(config.source == DataSource::ImageFolder);
    ImageOptions { size: config.image_size, exif_orientation: upright }
}

/// How image files of folders and lists are streamed, if they are.
pub(crate) fn stream_options(config: &DataConfig) -> Option<StreamOptions> {
    let Streaming { training, evaluation } = config.streaming.clone()?;
    let ImageOptions { size, exif_orientation } = image_options(config);
    Some(StreamOptions { size: size?, exif_orientation, training, evaluation })
}

/// Reads the images of `config.source`.
pub(crate) fn open_source(
    config: &DataConfig,
    data_dir: Option<&Path>,
    progress: &mut dyn LoadProgress,
) -> Result<Source> {
    let from_files = |name| data_dir.ok_or(Error::DataDirMissing { source_name: name });
    match config.source {
        DataSource::FashionMnistLt if data_dir.is_some() => {
            let message = "fashion-mnist-lt is built into the program; remove --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::HubCifar10 | DataSource::HubMnist | DataSource::HubFashionMnist if data_dir.is_some() => {
            let message = "hub data sets are stored under HF_HOME; remove --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::FashionMnistLt => Ok(nc_data::fashion_mnist_lt()?),
        DataSource::Idx => Ok(idx::read_dir(from_files("idx")?)?),
        DataSource::Cifar10 => Ok(cifar::read_dir(from_files("cifar10")?, Cifar::Ten)?),
        DataSource::Cifar100 => Ok(cifar::read_dir(from_files("cifar100")?, Cifar::Hundred)?),
        DataSource::ImageFolder | DataSource::ImageList => {
            let name = if config.source == DataSource::ImageList { "image-list" } else { "image-folder" };
            let files = own_images(from_files(name)?, config.source, config.skip.as_deref())?;
            read(files, config, progress)
        }
        #[cfg(feature = "hub")]
        DataSource::HubCifar10 => Ok(nc_data::hub::cifar10()?),
        #[cfg(feature = "hub")]
        DataSource::HubMnist => Ok(nc_data::hub::mnist()?),
        #[cfg(feature = "hub")]
        DataSource::HubFashionMnist => Ok(nc_data::hub::fashion_mnist()?),
        #[cfg(not(feature = "hub"))]
        DataSource::HubCifar10 | DataSource::HubMnist | DataSource::HubFashionMnist => {
            let message = "this program was built without hub support; build it with --features hub";
            Err(Error::setting("data.source", message))
        }
    }
}

/// Finds the images in `directory`, or in an archive, without those listed in the file `skip`.
pub(crate) fn own_images(directory: &Path, source: DataSource, skip: Option<&Path>) -> Result<ImageFiles> {
    let lists = source == DataSource::ImageList;
    let mut files = if lists { list::find(directory)? } else { folder::find(directory)? };
    if let Some(list) = skip {
        let parent = if directory.is_file() { directory.parent() } else { Some(directory) };
        let skipped = files.skip(&parent.unwrap_or(directory).join(list));
        skipped.map_err(|error| Error::setting("data.skip", error.to_string()))?;
    }
    Ok(files)
}

fn read(mut files: ImageFiles, config: &DataConfig, progress: &mut dyn LoadProgress) -> Result<Source> {
    if let Some(groups) = &config.groups {
        files.group_by(groups).map_err(|error| Error::setting("data.groups", error.to_string()))?;
    }
    if let Some(options) = stream_options(config) {
        return files.stream(&options, progress).map_err(|error| match error {
            nc_data::Error::Config(message) => Error::setting("data.streaming", message),
            other => other.into(),
        });
    }
    match files.decode(image_options(config), progress) {
        Err(error @ nc_data::Error::ImageSizes { .. }) => {
            Err(Error::setting("data.image_size", format!("is not set, but {error}")))
        }
        other => Ok(other?),
    }
}
