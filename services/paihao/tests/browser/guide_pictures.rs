//! Small pictures of parts of pages, for the guides. `PAIHAO_WRITE=1` puts them into
//! `docs/pictures/first-day`; where other pictures are kept, these are there, too.

use crate::pictures::{switch_language, wanted_picture_folder};
use crate::window::Window;
use serde_json::json;
use std::collections::HashMap;
use std::io::Cursor;
use std::path::PathBuf;

/// Width of a picture of one sentence, in CSS pixels: that of a phone.
pub const NARROW: u32 = 390;
/// Width of a picture of a page.
pub const WIDE: u32 = 760;

/// Levels of each colour channel, the smallest number that changes no colour of the pages visibly.
const LEVELS: u32 = 18;

/// Most bytes of one picture.
const MAX_BYTES: usize = 120_000;

/// Takes a picture of the first element that matches, in both languages. The page is in Chinese
/// before and after.
pub async fn take_guide_picture(page: &Window, name: &str, css: &str, width: u32) {
    page.set_screen(width, 844, "light").await;
    for language in ["zh", "en"] {
        let clip = page.run_script(CLIP_SCRIPT, json!([css])).await;
        assert!(clip["width"].as_f64().is_some_and(|width| width > 50.0), "{css}: {clip}");
        let file_name = format!("{name}.{language}.png");
        let is_written = std::env::var_os("PAIHAO_WRITE").is_some();
        let committed = guide_folder().join(&file_name);
        assert!(is_written || committed.is_file(), "{file_name}: run with PAIHAO_WRITE=1");
        let kept = wanted_picture_folder().map(|folder| folder.join(&file_name));
        if let Some(file) = if is_written { Some(committed) } else { kept } {
            let picture = with_few_colors(&page.screenshot_of(clip).await);
            assert!(picture.len() <= MAX_BYTES, "{name} has {} bytes", picture.len());
            std::fs::write(file, picture).expect("a picture can be written");
        }
        assert!(switch_language(page).await, "the page has one language");
    }
    page.set_screen(1440, 900, "light").await;
}

/// Text of a guide about the first day, in Chinese and in English.
pub fn guides(name: &str) -> [String; 2] {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide");
    [format!("{folder}/{name}.zh-CN.md"), format!("{folder}/{name}.md")].map(|path| {
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    })
}

fn guide_folder() -> PathBuf {
    let folder =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pictures/first-day"));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// Writes a picture with at most 256 colours, in less than half the bytes.
fn with_few_colors(picture: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(Cursor::new(picture)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a picture of usual size")];
    let info = reader.next_frame(&mut pixels).expect("a whole picture");
    let channels = info.color_type.samples();
    let reduced = |value: u8| {
        let level = (u32::from(value) * (LEVELS - 1) + 127) / 255;
        u8::try_from(level * 255 / (LEVELS - 1)).expect("at most 255")
    };
    let colors: Vec<[u8; 3]> = pixels[..info.buffer_size()]
        .chunks(channels)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]].map(reduced))
        .collect();
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    for color in &colors {
        *counts.entry(*color).or_default() += 1;
    }
    let mut palette: Vec<_> = counts.into_iter().collect();
    palette.sort_by_key(|(color, count)| (std::cmp::Reverse(*count), *color));
    let palette: Vec<[u8; 3]> = palette.into_iter().take(256).map(|(color, _)| color).collect();
    let mut indices: HashMap<[u8; 3], u8> = (0..=255).zip(&palette).map(|(n, c)| (*c, n)).collect();
    let indexed: Vec<u8> = colors
        .iter()
        .map(|color| *indices.entry(*color).or_insert_with(|| nearest(&palette, color)))
        .collect();

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, info.width, info.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&indexed).expect("the pixels");
    writer.finish().expect("the end");
    bytes
}

fn nearest(palette: &[[u8; 3]], color: &[u8; 3]) -> u8 {
    let distance = |other: &[u8; 3]| -> u32 {
        (0..3).map(|n| u32::from(other[n].abs_diff(color[n])).pow(2)).sum()
    };
    let (n, _) = (0..=255).zip(palette).min_by_key(|(_, other)| distance(other)).expect("a colour");
    n
}

/// Place of an element on its page, with a margin.
const CLIP_SCRIPT: &str = "
const element = [...document.querySelectorAll(arguments[0])].find(one => one.checkVisibility());
if (!element) return {};
// A picture beyond the screen has no bar to scroll, and so another width.
document.documentElement.style.scrollbarWidth = 'none';
window.scrollTo(0, 0);
const box = element.getBoundingClientRect();
const left = Math.max(0, box.left - 8);
return {
  x: left, y: Math.max(0, box.top + window.scrollY - 8),
  width: Math.min(box.right + 8, innerWidth) - left, height: box.height + 16, scale: 1,
};";
