//! Pushes that are not of this system: passed on to the owner's other systems, or to human customer
//! service.
//!
//! The account's settings and the push alone select the system. So each repeat of a push goes to
//! the same one.

use super::dispatch::{PushHandler, Reply, own_scene};
use crate::settings::ForwardTarget;
use paihao_contracts::settings::PushClass;
use paihao_wechat::callback::{AuthorizationChange, Event, MessageKind};
use paihao_wechat::forward::ForwardedReply;
use std::time::Duration;

/// Part of the time for a reply that is kept for what follows a forwarding that fails.
const FALLBACK_TIME: Duration = Duration::from_millis(500);

impl PushHandler<'_> {
    /// Replies to a push that is not of this system.
    pub(super) async fn reply_to_foreign(&self) -> Reply {
        let is_follow = matches!(self.message.kind, MessageKind::Event(Event::Subscribe { .. }));
        let forwarded = match self.target() {
            Some(target) => Box::pin(self.forward(target)).await,
            None => None,
        };
        match forwarded {
            // A new follower is greeted by one of the two.
            Some(reply) if !(is_follow && reply.is_silent()) => Reply::Forwarded(reply),
            _ if is_follow => self.text_reply(self.account.greeting.clone()),
            _ => match &self.account.customer_service {
                Some(service) if self.is_message() => {
                    Reply::Transfer { kf_account: service.kf_account.clone() }
                }
                _ => Reply::Empty,
            },
        }
    }

    /// Forwards an event that this system handles and others need too, to keep their records. Their
    /// reply is not shown.
    pub(super) async fn forward_copy(&self) {
        let is_shared = match &self.message.kind {
            MessageKind::Event(Event::Subscribe { scene, .. }) => {
                own_scene(scene.as_deref()).is_some()
            }
            MessageKind::Event(
                Event::Unsubscribe | Event::TemplateSent { .. } | Event::SubscriptionSent(_),
            ) => true,
            MessageKind::Event(Event::Authorization {
                change: AuthorizationChange::Cancelled,
                person: Some(_),
            }) => true,
            _ => false,
        };
        if is_shared && let Some(target) = self.target_of(PushClass::Events, None) {
            Box::pin(self.forward(target)).await;
        }
    }

    fn target(&self) -> Option<&ForwardTarget> {
        let (class, text) = push_class(&self.message.kind);
        self.target_of(class, text)
    }

    fn target_of(&self, class: PushClass, text: Option<&str>) -> Option<&ForwardTarget> {
        self.account.forward.iter().find(|target| target.takes(class, text))
    }

    /// Returns whether the person wrote, spoke or sent something.
    fn is_message(&self) -> bool {
        !matches!(self.message.kind, MessageKind::Event(_) | MessageKind::Other(_))
    }

    async fn forward(&self, target: &ForwardTarget) -> Option<ForwardedReply> {
        let deadline = self.deadline - FALLBACK_TIME;
        self.state.forwarder.forward(self.account_name, target, self.raw?, deadline).await
    }
}

/// Class of a push that is not of this system, with its scene, key or text.
fn push_class(kind: &MessageKind) -> (PushClass, Option<&str>) {
    match kind {
        MessageKind::Event(
            Event::Scan { scene: Some(scene), .. } | Event::Subscribe { scene: Some(scene), .. },
        ) => (PushClass::Scenes, Some(scene)),
        MessageKind::Event(
            Event::Click { key }
            | Event::MenuScan { key, .. }
            | Event::MenuPictures { key, .. }
            | Event::MenuLocation { key, .. },
        ) => (PushClass::Keys, Some(key)),
        MessageKind::Event(_) => (PushClass::Events, None),
        MessageKind::Text { content, .. } => (PushClass::Texts, Some(content)),
        MessageKind::Image { .. }
        | MessageKind::Voice { .. }
        | MessageKind::Video { .. }
        | MessageKind::Location { .. }
        | MessageKind::Link { .. }
        | MessageKind::File { .. }
        | MessageKind::Other(_) => (PushClass::Messages, None),
    }
}
