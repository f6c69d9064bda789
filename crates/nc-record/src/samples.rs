use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Training images as the network saw them, stored in `samples.json` for the report page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Images, ordered by class size, largest first.
    pub training: Vec<ImageSample>,
}

/// An image with its class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSample {
    /// Class.
    pub class: usize,
    /// PNG file, in base64.
    png: String,
}

impl ImageSample {
    /// An image of `class`, given as a PNG file.
    pub fn new(class: usize, png: &[u8]) -> Self {
        Self { class, png: STANDARD.encode(png) }
    }

    /// The image as a `data:` URL; none unless it is PNG in base64.
    pub fn data_url(&self) -> Option<String> {
        self.bytes().map(|_| format!("data:image/png;base64,{}", self.png))
    }

    /// Width in pixels; none unless the image is PNG in base64.
    pub fn width(&self) -> Option<u32> {
        let bytes = self.bytes()?;
        Some(u32::from_be_bytes(*bytes.get(16..20)?.as_array()?))
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.png).ok().filter(|bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_png_becomes_a_url() {
        let png = ImageSample::new(3, b"\x89PNG\r\n\x1a\nrest");
        assert_eq!(png.data_url().unwrap(), "data:image/png;base64,iVBORw0KGgpyZXN0");
        assert_eq!(png.width(), None);
        let header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x02\0\0\0\x09";
        assert_eq!(ImageSample::new(3, header).width(), Some(258));
        assert_eq!(ImageSample::new(3, b"GIF89a").data_url(), None);
        assert_eq!(ImageSample { class: 0, png: "\"><script>".into() }.data_url(), None);
    }
}
