//! Replies about several tickets, with as much about each as one text of WeChat's holds.

use crate::http::replies;
use crate::settings::SiteSettings;
use paihao_domain::{Outcome, QueueId, Refusal, TicketStanding, Timestamp};
use paihao_wechat::text::{MAX_TEXT_BYTES, fit_text};

/// Text about one ticket.
#[derive(Debug, Clone)]
pub(super) struct TicketText {
    /// Everything about the ticket.
    pub(super) full: String,
    /// One line about it.
    pub(super) short: String,
    /// Its number; empty if it has none.
    pub(super) number: String,
}

impl TicketText {
    /// State of a ticket, with the link to its page.
    pub(super) fn state(
        settings: &SiteSettings,
        outcome: &Outcome,
        at: Timestamp,
        url: Option<&str>,
    ) -> Self {
        let full = replies::with_link(replies::ticket_reply(settings, outcome, at), url);
        let Outcome::Holding { number, .. } = outcome else { return TicketText::bare(full) };
        let number = number.to_string();
        let shown = match url {
            Some(url) => format!("<a href=\"{url}\">{number}</a>"),
            None => number.clone(),
        };
        let short = format!("{shown} {}", replies::ticket_line(settings, outcome, at));
        TicketText { full, short, number }
    }

    /// Confirmation that a ticket was given up.
    pub(super) fn cancelled(settings: &SiteSettings, outcome: &Outcome) -> Self {
        let full = replies::cancelled_reply(settings, outcome);
        let Outcome::Left { number, .. } = outcome else { return TicketText::bare(full) };
        let number = number.to_string();
        let short = format!("已取消 {number} · given up · {}", settings.facts.name);
        TicketText { full, short, number }
    }

    /// State of a ticket that left the line for a while or is back, with the word that ends it.
    pub(super) fn changed(
        settings: &SiteSettings,
        outcome: &Outcome,
        back: Option<&str>,
        at: Timestamp,
        url: Option<&str>,
    ) -> Self {
        let full = replies::with_link(replies::changed_reply(settings, outcome, back, at), url);
        let Outcome::TicketChanged { number, .. } = outcome else { return TicketText::bare(full) };
        let number = number.to_string();
        let short = replies::changed_reply(settings, outcome, None, at);
        let short = short.lines().next().unwrap_or_default().to_owned();
        TicketText { full, short, number }
    }

    /// Reason why a ticket stays as it is, and how it stands; `None` if there is none.
    pub(super) fn refused(
        settings: &SiteSettings,
        refusal: &Refusal,
        held: Option<(&QueueId, &TicketStanding)>,
        at: Timestamp,
    ) -> Option<Self> {
        let full = replies::ticket_refusal_reply(settings, refusal, held, at)?;
        let short = full.lines().next().unwrap_or_default().to_owned();
        let number = match refusal {
            Refusal::WrongState { number, .. }
            | Refusal::TooOften(number)
            | Refusal::TooLate(number)
            | Refusal::TicketEnded(number) => number.to_string(),
            _ => String::new(),
        };
        Some(TicketText { full, short, number })
    }

    fn bare(text: String) -> Self {
        TicketText { short: text.clone(), full: text, number: String::new() }
    }
}

/// Joins the texts: as many in full as leave room for a line about each other one; if the lines
/// alone are too long, the last tickets are named by their numbers.
pub(super) fn join(texts: &[TicketText]) -> String {
    let with_full = (0..=texts.len()).rev().map(|count| {
        let (in_full, in_short) = texts.split_at(count);
        let lines = lines(in_short);
        let blocks = in_full.iter().map(|text| &*text.full).chain([&*lines]);
        blocks.filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n\n")
    });
    let with_numbers = (0..texts.len()).rev().map(|count| {
        let (in_short, rest) = texts.split_at(count);
        let numbers: Vec<&str> = rest.iter().map(|text| &*text.number).collect();
        format!("{}\n\n另有 · Also: {}", lines(in_short), numbers.join(" "))
    });
    let forms = with_full.chain(with_numbers);
    let fitting = |form: &String| form.len() <= MAX_TEXT_BYTES;
    let mut shortest = String::new();
    for form in forms {
        if fitting(&form) {
            return form;
        }
        shortest = form;
    }
    fit_text(&shortest).into_owned()
}

fn lines(texts: &[TicketText]) -> String {
    texts.iter().map(|text| &*text.short).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::replies::samples;

    /// Texts of the largest and of usual tickets, in every state.
    fn texts(count: usize, names: &samples::Names) -> Vec<TicketText> {
        let settings = samples::settings(names);
        let url = Some(&*names.url).filter(|url| !url.is_empty());
        let ticket = |index: u32| {
            let outcomes = samples::outcomes(&names.with_serial(names.serial() - index));
            match &outcomes[index as usize % outcomes.len()] {
                left @ Outcome::Left { .. } => TicketText::cancelled(&settings, left),
                holding => TicketText::state(&settings, holding, Timestamp(0), url),
            }
        };
        (0..count as u32).map(ticket).collect()
    }

    #[test]
    fn any_number_of_tickets_fits_and_none_goes_unnamed() {
        for names in samples::names() {
            for count in 1..=20 {
                let texts = texts(count, &names);
                let text = join(&texts);
                assert!(text.len() <= MAX_TEXT_BYTES, "{count}: {} bytes", text.len());
                assert_eq!(text.matches("<a ").count(), text.matches("</a>").count(), "{text}");
                for ticket in &texts {
                    assert!(text.contains(&ticket.number), "{count}: {text}");
                }
            }
        }
    }

    #[test]
    fn what_fits_is_said_in_full() {
        let names = &samples::names()[0];
        let full = |count: usize| {
            let texts = texts(count, names);
            texts.iter().map(|text| text.full.clone()).collect::<Vec<_>>().join("\n\n")
        };
        assert_eq!(join(&texts(1, names)), full(1));
        let most = (1..20).rev().find(|count| full(*count).len() <= MAX_TEXT_BYTES).unwrap();
        assert_eq!(join(&texts(most, names)), full(most));
        let texts = texts(most + 1, names);
        let more = join(&texts);
        let fits = |count: &usize| {
            full(*count).len() + "\n\n".len() + lines(&texts[*count..]).len() <= MAX_TEXT_BYTES
        };
        let in_full = (1..=most).rev().find(fits).unwrap();
        assert!(more.starts_with(&full(in_full)), "{more}");
        assert!(texts[in_full..].iter().all(|text| more.contains(&text.short)), "{more}");
    }
}
