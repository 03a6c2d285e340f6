//! Record of the stored forms of newer programs that a reader has met.

use paihao_contracts::envelope::NewerForm;
use parking_lot::Mutex;
use std::collections::BTreeSet;

/// Forms of newer programs in one log or queue. Each is logged once.
pub(crate) struct NewerForms {
    stream: &'static str,
    seen: Mutex<BTreeSet<NewerForm>>,
}

impl NewerForms {
    pub(crate) fn new(stream: &'static str) -> NewerForms {
        NewerForms { stream, seen: Mutex::default() }
    }

    /// Counts a value, and logs the first one of its form and version.
    pub(crate) fn record(&self, newer: NewerForm) {
        let NewerForm { form, version, known } = newer;
        metrics::counter!("paihao_newer_forms_total", "stream" => self.stream, "form" => form)
            .increment(1);
        if self.seen.lock().insert(newer) {
            let stream = self.stream;
            tracing::warn!(
                stream,
                form,
                version,
                known,
                "a newer program wrote what this one cannot read, leaving it alone"
            );
        }
    }
}
