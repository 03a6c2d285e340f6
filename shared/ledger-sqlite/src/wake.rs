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
        let mut channels = self.0.lock();
        match channels.get(name) {
            Some(channel) => channel.subscribe(),
            None => channels.entry(name.to_owned()).or_default().subscribe(),
        }
    }

    pub(crate) fn notify(&self, name: &str) {
        if let Some(channel) = self.0.lock().get(name) {
            channel.send_replace(());
        }
    }
}
