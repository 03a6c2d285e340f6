//! Who waits for something new, by the name of what it waits for.

use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::watch;

/// A bell for each log, consumer and queue. Names are few and stay.
#[derive(Default)]
pub(crate) struct ChangeNotifier(Mutex<HashMap<String, watch::Sender<()>>>);

impl ChangeNotifier {
    /// Hears of everything rung after this call.
    pub(crate) fn subscribe(&self, name: &str) -> watch::Receiver<()> {
        let mut bells = self.0.lock();
        match bells.get(name) {
            Some(bell) => bell.subscribe(),
            None => bells.entry(name.to_owned()).or_default().subscribe(),
        }
    }

    pub(crate) fn notify(&self, name: &str) {
        if let Some(bell) = self.0.lock().get(name) {
            bell.send_replace(());
        }
    }
}
