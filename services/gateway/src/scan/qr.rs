//! Drawing of QR codes from their text, without a picture from WeChat.

use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};

/// Dots per module of a PNG.
const PIXELS_PER_MODULE: usize = 8;

/// Number of white modules around the code, as the standard requires.
const QUIET_ZONE_MODULES: usize = 4;

/// Format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QrFormat {
    /// SVG, drawn here.
    Svg,
    /// PNG, drawn here.
    Png,
    /// WeChat's own picture.
    Jpg,
}

/// Error of a text that does not fit into a QR code.
#[derive(Debug, thiserror::Error)]
#[error("the text does not fit into a QR code")]
pub struct TextTooLong;

/// Draws the code as an SVG picture.
pub fn svg(text: &str) -> Result<String, TextTooLong> {
    let code = encode(text)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(256, 256).build())
}

/// Draws the code as an SVG for printing: it stays readable if a quarter of it is damaged.
pub fn poster_svg(text: &str) -> Result<String, TextTooLong> {
    let code = QrCode::with_error_correction_level(text, EcLevel::Q).map_err(|_| TextTooLong)?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(256, 256).build();
    // The XML declaration is left out: it may only stand at the head of a file.
    Ok(svg.find("<svg").map_or_else(String::new, |at| svg[at..].to_owned()))
}

/// Draws the code as a PNG picture of one bit a pixel.
pub fn png(text: &str) -> Result<Vec<u8>, TextTooLong> {
    let code = encode(text)?;
    let modules = code.width();
    let colors = code.to_colors();
    let size = (modules + 2 * QUIET_ZONE_MODULES) * PIXELS_PER_MODULE;
    let is_dark = |x: usize, y: usize| {
        let column = (x / PIXELS_PER_MODULE).wrapping_sub(QUIET_ZONE_MODULES);
        let row = (y / PIXELS_PER_MODULE).wrapping_sub(QUIET_ZONE_MODULES);
        column < modules && row < modules && colors[row * modules + column] == Color::Dark
    };
    let mut dots = Vec::with_capacity(size * size.div_ceil(8));
    for y in 0..size {
        for byte in 0..size.div_ceil(8) {
            let bit =
                |i: usize| u8::from(byte * 8 + i >= size || !is_dark(byte * 8 + i, y)) << (7 - i);
            dots.push((0..8).map(bit).sum());
        }
    }
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, size as u32, size as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&dots));
    written.expect("writing to memory with matching dimensions cannot fail");
    Ok(picture)
}

fn encode(text: &str) -> Result<QrCode, TextTooLong> {
    QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| TextTooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://weixin.qq.com/q/02i_CE54ZYc4E1kHQ9xwcQ";

    #[test]
    fn the_png_shows_the_same_modules_as_the_code() {
        let picture = png(URL).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
        let mut dots = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut dots).unwrap();
        let code = encode(URL).unwrap();
        assert_eq!(
            info.width as usize,
            (code.width() + 2 * QUIET_ZONE_MODULES) * PIXELS_PER_MODULE
        );
        for y in 0..code.width() {
            for x in 0..code.width() {
                let (px, py) = (
                    (x + QUIET_ZONE_MODULES) * PIXELS_PER_MODULE + 3,
                    (y + QUIET_ZONE_MODULES) * PIXELS_PER_MODULE + 3,
                );
                let byte = dots[py * info.line_size + px / 8];
                let white = byte >> (7 - px % 8) & 1 == 1;
                assert_eq!(white, code[(x, y)] == Color::Light, "module {x},{y}");
            }
        }
    }

    #[test]
    fn a_text_too_long_is_refused() {
        assert!(svg(&"x".repeat(5000)).is_err());
    }
}
