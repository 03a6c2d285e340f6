//! Length of texts as WeChat counts it, in bytes of UTF-8, and their cutting.
//!
//! WeChat replaces a passive text that is longer by a sentence about a fault of the account, and
//! answers 45002 to such a customer-service text. So whatever leaves this crate as a text has been
//! cut here.

use std::borrow::Cow;

/// Bytes of a text that WeChat takes. Unpublished: several people measured 2,047 bytes for passive
/// replies, and WeChat's documents name 2,048 for customer-service texts.
pub const MAX_TEXT_BYTES: usize = 2047;

/// Mark of a text that was cut.
const ELLIPSIS: &str = "…";

/// Bytes of the whole lines that a cut must keep of those that fit; otherwise it is made within a
/// line.
const MIN_LINES_SHARE: (usize, usize) = (3, 4);

/// Cuts a text to [`MAX_TEXT_BYTES`] if it is longer: after a line if that loses little, otherwise
/// on a character, and never inside a link. A link that is the text's last line stays, whole.
pub fn fit_text(text: &str) -> Cow<'_, str> {
    fit_within(text, MAX_TEXT_BYTES)
}

fn fit_within(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    let (body, link) = split_link(text);
    let tail = format!("{ELLIPSIS}{link}");
    match max.checked_sub(tail.len()) {
        Some(room) => format!("{}{tail}", cut(body, room)).into(),
        // No room for the link: the words are worth more than a part of it.
        None => match max.checked_sub(ELLIPSIS.len()) {
            Some(room) => format!("{}{ELLIPSIS}", cut(body, room)).into(),
            None => Cow::default(),
        },
    }
}

/// Divides a text into its words and the link that is its last line, with the feeds before it.
fn split_link(text: &str) -> (&str, &str) {
    let start = text.rfind('\n').map_or(0, |feed| feed + 1);
    if text[start..].starts_with("<a ") && text.ends_with("</a>") {
        text.split_at(text[..start].trim_end_matches('\n').len())
    } else {
        (text, "")
    }
}

/// Longest beginning of at most `room` bytes that ends neither inside a character nor inside a
/// link, and after a line if that loses little.
fn cut(text: &str, room: usize) -> &str {
    let room = room.min(text.len());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let kept = &text[..end];
    let kept = match kept.rfind("<a ") {
        Some(link) if !kept[link..].contains("</a>") => &kept[..link],
        _ => kept,
    };
    let lines = kept.rfind('\n').map_or("", |feed| &kept[..feed]);
    let (part, whole) = MIN_LINES_SHARE;
    let cut = if lines.len() * whole >= kept.len() * part { lines } else { kept };
    cut.trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINK: &str = "<a href=\"https://queue.example/t/hall/1\">查看进度</a>";

    #[test]
    fn a_text_that_fits_stays_as_it_is() {
        let text = "号".repeat(682) + "!";
        assert_eq!(text.len(), MAX_TEXT_BYTES);
        assert_eq!(fit_text(&text), text);
        assert_eq!(fit_text(""), "");
    }

    #[test]
    fn a_longer_one_is_cut_after_a_line_or_on_a_character_and_keeps_its_link() {
        let lines = "一二三四五六七八九\n".repeat(100);
        let cut = fit_text(&lines);
        assert!(cut.lines().all(|line| line.chars().count() >= 9), "{cut}");
        assert!(cut.len() > MAX_TEXT_BYTES - 40 && cut.ends_with("九…"), "{cut}");
        let one_line = "号".repeat(700);
        assert_eq!(fit_text(&one_line).len(), 681 * 3 + ELLIPSIS.len());
        let linked = format!("{lines}\n{LINK}");
        assert!(fit_text(&linked).ends_with(&format!("九…\n\n{LINK}")));
        let links = format!("{LINK}\n").repeat(60);
        let cut = fit_text(&links);
        assert_eq!(cut.matches("<a ").count(), cut.matches("</a>").count());
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,40}",
            "[号码大厅\\n ]{0,60}",
            Just("\n".to_owned()),
            Just(LINK.to_owned()),
            Just(format!("\n\n{LINK}")),
        ]
    }

    proptest! {
        #[test]
        fn a_cut_is_within_the_bound_and_leaves_every_link_whole(
            pieces in proptest::collection::vec(piece(), 0..60),
            max in 0_usize..1500,
        ) {
            let text = pieces.concat();
            let cut = fit_within(&text, max);
            prop_assert!(cut.len() <= max);
            if text.len() <= max {
                prop_assert_eq!(&cut, &text);
                return Ok(());
            }
            let opened = cut.matches("<a href").count();
            prop_assert_eq!(opened, cut.matches(LINK).count(), "{}", cut);
            let (body, link) = split_link(&text);
            let kept = cut.strip_suffix(link).unwrap_or(&cut);
            let words = kept.trim_end_matches(ELLIPSIS);
            prop_assert!(body.starts_with(words) || body.starts_with(kept), "{}", cut);
            if max >= link.len() + ELLIPSIS.len() {
                prop_assert!(cut.ends_with(link), "{}", cut);
            }
        }
    }
}
