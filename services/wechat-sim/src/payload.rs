//! XML bodies of pushes, laid out like captured ones: one element a line, text in CDATA.

use std::fmt::Write as _;

/// An XML body under construction.
#[derive(Debug)]
pub(crate) struct Payload(String);

impl Payload {
    /// Starts a body with the elements that every push has; `created` is in Unix seconds.
    pub(crate) fn new(to: &str, from: &str, created: u64, kind: &str) -> Self {
        Self("<xml>".into())
            .text("ToUserName", to)
            .text("FromUserName", from)
            .number("CreateTime", created)
            .text("MsgType", kind)
    }

    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        let value = value.replace("]]>", "]]]]><![CDATA[>");
        writeln!(self.0, "<{name}><![CDATA[{value}]]></{name}>").expect("a string takes all");
        self
    }

    /// Adds the customer's own words. `]]>` in them ends the section early unless it is split.
    pub(crate) fn customer_text(mut self, name: &str, value: &str, split: bool) -> Self {
        if split {
            return self.text(name, value);
        }
        writeln!(self.0, "<{name}><![CDATA[{value}]]></{name}>").expect("a string takes all");
        self
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        writeln!(self.0, "<{name}>{value}</{name}>").expect("a string takes all");
        self
    }

    /// Adds an element that contains the elements added by `inner`.
    pub(crate) fn element(mut self, name: &str, inner: impl FnOnce(Self) -> Self) -> Self {
        writeln!(self.0, "<{name}>").expect("a string takes all");
        self = inner(self);
        writeln!(self.0, "</{name}>").expect("a string takes all");
        self
    }

    pub(crate) fn finish(self) -> String {
        self.0 + "</xml>"
    }
}

#[cfg(test)]
mod tests {
    use super::Payload;

    #[test]
    fn a_follow_by_scanning_is_laid_out_as_captured() {
        let ticket = "gQGP8DwAAAAAAAAAAS5odHRwOi8vd2VpeGluLnFxLmNvbS9xLzAybUdKYm9weGFjU0cxeFJVajF6MU0AAgSFN5NjAwTwAAAA";
        let made =
            Payload::new("gh_de0f036ce08f", "ooUo26seZPcU3qKfcMiXLneG3fO4", 1_670_592_443, "event")
                .text("Event", "subscribe")
                .text("EventKey", "qrscene_110")
                .text("Ticket", ticket)
                .finish();
        let captured = format!(
            "<xml><ToUserName><![CDATA[gh_de0f036ce08f]]></ToUserName>\n\
             <FromUserName><![CDATA[ooUo26seZPcU3qKfcMiXLneG3fO4]]></FromUserName>\n\
             <CreateTime>1670592443</CreateTime>\n\
             <MsgType><![CDATA[event]]></MsgType>\n\
             <Event><![CDATA[subscribe]]></Event>\n\
             <EventKey><![CDATA[qrscene_110]]></EventKey>\n\
             <Ticket><![CDATA[{ticket}]]></Ticket>\n\
             </xml>"
        );
        assert_eq!(made, captured);
    }

    #[test]
    fn text_leaves_its_cdata_only_as_a_customers_own_words() {
        let head = || Payload::new("gh_a", "o", 1, "text");
        for split in [
            head().text("Content", "a]]>b").finish(),
            head().customer_text("Content", "a]]>b", true).finish(),
        ] {
            assert!(split.contains("<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>"));
        }
        let raw = head().customer_text("Content", "a]]>b", false).finish();
        assert!(raw.contains("<Content><![CDATA[a]]>b]]></Content>"));
    }
}
