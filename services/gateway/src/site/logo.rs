//! Logo of a site: pixels that were decoded from an upload and encoded anew, so that nothing else
//! of the upload is kept, served or exported.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use paihao_contracts::site_logo::{MAX_LOGO_BYTES, MAX_LOGO_SIDE, SiteLogo};
use sha2::{Digest, Sha256};
use std::io::Cursor;

/// Most bytes of an upload.
pub const MAX_UPLOAD_BYTES: usize = 256 * 1024;

/// Most bytes that the decoder may take besides the pixels.
const MAX_DECODER_BYTES: usize = 4 << 20;

/// Logo as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    /// The PNG file.
    pub png: Bytes,
    /// Head of its hash, which names it in addresses.
    pub digest: String,
    /// Pixels of a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
}

/// Reason why a picture is no logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// It is no PNG, or a broken one.
    #[error("not a whole PNG file")]
    Unreadable,
    /// It has more pixels than a logo may.
    #[error("{0} × {1} pixels: use {MAX_LOGO_SIDE} × {MAX_LOGO_SIDE} at most")]
    TooManyPixels(u32, u32),
    /// Its pixels take more bytes than every page of a site should load.
    #[error("{0} bytes: use {MAX_LOGO_BYTES} at most")]
    TooManyBytes(usize),
}

/// Pixels of a picture.
struct Pixels {
    width: u32,
    height: u32,
    colours: png::ColorType,
    bytes: Vec<u8>,
}

impl Logo {
    /// Makes a logo of an uploaded PNG.
    pub fn of_upload(file: &[u8]) -> Result<Logo, LogoError> {
        let pixels = decode(file)?;
        let png = encode(&pixels);
        if png.len() > MAX_LOGO_BYTES {
            return Err(LogoError::TooManyBytes(png.len()));
        }
        Ok(Logo::new(png, &pixels))
    }

    /// Reads a stored logo. What is no picture, since somebody else wrote it, is served to nobody.
    pub fn of_document(document: &SiteLogo) -> Result<Logo, LogoError> {
        let png = STANDARD.decode(&document.png).map_err(|_| LogoError::Unreadable)?;
        if png.len() > MAX_LOGO_BYTES {
            return Err(LogoError::TooManyBytes(png.len()));
        }
        let pixels = decode(&png)?;
        Ok(Logo::new(png, &pixels))
    }

    /// Returns the logo as it is stored.
    pub fn to_document(&self) -> SiteLogo {
        SiteLogo { png: STANDARD.encode(&self.png) }
    }

    fn new(png: Vec<u8>, Pixels { width, height, .. }: &Pixels) -> Logo {
        let digest = hex::encode(&Sha256::digest(&png)[..8]);
        Logo { png: png.into(), digest, width: *width, height: *height }
    }
}

fn decode(file: &[u8]) -> Result<Pixels, LogoError> {
    let limits = png::Limits { bytes: MAX_DECODER_BYTES };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(|_| LogoError::Unreadable)?;
    let (width, height) = (header.width, header.height);
    if width > MAX_LOGO_SIDE || height > MAX_LOGO_SIDE {
        return Err(LogoError::TooManyPixels(width, height));
    }
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|_| LogoError::Unreadable)?;
    let size = reader.output_buffer_size().ok_or(LogoError::Unreadable)?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(|_| LogoError::Unreadable)?;
    bytes.truncate(frame.buffer_size());
    Ok(Pixels { width, height, colours: frame.color_type, bytes })
}

fn encode(pixels: &Pixels) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width, pixels.height);
    encoder.set_color(pixels.colours);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels.bytes)?;
        writer.finish()
    });
    written.expect("writing to memory with matching dimensions cannot fail");
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PNG of one colour type, whose pixels are `byte` throughout.
    fn png_file(width: u32, height: u32, byte: impl Fn(usize) -> u8) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder
            .add_text_chunk("Comment".to_owned(), "<script>alert(1)</script>".to_owned())
            .unwrap();
        let bytes: Vec<_> = (0..(width * height * 4) as usize).map(byte).collect();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&bytes).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn only_the_pixels_of_an_upload_are_kept() {
        let mut file = png_file(40, 20, |_| 0x7f);
        file.extend(b"<script>alert(2)</script>");
        assert!(String::from_utf8_lossy(&file).contains("alert(1)"));
        let logo = Logo::of_upload(&file).unwrap();
        assert_eq!((logo.width, logo.height), (40, 20));
        assert!(!String::from_utf8_lossy(&logo.png).contains("alert"));
        let again = Logo::of_document(&logo.to_document()).unwrap();
        assert_eq!(again, logo, "the same pixels are the same file");
    }

    #[test]
    fn what_is_no_small_picture_is_refused() {
        let noise = |at: usize| {
            let mixed = (at as u64 ^ 0x9e37_79b9).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 56) as u8
        };
        let whole = png_file(40, 20, noise);
        assert!(Logo::of_upload(&whole).is_ok());
        for broken in [
            b"".to_vec(),
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec(),
            b"GIF89a".to_vec(),
            b"\xff\xd8\xff\xe0".to_vec(),
            whole[..whole.len() / 2].to_vec(),
            whole[8..].to_vec(),
        ] {
            assert_eq!(Logo::of_upload(&broken), Err(LogoError::Unreadable));
        }
        let mut altered = whole;
        let middle = altered.len() / 2;
        altered[middle] ^= 0x55;
        assert_eq!(Logo::of_upload(&altered), Err(LogoError::Unreadable));
        let wide = png_file(513, 1, |_| 0);
        assert_eq!(Logo::of_upload(&wide), Err(LogoError::TooManyPixels(513, 1)));
        let heavy = Logo::of_upload(&png_file(200, 200, noise));
        assert!(matches!(heavy, Err(LogoError::TooManyBytes(_))), "{heavy:?}");
        let document = SiteLogo { png: "no base64!".to_owned() };
        assert_eq!(Logo::of_document(&document), Err(LogoError::Unreadable));
    }

    #[test]
    fn a_header_that_promises_a_huge_picture_costs_nothing() {
        let mut file = png_file(4, 4, |_| 0);
        // Width and height of the IHDR, and its checksum.
        file[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let refused = Logo::of_upload(&file);
        assert!(matches!(refused, Err(LogoError::Unreadable | LogoError::TooManyPixels(..))));
    }
}
