//! All errors of the crate and their messages.

#[path = "../../../../tests/refusals.rs"]
mod kept;

use std::io::ErrorKind::{OutOfMemory, StorageFull};

pub(crate) use kept::Refusals;
use nc_data::Error;

use crate::{
    cifar_files, crops, idx_files, image_files, image_lists, loader, profiles, relabelled, samplers,
    streamed, subsets, transforms,
};

/// `UPDATE_SNAPSHOTS=1` rewrites the snapshot.
#[test]
fn errors_match_their_snapshot() {
    let mut told = Refusals::default();
    idx_files::refused(&mut told);
    cifar_files::refused(&mut told);
    image_files::refused(&mut told);
    image_lists::refused(&mut told);
    subsets::refused(&mut told);
    relabelled::refused(&mut told);
    profiles::refused(&mut told);
    samplers::refused(&mut told);
    loader::refused(&mut told);
    crops::refused(&mut told);
    transforms::refused(&mut told);
    streamed::refused(&mut told);
    // Errors that only a broken machine or network causes.
    let path = "data/cifar-10-binary.tar.gz".into();
    let candle = || candle_core::Error::Msg("out of memory".into());
    let mirrors = "https://one.example: HTTP status 404; https://two.example: ended after 7 of 9 bytes";
    for (tried, error) in [
        ("a full disk", Error::Write { path, source: StorageFull.into() }),
        (
            "failing mirrors",
            Error::Download { name: "cifar-10-binary.tar.gz".into(), reasons: mirrors.into() },
        ),
        ("an unreachable hub", Error::Hub { name: "cifar10", source: candle() }),
        ("no threads for the loader", Error::LoaderThread { threads: 64, source: OutOfMemory.into() }),
        ("a dead loader thread", Error::LoaderDied),
        ("a failing tensor operation", candle().into()),
    ] {
        told.add::<(), _>(tried, Err(error));
    }
    told.assert_kept();
}
