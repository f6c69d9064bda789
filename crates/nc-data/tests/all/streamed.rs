//! Streamed images: from files, lists and archives.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use image::{ImageFormat, RgbImage};
use nc_data::{
    ImageOptions, ImageShape,
    Interpolation::Bilinear,
    Loader, LoaderConfig, Plan, Profile, Sampler, Source, StreamOptions, Subset, Transform, ViewConfig,
    folder, list,
    rng::{Purpose, stream},
};
// The prelude of proptest has another `Rng`.
use proptest::{
    prelude::{Just, ProptestConfig, any, prop},
    prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use rand::Rng;

use crate::refusals::Refusals;
use crate::support::{bits, plain, sampled};

/// Classes, one with a name that Unicode composes in two ways, and their numbers of images.
const CLASSES: [(&str, usize); 3] = [("ant", 7), ("bee \u{e9}", 4), ("wasp", 2)];

const SIZE: (usize, usize) = (12, 12);

fn options() -> StreamOptions {
    StreamOptions { size: SIZE, exif_orientation: false, training: vec![], evaluation: vec![] }
}

/// Crops as for ImageNet.
fn crops() -> StreamOptions {
    let training =
        vec![Transform::RandomResizedCrop { size: Some(12), smallest_area: 0.08, interpolation: Bilinear }];
    let evaluation =
        vec![Transform::Resize { size: 14, interpolation: Bilinear }, Transform::CenterCrop { size: 12 }];
    StreamOptions { training, evaluation, ..options() }
}

/// A random picture of a random size, smooth enough for JPEG.
fn picture(seed: u64) -> RgbImage {
    let mut rng = stream(seed, Purpose::Subset, 0, 0);
    let (width, height) = (rng.random_range(9..40), rng.random_range(9..40));
    let (a, b, c): (u32, u32, u32) = (rng.random_range(1..9), rng.random_range(1..9), rng.random());
    RgbImage::from_fn(width, height, |x, y| {
        [a * x, b * y, a * y + (c & 0xff)].map(|value| value as u8).into()
    })
}

/// Writes the images of `classes` as JPEG and PNG files `CLASS/NUMBER.KIND`, different ones for each `seed`.
fn write_classes(root: &Path, classes: &[(&str, usize)], seed: u64) {
    for (class, &(name, images)) in classes.iter().enumerate() {
        fs::create_dir_all(root.join(name)).unwrap();
        for image in 0..images {
            let (kind, format) =
                if image % 3 == 1 { ("png", ImageFormat::Png) } else { ("jpg", ImageFormat::Jpeg) };
            let path = root.join(name).join(format!("{}.{kind}", image * 37 % 101));
            picture(seed + (class * 1000 + image) as u64).save_with_format(path, format).unwrap();
        }
    }
}

/// A folder with a training, a validation and a test set.
fn write_sets(root: &Path, classes: &[(&str, usize)]) {
    for (set, seed) in [("train", 0), ("val", 100_000), ("test", 200_000)] {
        write_classes(&root.join(set), classes, seed);
    }
}

/// Packs `directory` into `archive`, with paths that begin with `prefix`.
fn pack(directory: &Path, archive: &Path, prefix: &str) {
    let mut builder = tar::Builder::new(File::create(archive).unwrap());
    builder.append_dir_all(prefix, directory).unwrap();
    builder.finish().unwrap();
}

/// Packs each class of `directory` into an archive of its own, and these into `archive`.
fn pack_classes(directory: &Path, archive: &Path) {
    let inner = tempfile::tempdir().unwrap();
    for class in fs::read_dir(directory).unwrap() {
        let class = class.unwrap();
        pack(&class.path(), &inner.path().join(format!("{}.tar", class.file_name().to_str().unwrap())), "");
    }
    pack(inner.path(), archive, "");
}

fn streamed(directory: &Path, options: &StreamOptions) -> Source {
    folder::find(directory).unwrap().stream(options, &mut ()).unwrap()
}

fn everything() -> LoaderConfig {
    let view = ViewConfig {
        transforms: vec![Transform::Crop { padding: 2 }, Transform::Flip],
        mixup_alpha: Some(1.0),
        ..sampled(Sampler::ClassBalanced)
    };
    let again = ViewConfig {
        transforms: vec![
            Transform::Flip,
            Transform::RandomResizedCrop { size: Some(7), smallest_area: 0.3, interpolation: Bilinear },
        ],
        ..ViewConfig::new(Plan::SameAs(0))
    };
    let other = sampled(Sampler::Uniform);
    LoaderConfig { views: vec![view, again, other], ..plain(3, 9) }
}

#[test]
fn streamed_images_have_the_pixels_of_images_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    // With one image of each class, the order of a subset does not depend on the digests.
    let classes: Vec<(String, usize)> = (0..23).map(|class| (format!("class {class}"), 1)).collect();
    let classes: Vec<(&str, usize)> = classes.iter().map(|(name, images)| (name.as_str(), *images)).collect();
    write_sets(directory.path(), &classes);
    let memory =
        folder::read_dir(directory.path(), ImageOptions { size: Some(SIZE), exif_orientation: false });
    let (memory, streamed) = (memory.unwrap(), streamed(directory.path(), &options()));
    assert_eq!(streamed.train.shape(), memory.train.shape());
    let (memory, streamed) = (Subset::all(&memory.train), Subset::all(&streamed.train));
    assert_ne!(memory.hash(), streamed.hash(), "the kind of digest is part of the hash");
    let random = |subset| bits(Loader::new(subset, everything()).unwrap().epoch(3));
    assert_eq!(random(&streamed), random(&memory));
    let sequential = |subset| bits(Loader::sequential(subset, everything()).unwrap().epoch(0));
    assert_eq!(sequential(&streamed), sequential(&memory));
    let shown = |subset| Loader::new(subset, everything()).unwrap().samples(1, 2, 3..20).unwrap();
    assert_eq!(shown(&streamed), shown(&memory));
}

/// The same for all images of the folder NCLT_IMAGES, whose order differs.
#[test]
#[ignore = "reads the folder NCLT_IMAGES"]
fn streamed_images_of_a_folder_have_the_pixels_of_images_in_memory() {
    let directory = PathBuf::from(std::env::var_os("NCLT_IMAGES").expect("NCLT_IMAGES is a folder"));
    let memory = folder::read_dir(&directory, ImageOptions { size: Some(SIZE), exif_orientation: false });
    let (memory, streamed) = (memory.unwrap(), streamed(&directory, &options()));
    let channels = memory.train.shape().channels;
    let images = |source: &Source| {
        let subset = Subset::all(&source.train);
        let loader = Loader::sequential(&subset, plain(channels, 64)).unwrap();
        let mut images: Vec<(u32, Vec<u8>)> = (0..subset.len())
            .map(|at| loader.samples(0, 0, at..at + 1).unwrap().remove(0))
            .map(|sample| (subset.labels()[sample.position as usize], sample.pixels))
            .collect();
        images.sort_unstable();
        images
    };
    let (memory, streamed) = (images(&memory), images(&streamed));
    assert!(memory.len() > 1 && memory == streamed);
}

#[test]
fn grey_images_stay_grey_or_become_colour_as_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        fs::create_dir(directory.path().join(class)).unwrap();
        let image = image::DynamicImage::from(picture(5)).into_luma8();
        image.save(directory.path().join(class).join("1.png")).unwrap();
    }
    for channels in [1, 3] {
        if channels == 3 {
            picture(6).save(directory.path().join("b/1.png")).unwrap();
        }
        let read =
            folder::read_dir(directory.path(), ImageOptions { size: Some(SIZE), exif_orientation: false });
        let (memory, streamed) = (read.unwrap(), streamed(directory.path(), &options()));
        assert_eq!(streamed.train.shape(), ImageShape { channels, height: 12, width: 12 });
        let images = |source: &Source| {
            let loader = Loader::sequential(&Subset::all(&source.train), plain(channels, 9)).unwrap();
            bits(loader.epoch(0))
        };
        assert_eq!(images(&streamed), images(&memory));
        if channels == 1 {
            let shape = streamed.train.with_channels(3).unwrap();
            let (colour, grey) = (Subset::all(&shape), Subset::all(&streamed.train));
            assert_ne!(colour.hash(), grey.hash());
            let pixels = |subset, channels| {
                Loader::sequential(subset, plain(channels, 9))
                    .unwrap()
                    .samples(0, 0, 0..1)
                    .unwrap()
                    .remove(0)
                    .pixels
            };
            assert_eq!(pixels(&colour, 3), pixels(&grey, 1).repeat(3));
        }
    }
}

#[test]
fn images_of_any_size_are_cropped_as_transforms_of_the_whole_image() {
    let directory = tempfile::tempdir().unwrap();
    write_sets(directory.path(), &[("a", 1), ("b", 1)]);
    let source = streamed(directory.path(), &crops());
    let subset = Subset::all(&source.train);
    let config = || LoaderConfig { views: vec![sampled(Sampler::Uniform)], ..plain(3, 2) };
    // The same on the image itself in memory, whose size the transforms change.
    for position in 0..2 {
        let alone = tempfile::tempdir().unwrap();
        let class = alone.path().join("a");
        fs::create_dir(&class).unwrap();
        let original = directory.path().join("train").join(["a", "b"][position]).join("0.jpg");
        fs::copy(original, class.join("0.jpg")).unwrap();
        let own_size = ImageOptions { size: None, exif_orientation: false };
        let alone = Subset::all(&folder::read_dir(alone.path(), own_size).unwrap().train);
        let as_view = |transforms: Vec<Transform>| LoaderConfig {
            views: vec![ViewConfig { transforms, ..sampled(Sampler::Uniform) }],
            ..plain(3, 1)
        };
        let evaluated = Loader::sequential(&subset, config()).unwrap().samples(0, 0, position..position + 1);
        let expected = Loader::new(&alone, as_view(crops().evaluation)).unwrap().samples(0, 0, 0..1);
        assert_eq!(evaluated.unwrap()[0].pixels, expected.unwrap()[0].pixels);
        // Draws depend on the place in the epoch: that of the image alone is 0.
        let loader = Loader::new(&subset, config()).unwrap();
        let epoch = (0..99).find(|&epoch| loader.positions(0, epoch)[0] as usize == position).unwrap();
        let trained = loader.samples(0, epoch, 0..1).unwrap();
        let expected = Loader::new(&alone, as_view(crops().training)).unwrap().samples(0, epoch, 0..1);
        assert_eq!(trained[0].pixels, expected.unwrap()[0].pixels);
    }
}

/// Decoders of JPEG files stop after the rows that the views need.
#[test]
fn jpeg_files_give_the_batches_of_their_whole_images() {
    let (jpegs, pngs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for class in ["a", "b", "c", "d", "e", "f"] {
        let path = |root: &Path, name| {
            fs::create_dir_all(root.join(class)).unwrap();
            root.join(class).join(name)
        };
        let jpeg = path(jpegs.path(), "image.jpg");
        RgbImage::from_fn(40, 90, |x, y| [5 * x, 2 * y, x ^ y].map(|value| value as u8).into())
            .save(&jpeg)
            .unwrap();
        image::open(jpeg).unwrap().save(path(pngs.path(), "image.png")).unwrap();
    }
    // Each class has one image, so both directories have the same order.
    let batches = |directory: &Path| {
        let subset = Subset::all(&streamed(directory, &crops()).train);
        let loader = Loader::new(&subset, everything()).unwrap();
        (0..5).map(|epoch| bits(loader.epoch(epoch))).collect::<Vec<_>>()
    };
    assert!(batches(jpegs.path()) == batches(pngs.path()));
}

#[test]
fn batches_depend_on_neither_workers_nor_interruptions() {
    let directory = tempfile::tempdir().unwrap();
    write_classes(directory.path(), &[("a", 30), ("b", 12)], 0);
    let subset = Subset::all(&streamed(directory.path(), &crops()).train);
    let with = |workers| Loader::new(&subset, LoaderConfig { workers, ..everything() }).unwrap();
    let whole: Vec<_> = (0..2).map(|epoch| bits(with(1).epoch(epoch))).collect();
    assert_eq!((whole[0].len(), with(1).batches_per_epoch()), (5, 5));
    assert_ne!(whole[0], whole[1]);
    for workers in [0, 2, 5, 40] {
        for (epoch, whole) in whole.iter().enumerate() {
            assert_eq!(&bits(with(workers).epoch(epoch)), whole, "{workers} workers");
        }
    }
    // After a kill, another process opens the files again.
    let again = Subset::all(&streamed(directory.path(), &crops()).train);
    assert_eq!(again.hash(), subset.hash());
    let again = Loader::new(&again, LoaderConfig { workers: 2, ..everything() }).unwrap();
    for first in 0..=5 {
        assert_eq!(bits(again.epoch_from(1, first)), whole[1][first..]);
    }
    assert_eq!(again.epoch_from(1, usize::MAX).len(), 0);
    let mut stopped = again.epoch(0);
    stopped.next().unwrap().unwrap();
    // Returns only after the workers have stopped: a failure hangs here.
    drop(stopped);
}

#[test]
fn folders_lists_and_archives_give_the_same_batches() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    write_sets(&path("loose"), &CLASSES);
    for layout in ["tars", "prefixed", "nested", "listed", "listed tars"] {
        fs::create_dir(path(layout)).unwrap();
    }
    let mut lists = vec![];
    for set in ["train", "val", "test"] {
        let (loose, name) = (path("loose").join(set), format!("{set}.tar"));
        pack(&loose, &path("tars").join(&name), "");
        pack(&loose, &path("prefixed").join(&name), set);
        pack_classes(&loose, &path("nested").join(&name));
        pack_classes(&loose, &path("listed tars").join(&name));
        let mut lines = vec![];
        for (label, (class, _)) in CLASSES.iter().enumerate() {
            let mut files: Vec<_> = fs::read_dir(loose.join(class)).unwrap().flatten().collect();
            files.sort_by_key(|file| file.file_name().len());
            for file in files {
                lines.push(format!("{set}/{class}/{} {label}", file.file_name().to_str().unwrap()));
            }
        }
        lists.push((set, lines));
    }
    pack(&path("loose"), &path("photos.tar"), "photos");
    for (set, mut lines) in lists {
        fs::write(path("listed tars").join(format!("{set}.txt")), lines.join("\n")).unwrap();
        for line in &mut lines {
            line.insert_str(0, "../loose/");
        }
        fs::write(path("listed").join(format!("{set}.txt")), lines.join("\n")).unwrap();
    }
    let expected = streamed(&path("loose"), &crops());
    let names: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
    assert_eq!(expected.train.class_names(), names);
    let batches = |source: &Source| {
        let sets = [&source.train, source.validation.as_ref().unwrap(), &source.test].map(Subset::all);
        let drawn = Subset::draw(&source.train, &Profile::Balanced { per_class: Some(2) }, 3).unwrap();
        let loader = Loader::new(&drawn, everything()).unwrap();
        (sets.map(|set| set.hash().to_owned()), bits(loader.epoch(1)))
    };
    for layout in ["tars", "prefixed", "nested", "photos.tar", "listed", "listed tars"] {
        // First from the archives, then from the index.
        for _ in 0..2 {
            let source = if layout.starts_with("listed") {
                list::find(&path(layout)).unwrap().stream(&crops(), &mut ()).unwrap()
            } else {
                streamed(&path(layout), &crops())
            };
            assert_eq!(source.notes, Vec::<String>::new(), "{layout}");
            assert_eq!(batches(&source), batches(&expected), "{layout}");
        }
    }
    // Images in archives can be decoded into memory, too.
    let sized = ImageOptions { size: Some(SIZE), exif_orientation: false };
    let [loose, packed] = ["loose", "nested"].map(|name| folder::read_dir(&path(name), sized).unwrap());
    assert_eq!(Subset::all(&loose.train).hash(), Subset::all(&packed.train).hash());
}

/// Counts the files that are read.
#[derive(Default)]
struct Read(usize);

impl nc_data::LoadProgress for Read {
    fn decoded(&mut self, images: usize) {
        self.0 += images;
    }
}

#[test]
fn only_new_and_changed_files_are_read_again() {
    let root = tempfile::tempdir().unwrap();
    let (loose, tar) = (root.path().join("loose"), root.path().join("photos.tar"));
    write_classes(&loose, &CLASSES, 0);
    pack(&loose, &tar, "");
    let count = |directory: &Path| {
        let mut read = Read::default();
        let source = folder::find(directory).unwrap().stream(&options(), &mut read).unwrap();
        (read.0, source.train.len(), Subset::all(&source.train).hash().to_owned())
    };
    let (_, _, hash) = count(&loose);
    assert_eq!(count(&loose), (0, 13, hash.clone()));
    assert_eq!(count(&tar), (13, 13, hash.clone()));
    assert_eq!(count(&tar), (0, 13, hash.clone()));
    // Other content of the same length, at another time.
    let path = loose.join("ant/0.jpg");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let (read, images, changed) = count(&loose);
    assert_eq!((read, images), (1, 13));
    assert_ne!(changed, hash);
    pack(&loose, &tar, "");
    File::options().write(true).open(&tar).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(count(&tar), (13, 13, changed));
    // A damaged index is reported and replaced.
    fs::write(loose.join(".nclt-index"), "nclt-index,1\nimage,").unwrap();
    let source = streamed(&loose, &options());
    assert!(source.notes[0].contains("not used and created again: line 2 is damaged"), "{:?}", source.notes);
    assert_eq!(count(&loose).0, 0);
}

#[test]
fn damaged_files_are_named_and_can_be_skipped() {
    let root = tempfile::tempdir().unwrap();
    let (loose, tar) = (root.path().join("loose"), root.path().join("photos.tar"));
    write_classes(&loose, &CLASSES, 0);
    // The header of the image is whole, the rest is not.
    let path = loose.join("bee \u{e9}/0.jpg");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    pack(&loose, &tar, "");
    for directory in [&loose, &tar] {
        let message = |workers| {
            let subset = Subset::all(&streamed(directory, &options()).train);
            let loader = Loader::new(&subset, LoaderConfig { workers, ..everything() }).unwrap();
            let mut epoch = loader.epoch(0);
            let error = epoch.find_map(Result::err).unwrap();
            assert!(epoch.next().is_none());
            error.to_string()
        };
        let expected = format!("{}: expected an image (", directory.join("bee \u{e9}/0.jpg").display());
        for workers in [1, 3] {
            let message = message(workers);
            assert!(
                message.starts_with(&expected) && message.contains("cut off before its end marker; list all"),
                "{message}"
            );
        }
        let found = nc_data::check_images(folder::find(directory).unwrap(), false, &mut ());
        assert_eq!(found.unreadable.len(), 1);
        assert!(found.unreadable[0].to_string().starts_with(&expected));
    }
    let list = root.path().join("skip.txt");
    fs::write(&list, "# one\nbee \u{e9}/0.jpg\n\n").unwrap();
    let kept = [&loose, &tar].map(|directory| {
        let mut files = folder::find(directory).unwrap();
        files.skip(&list).unwrap();
        let source = files.stream(&options(), &mut ()).unwrap();
        assert_eq!(source.train.class_counts(), [7, 3, 2]);
        let note = source.notes.last().unwrap();
        assert!(note.starts_with("1 image is skipped, listed in ") && note.contains("SHA-256 "), "{note}");
        let subset = Subset::all(&source.train);
        assert_eq!(Loader::new(&subset, everything()).unwrap().epoch(0).flatten().count(), 2);
        subset.hash().to_owned()
    });
    assert_eq!(kept[0], kept[1]);
    fs::remove_file(path).unwrap();
    assert_eq!(Subset::all(&streamed(&loose, &options()).train).hash(), kept[0]);
}

#[test]
fn a_file_that_changes_during_training_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    write_classes(root.path(), &[("a", 3), ("b", 3)], 0);
    let subset = Subset::all(&streamed(root.path(), &options()).train);
    let loader = Loader::sequential(&subset, plain(3, 4)).unwrap();
    assert_eq!(loader.epoch(0).flatten().count(), 2);
    picture(77).save_with_format(root.path().join("b/0.jpg"), ImageFormat::Png).unwrap();
    let error = loader.epoch(0).find_map(Result::err).unwrap().to_string();
    assert!(error.contains("b/0.jpg: the file changed while it was used; start again"), "{error}");
}

#[test]
fn links_and_other_files_in_archives_are_not_images() {
    let root = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let loose = files.path();
    write_classes(loose, &[("a", 2), ("b", 1)], 0);
    let mut builder = tar::Builder::new(File::create(root.path().join("train.tar")).unwrap());
    builder.append_dir_all("", loose).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "a/link.jpg", "a/0.jpg").unwrap();
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, bytes).unwrap();
    };
    add("a/notes.txt", b"nothing");
    add("a/.hidden", b"");
    // A later entry replaces an earlier one; a long path needs an entry of its own.
    let long = format!("b/{}.jpg", "long".repeat(60));
    for path in ["a/0.jpg", &long] {
        add(path, &fs::read(loose.join("b/0.jpg")).unwrap());
    }
    builder.finish().unwrap();
    let source = streamed(root.path(), &options());
    assert_eq!(source.train.class_counts(), [2, 2]);
    assert_eq!(Subset::all(&source.train).copies_under_other_labels(), 3);
    let expected = "skipped 2 of 6 files (1 .txt, 1 hidden)";
    assert!(source.notes.iter().any(|note| note.contains(expected)), "{:?}", source.notes);
}

#[test]
fn archives_beside_images_stay_unused() {
    let root = tempfile::tempdir().unwrap();
    write_classes(root.path(), &[("a", 2), ("b", 2)], 0);
    pack(&root.path().join("a"), &root.path().join("train.tar"), "");
    let source = streamed(root.path(), &options());
    assert_eq!(source.train.class_counts(), [2, 2]);
    assert!(source.notes[0].contains("skipped 1 of 5 files (1 .tar)"), "{:?}", source.notes);
}

/// A small archive of archives, and its index.
fn archive_and_index() -> (Vec<u8>, Vec<u8>) {
    let root = tempfile::tempdir().unwrap();
    write_classes(&root.path().join("loose"), &[("a", 2), ("b", 1)], 0);
    pack_classes(&root.path().join("loose"), &root.path().join("photos.tar"));
    streamed(&root.path().join("photos.tar"), &options());
    let read = |name: &str| fs::read(root.path().join(name)).unwrap();
    (read("photos.tar"), read(".photos.tar.nclt-index"))
}

/// Replaces bytes at places from the beginning, which have headers more often, and cuts the end off.
fn damaged(bytes: &[u8], changes: &[(u16, u8)], cut: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(place, value) in changes {
        let place = usize::from(place) % bytes.len();
        bytes[place] = value;
    }
    bytes.truncate(bytes.len().saturating_sub(cut));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_archives_and_indices_are_read_or_refused(
        changes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..4),
        cut in prop_oneof![Just(0), 0usize..4000],
        damages_index in any::<bool>(),
    ) {
        static GOOD: std::sync::LazyLock<(Vec<u8>, Vec<u8>)> = std::sync::LazyLock::new(archive_and_index);
        let (mut archive, mut index) = GOOD.clone();
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("photos.tar");
        if damages_index {
            // The index is that of the archive below, unless the damage changes that.
            let text = String::from_utf8(index).unwrap();
            let line = text.lines().nth(1).unwrap();
            let (stamp, _) = line.rsplit_once(',').unwrap();
            index = damaged(text.replace(line, &format!("{stamp},0")).as_bytes(), &changes, cut);
        } else {
            archive = damaged(&archive, &changes, cut);
        }
        fs::write(&path, archive).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::write(root.path().join(".photos.tar.nclt-index"), index).unwrap();
        let read = || folder::find(&path).and_then(|files| files.stream(&options(), &mut ()));
        match read() {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(source) => {
                let subset = Subset::all(&source.train);
                let again = Subset::all(&read().unwrap().train);
                prop_assert_eq!(again.hash(), subset.hash());
                if !subset.is_empty() {
                    Loader::sequential(&subset, plain(source.train.shape().channels, 2)).unwrap().epoch(0).for_each(drop);
                }
            }
        }
    }
}

#[test]
fn predicted_files_are_fitted_as_in_evaluation() {
    let root = tempfile::tempdir().unwrap();
    write_classes(root.path(), &[("a", 1), ("b", 1)], 40);
    for options in [options(), crops()] {
        let subset = Subset::all(&streamed(root.path(), &options).train);
        let expected = Loader::sequential(&subset, plain(3, 2)).unwrap().samples(0, 0, 0..2).unwrap();
        let files = ["a/0.jpg", "b/0.jpg"].map(|name| root.path().join(name));
        let decoded = options.decode_files(&files, 3).unwrap();
        for (image, expected) in expected.iter().enumerate() {
            assert_eq!(decoded.images.image(image), expected.pixels);
        }
    }
}

/// A list of the sizes of the official ImageNet-LT validation list with other paths.
#[test]
fn official_lists_are_recognized() {
    let root = tempfile::tempdir().unwrap();
    let recognized = |lines: Vec<String>| {
        let path = root.path().join("list.txt");
        fs::write(&path, lines.join("\n")).unwrap();
        list::ImageList::read(&path).unwrap().recognize().unwrap().map(|found| found.to_string())
    };
    let lines = |class: fn(usize) -> usize| {
        (0..20_000).map(move |image| format!("{image}.jpg {}", class(image))).collect()
    };
    let found = recognized(lines(|image| image % 1000)).unwrap();
    assert_eq!(
        found,
        "20000 images of 1000 classes, as the official ImageNet-LT validation list; the class sizes agree, but other paths, \
         labels or line order"
    );
    let found = recognized(lines(|image| (image % 1001).min(999))).unwrap();
    assert!(
        found.ends_with("as the official ImageNet-LT validation list, but with other class sizes"),
        "{found}"
    );
    assert_eq!(recognized(lines(|image| image % 999)), None);
}

pub(crate) fn refused(told: &mut Refusals) {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    write_classes(&path("loose"), &[("a", 2), ("b", 1)], 0);
    let tar = path("photos.tar");
    pack(&path("loose"), &tar, "");
    let mut tell = |tried: &str, result: nc_data::Result<Source>| told.add(tried, result);
    let stream =
        |directory: &Path, options: &StreamOptions| folder::find(directory)?.stream(options, &mut ());
    let random = crops().training;
    let resize = vec![crops().evaluation[0]];
    tell(
        "streaming with random evaluation",
        stream(&tar, &StreamOptions { evaluation: random, ..options() }),
    );
    tell("streaming to no common size", stream(&tar, &StreamOptions { training: resize, ..options() }));
    let flip = vec![Transform::Flip];
    tell("streaming with a flip to the size", stream(&tar, &StreamOptions { training: flip, ..options() }));
    let whole = fs::read(&tar).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(path(name), bytes).unwrap();
        path(name)
    };
    let mut damaged = whole.clone();
    damaged[40] ^= 1;
    let mut parent = tar::Header::new_gnu();
    parent.as_mut_bytes()[..8].copy_from_slice(b"../a.jpg");
    parent.set_size(0);
    parent.set_cksum();
    let mut alone = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_gnu();
    header.set_size(2000);
    alone.append_data(&mut header, "a/1.jpg", &[7; 2000][..]).unwrap();
    let alone = alone.into_inner().unwrap();
    for (tried, bytes) in [
        ("an archive cut off within a file", &alone[..2000]),
        ("an archive cut off within a header", &whole[..700]),
        ("a damaged archive", &damaged[..]),
        ("a compressed archive", &[0x1f, 0x8b, 8, 0][..]),
        ("an archive with a path that leaves it", parent.as_bytes()),
        ("an empty archive", &[]),
    ] {
        tell(tried, stream(&write("other.tar", bytes), &options()));
    }
    let mut skip = |tried: &str, bytes: &[u8]| {
        let mut files = folder::find(&tar).unwrap();
        let skipped = files.skip(&write("skip.txt", bytes));
        tell(tried, skipped.and_then(|()| files.stream(&options(), &mut ())));
    };
    skip("a list of skipped images that are not there", b"a/0.jpg\nc/1.jpg\nd/1.jpg\n");
    skip("a list of skipped images that is not UTF-8", b"a/\xff.jpg\n");
}
