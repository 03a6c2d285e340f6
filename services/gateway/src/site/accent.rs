//! Accent colour of a site's pages: the shades of it that can be read on light and dark pages and
//! on paper, with the contrast that WCAG 2.2 asks of text.

use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Contrast of text with what is behind it, at least.
pub const MIN_CONTRAST: f64 = 4.5;

/// Backgrounds of light and of dark pages that the accent stands on, as in `base.css`.
const LIGHT_BACKGROUNDS: [Rgb; 2] = [Rgb(0xff, 0xff, 0xff), Rgb(0xf3, 0xf5, 0xf4)];
const DARK_BACKGROUNDS: [Rgb; 2] = [Rgb(0x0c, 0x12, 0x10), Rgb(0x16, 0x20, 0x1c)];

/// Text on pages, which stands on tints.
const LIGHT_TEXT: Rgb = Rgb(0x12, 0x20, 0x1b);
const DARK_TEXT: Rgb = Rgb(0xee, 0xf3, 0xf0);

/// Text on the accent.
const ON_LIGHT_ACCENT: Rgb = Rgb(0xff, 0xff, 0xff);
const ON_DARK_ACCENT: Rgb = Rgb(0x04, 0x15, 0x0e);

const BLACK: Rgb = Rgb(0, 0, 0);
const WHITE: Rgb = Rgb(0xff, 0xff, 0xff);

/// Parts of a hundred by which a shade is corrected at a time.
const STEP: u8 = 2;

/// Colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Text that is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a colour such as #0b6b52")]
pub struct InvalidColour;

impl FromStr for Rgb {
    type Err = InvalidColour;

    fn from_str(text: &str) -> Result<Rgb, InvalidColour> {
        let digits = text.strip_prefix('#').ok_or(InvalidColour)?;
        let bytes = hex::decode(digits).map_err(|_| InvalidColour)?;
        match bytes[..] {
            [red, green, blue] => Ok(Rgb(red, green, blue)),
            _ => Err(InvalidColour),
        }
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rgb(red, green, blue) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Rgb {
    /// Returns a mixture: so many parts of a hundred of the other colour.
    fn mixed(self, other: Rgb, percent: u8) -> Rgb {
        let part = |own: u8, other: u8| {
            let sum =
                u32::from(own) * u32::from(100 - percent) + u32::from(other) * u32::from(percent);
            (sum / 100) as u8
        };
        Rgb(part(self.0, other.0), part(self.1, other.1), part(self.2, other.2))
    }

    /// Relative luminance, as WCAG defines it.
    fn luminance(self) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

/// Contrast of two colours, from 1 to 21.
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (one.luminance(), other.luminance());
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Shades of an accent on one kind of page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shades {
    /// The accent, as text and behind text.
    pub accent: Rgb,
    /// Text on it.
    pub on_accent: Rgb,
    /// Background of marked parts.
    pub tint: Rgb,
}

/// Shades of an accent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    /// On light pages and on paper.
    pub light: Shades,
    /// On dark pages.
    pub dark: Shades,
}

impl Accent {
    /// Computes the shades of a colour that can be read. One that can be read already stays.
    pub fn of(colour: Rgb) -> Accent {
        let light = |accent: Rgb| {
            let tint = accent.mixed(WHITE, 88);
            let shades = Shades { accent, on_accent: ON_LIGHT_ACCENT, tint };
            shades.can_be_read(&LIGHT_BACKGROUNDS, LIGHT_TEXT).then_some(shades)
        };
        let dark = |accent: Rgb| {
            let tint = accent.mixed(DARK_BACKGROUNDS[0], 78);
            let shades = Shades { accent, on_accent: ON_DARK_ACCENT, tint };
            shades.can_be_read(&DARK_BACKGROUNDS, DARK_TEXT).then_some(shades)
        };
        Accent {
            light: first_readable(colour, BLACK, light),
            dark: first_readable(colour, WHITE, dark),
        }
    }

    /// Returns the style sheet that gives the shades to the pages of a site.
    pub fn style(&self) -> String {
        let variables = |Shades { accent, on_accent, tint }: Shades| {
            format!("--accent:{accent};--on-accent:{on_accent};--accent-tint:{tint}")
        };
        let Accent { light, dark } = *self;
        format!(
            ":root{{--accent-ink:{};--accent-ink-tint:{};{}}}\n\
             @media (prefers-color-scheme:dark){{:root{{{}}}}}\n",
            light.accent,
            light.tint,
            variables(light),
            variables(dark)
        )
    }
}

impl Shades {
    /// The accent is text on pages and tints, and behind text; and text stands on tints.
    fn can_be_read(&self, backgrounds: &[Rgb], text: Rgb) -> bool {
        let behind = backgrounds.iter().chain([&self.tint, &self.on_accent]);
        behind.into_iter().all(|behind| contrast(self.accent, *behind) >= MIN_CONTRAST)
            && contrast(text, self.tint) >= MIN_CONTRAST
    }
}

fn first_readable(colour: Rgb, toward: Rgb, shades: impl Fn(Rgb) -> Option<Shades>) -> Shades {
    let steps = (0..=100u8).step_by(usize::from(STEP));
    let mut found = steps.filter_map(|percent| shades(colour.mixed(toward, percent)));
    found.next().expect("black on light, and white on dark, can be read")
}

/// Shades of an accent, as the manager's page shows them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccentView {
    /// The colour that was asked for.
    accent: String,
    /// Its shade on light pages and on paper.
    light: String,
    /// Its shade on dark pages.
    dark: String,
    /// True if the colour itself cannot be read on light pages, so that its shade is a darker one.
    light_corrected: bool,
    /// True if the colour itself cannot be read on dark pages, so that its shade is a lighter one.
    dark_corrected: bool,
    /// Contrast of the colour itself with a light page, from 1 to 21.
    contrast_on_light: f64,
    /// Contrast of the colour itself with a dark page.
    contrast_on_dark: f64,
}

impl AccentView {
    /// Computes the view of a colour.
    pub fn of(colour: Rgb) -> AccentView {
        let Accent { light, dark } = Accent::of(colour);
        let lowest = |backgrounds: &[Rgb]| {
            let contrasts = backgrounds.iter().map(|behind| contrast(colour, *behind));
            (contrasts.fold(f64::INFINITY, f64::min) * 10.0).floor() / 10.0
        };
        AccentView {
            accent: colour.to_string(),
            light: light.accent.to_string(),
            dark: dark.accent.to_string(),
            light_corrected: light.accent != colour,
            dark_corrected: dark.accent != colour,
            contrast_on_light: lowest(&LIGHT_BACKGROUNDS),
            contrast_on_dark: lowest(&DARK_BACKGROUNDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
        assert!((contrast(WHITE, WHITE) - 1.0).abs() < 1e-9);
        // The grey that is known to be just enough on white.
        assert!(contrast(Rgb(0x76, 0x76, 0x76), WHITE) >= MIN_CONTRAST);
        assert!(contrast(Rgb(0x77, 0x77, 0x77), WHITE) < MIN_CONTRAST);
    }

    #[test]
    fn every_colour_has_shades_that_can_be_read() {
        let values = (0..=255u8).step_by(15);
        for red in values.clone() {
            for green in values.clone() {
                for blue in values.clone() {
                    let colour = Rgb(red, green, blue);
                    let Accent { light, dark } = Accent::of(colour);
                    for behind in LIGHT_BACKGROUNDS.into_iter().chain([light.tint, light.on_accent])
                    {
                        assert!(
                            contrast(light.accent, behind) >= MIN_CONTRAST,
                            "{colour} {behind}"
                        );
                    }
                    for behind in DARK_BACKGROUNDS.into_iter().chain([dark.tint, dark.on_accent]) {
                        assert!(contrast(dark.accent, behind) >= MIN_CONTRAST, "{colour} {behind}");
                    }
                    assert!(contrast(LIGHT_TEXT, light.tint) >= MIN_CONTRAST, "{colour}");
                    assert!(contrast(DARK_TEXT, dark.tint) >= MIN_CONTRAST, "{colour}");
                }
            }
        }
    }

    #[test]
    fn a_colour_that_can_be_read_stays_and_another_is_said_to_be_corrected() {
        let view = |text: &str| AccentView::of(text.parse().unwrap());
        let green = view("#0b6b52");
        assert_eq!((&*green.light, green.light_corrected), ("#0b6b52", false));
        assert!(green.dark_corrected && green.contrast_on_dark < MIN_CONTRAST);
        let yellow = view("#FFCC00");
        assert!(yellow.light_corrected && !yellow.dark_corrected, "{yellow:?}");
        assert_eq!(yellow.dark, "#ffcc00");
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        for bad in [
            "",
            "#",
            "#fff",
            "0b6b52",
            "#0b6b5",
            "#0b6b522",
            "#0b6b5g",
            "red",
            "#ＦＦ0000",
            "#0b6b52;}",
        ] {
            assert_eq!(bad.parse::<Rgb>(), Err(InvalidColour), "{bad}");
        }
    }

    #[test]
    fn the_usual_colours_are_those_of_the_style_sheet() {
        let base = include_str!("../../web/shared/base.css");
        for (name, colours) in [
            ("--page", [LIGHT_BACKGROUNDS[1], DARK_BACKGROUNDS[0]]),
            ("--text", [LIGHT_TEXT, DARK_TEXT]),
            ("--on-accent", [ON_LIGHT_ACCENT, ON_DARK_ACCENT]),
        ] {
            let values: Vec<_> = base
                .lines()
                .filter_map(|line| {
                    line.trim().strip_prefix(name)?.strip_prefix(": ")?.strip_suffix(';')
                })
                .map(|value| if value == "#fff" { "#ffffff" } else { value })
                .collect();
            assert_eq!(values, colours.map(|colour| colour.to_string()), "{name}");
        }
    }
}
