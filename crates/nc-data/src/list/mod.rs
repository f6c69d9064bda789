//! Image lists: text files with one line `path label` per image, the format of ImageNet-LT and iNaturalist 2018, and CSV
//! files with columns path, label and possibly group.

mod directory;
mod image_list;
mod official;
mod parse;

pub(crate) use directory::unused_note;
pub use directory::{find, has_lists, read_dir};
pub use image_list::ImageList;
pub use official::{Likeness, OfficialList, Recognized};
pub use parse::{Entry, Label};
