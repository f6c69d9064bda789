//! The markers of JPEG files (ITU-T T.81, B.1).

use memchr::memchr_iter;

/// True if a JPEG file is complete up to its end marker; the decoder would fill missing data with grey. A marker is
/// 0xff and a nonzero byte; a segment length follows, except after start, restart and end markers (ITU-T T.81, B.1).
pub(crate) fn is_whole(mut bytes: &[u8]) -> bool {
    let is_segment = |marker: &u8| !matches!(marker, 0 | 1 | 0xd0..=0xd8 | 0xff);
    while let Some(at) = memchr_iter(0xff, bytes).find(|at| bytes.get(at + 1).is_some_and(is_segment)) {
        if bytes[at + 1] == 0xd9 {
            return true;
        }
        let [_, _, high, low, ..] = bytes[at..] else { return false };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        bytes = bytes.get(end..).unwrap_or_default();
    }
    false
}

/// The height of a JPEG file that [`keep_rows`] lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortened {
    /// The height before.
    pub(crate) whole: usize,
    /// The height now.
    pub(crate) kept: usize,
}

/// Lowers the height in the header, so that the decoder stops soon after the first `rows` rows, whose pixels do not change; `rows`
/// is computed from height and width. `None` for a file that is not changed: one with several scans, and one with EXIF data, which
/// may rotate the image, unless `ignore_exif`.
pub(crate) fn keep_rows(
    bytes: &mut [u8],
    ignore_exif: bool,
    rows: impl FnOnce((usize, usize)) -> usize,
) -> Option<Shortened> {
    bytes.starts_with(&[0xff, 0xd8]).then_some(())?;
    let mut frame = None;
    let mut at = 2;
    loop {
        let [0xff, marker, high, low, ..] = *bytes.get(at..)? else { return None };
        let content = at + 4..at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let segment = bytes.get(content.clone())?;
        match marker {
            // Sequential frames with Huffman codes.
            0xc0 | 0xc1 => frame = Some(content.start),
            // Other frames, and markers that begin no segment, with which decoders differ.
            0xc2 | 0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xd9 | 0 | 1 | 0xff => return None,
            0xe1 if !ignore_exif && segment.starts_with(b"Exif\0") => return None,
            // The first scan has all components.
            0xda => {
                let frame = bytes.get(frame?..)?;
                if segment.first() != frame.get(5) {
                    return None;
                }
                break;
            }
            _ => {}
        }
        at = content.end;
    }
    let start = frame?;
    let [_, high, low, wide, narrow, components, ref rest @ ..] = bytes[start..] else { return None };
    let number = |high, low| usize::from(u16::from_be_bytes([high, low]));
    let (whole, width) = (number(high, low), number(wide, narrow));
    // MCU rows, and one more, because chroma upsampling reads the row below.
    let factors = rest.chunks(3).take(usize::from(components)).filter_map(|component| component.get(1));
    let unit = 8 * usize::from(factors.map(|factors| factors & 15).max()?.max(1));
    let kept = (rows((whole, width)) + unit).next_multiple_of(unit);
    if kept >= whole {
        return None;
    }
    bytes[start + 1..start + 3].copy_from_slice(&u16::try_from(kept).ok()?.to_be_bytes());
    Some(Shortened { whole, kept })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{Device, safetensors};

    use super::*;
    use crate::{ImageOptions, images::Picture};

    const HEIGHT: usize = 141;

    /// Files of an image stored in different ways, by `tests/golden/jpeg.py`.
    fn files() -> impl Iterator<Item = (String, Vec<u8>)> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/jpeg.safetensors");
        let files = safetensors::load(path, &Device::Cpu).unwrap();
        files.into_iter().map(|(name, bytes)| (name, bytes.to_vec1().unwrap()))
    }

    fn decode(bytes: &[u8]) -> Picture {
        let options = ImageOptions { exif_orientation: false, ..ImageOptions::default() };
        Picture::decode(Path::new("test.jpg"), bytes, options).unwrap()
    }

    #[test]
    fn shortened_files_decode_to_the_same_rows() {
        for (name, file) in files() {
            let whole = decode(&file);
            let mut shortened = 0;
            for rows in 0..=HEIGHT {
                let mut bytes = file.clone();
                let change = keep_rows(&mut bytes, true, |size| {
                    assert_eq!(size, (HEIGHT, 45));
                    rows
                });
                let picture = decode(&bytes);
                let kept = change.map_or(HEIGHT, |Shortened { whole, kept }| {
                    assert_eq!(whole, HEIGHT);
                    kept
                });
                assert_eq!(picture.height, kept, "{name}: {rows} rows");
                shortened += usize::from(change.is_some());
                let first = rows * whole.bytes.len() / HEIGHT;
                assert!(picture.bytes[..first] == whole.bytes[..first], "{name}: {rows} rows");
                let extended = picture.extended(HEIGHT);
                assert_eq!((extended.size(), extended.bytes.len()), (whole.size(), whole.bytes.len()));
            }
            // All but the last two MCU rows, of 8 or 16 pixels.
            let expected = match name.as_str() {
                "progressive" => 0,
                "420" | "restarts" | "exif" => 113,
                _ => 129,
            };
            assert_eq!(shortened, expected, "{name}");
        }
    }

    #[test]
    fn files_with_exif_data_are_not_shortened() {
        for (name, file) in files() {
            let mut bytes = file.clone();
            let is_kept = keep_rows(&mut bytes, false, |_| 0).is_none();
            assert_eq!(is_kept, ["exif", "progressive"].contains(&name.as_str()), "{name}");
            assert_eq!(is_kept, bytes == file, "{name}");
        }
    }

    #[test]
    fn at_most_the_height_of_a_truncated_file_changes() {
        for (name, file) in files() {
            for length in 0..700 {
                let mut bytes = file[..length].to_vec();
                keep_rows(&mut bytes, true, |_| 0);
                let changed = bytes.iter().zip(&file).filter(|(one, other)| one != other).count();
                assert!(changed <= 2, "{name} cut off at {length}");
            }
        }
    }

    /// A decoder that skips the unknown marker would read another frame.
    #[test]
    fn unknown_markers_prevent_a_change() {
        for (name, file) in files() {
            for marker in [0x00, 0x01, 0xd0, 0xd8, 0xd9, 0xff] {
                let mut bytes = [&file[..2], &[0xff, marker, 0, 2], &file[2..]].concat();
                assert_eq!(keep_rows(&mut bytes, true, |_| 0), None, "{name}, {marker:#x}");
            }
            let mut headless = [b"BM", &file[2..]].concat();
            assert_eq!(keep_rows(&mut headless, true, |_| 0), None, "{name}");
        }
    }
}
