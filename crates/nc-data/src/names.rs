//! Names of image files and classes.

use std::path::Path;

/// Extensions of image files, in any case.
const IMAGES: [&str; 15] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "jif", "webp", "bmp", "tif", "tiff", "pnm", "pbm", "pgm", "ppm",
    "pam",
];
pub(crate) const ENDINGS: &str =
    ".png, .jpg, .jpeg, .jpe, .jfif, .jif, .webp, .bmp, .tif, .tiff, .pnm, .pbm, .pgm, .ppm, .pam";

/// True for a file whose extension is that of an image.
pub(crate) fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|ending| IMAGES.iter().any(|image| ending.eq_ignore_ascii_case(image)))
}

/// True for a class name without characters that act on a terminal or reorder the text around them.
pub(crate) fn is_printable(name: &str) -> bool {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    !name.contains(acts)
}
