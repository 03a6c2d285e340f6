//! Drawings of a QR code: the JPEG of `showqrcode`, and an SVG for the phones' page.

use jpeg_encoder::{ColorType, Encoder};
use qrcode::{Color, QrCode, render::svg};

/// Width of WeChat's pictures in pixels.
const PICTURE_WIDTH_PX: usize = 430;

/// Draws a JPEG of 430 × 430 pixels; `None` if the content does not fit a code.
pub(crate) fn jpeg(content: &str) -> Option<Vec<u8>> {
    let code = QrCode::new(content).ok()?;
    let width = code.width();
    let colors = code.to_colors();
    let scale = PICTURE_WIDTH_PX / (width + 8);
    let margin = (PICTURE_WIDTH_PX - scale * width) / 2;
    let mut pixels = vec![255_u8; PICTURE_WIDTH_PX * PICTURE_WIDTH_PX];
    for (index, _) in colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
        let left = margin + index % width * scale;
        let top = margin + index / width * scale;
        for row in top..top + scale {
            pixels[row * PICTURE_WIDTH_PX + left..row * PICTURE_WIDTH_PX + left + scale].fill(0);
        }
    }
    let mut file = Vec::new();
    let encoder = Encoder::new(&mut file, 80);
    encoder
        .encode(&pixels, PICTURE_WIDTH_PX as u16, PICTURE_WIDTH_PX as u16, ColorType::Luma)
        .ok()?;
    Some(file)
}

/// Draws an SVG; `None` if the content does not fit a code.
pub(crate) fn svg(content: &str) -> Option<String> {
    let code = QrCode::new(content).ok()?;
    Some(code.render::<svg::Color<'_>>().min_dimensions(96, 96).build())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_jpeg_begins_and_ends_as_one() {
        let file = super::jpeg("http://weixin.qq.com/q/02i_CE54ZYc4E1kHQ9xwcQ").unwrap();
        assert!(file.starts_with(&[0xff, 0xd8]) && file.ends_with(&[0xff, 0xd9]));
        assert_eq!(super::jpeg(&"x".repeat(9000)), None);
    }
}
