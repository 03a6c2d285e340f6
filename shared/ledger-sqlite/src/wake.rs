//! Change notifications by name of a log, consumer or queue.

use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::watch;

/// One channel for each name. The names are few and never removed.
#[derive(Default)]
pub(crate) struct ChangeNotifier(Mutex<HashMap<String, watch::Sender<()>>>);

impl ChangeNotifier {
    /// Subscribes to all changes after this call.
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
