//! Scenes: the content of QR codes, up to 64 letters, digits, `-` and `_`.

use paihao_chassis::entropy;

/// Scene of this system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scene {
    /// Permanent code of a queue, which is printed; it needs no session.
    Queue {
        /// Id of the site.
        site: String,
        /// Id of the queue.
        queue: String,
    },
    /// Code of a scan session: random, and known only to the cache.
    Session(String),
}

/// Random bytes in the scene of a session.
const SESSION_TOKEN_BYTES: usize = 16;

impl Scene {
    /// Generates the scene of a session: 128 random bits.
    pub fn new_session() -> String {
        format!("s_{}", entropy::token(SESSION_TOKEN_BYTES))
    }

    /// Returns the scene of a queue's permanent code.
    pub fn for_queue(site: &str, queue: &str) -> String {
        format!("q_{site}_{queue}")
    }

    /// Parses a scene; `None` if this system did not make it.
    pub fn parse(scene: &str) -> Option<Scene> {
        if let Some(token) = scene.strip_prefix("s_") {
            let is_ours = entropy::is_token(token, SESSION_TOKEN_BYTES);
            return is_ours.then(|| Scene::Session(scene.to_owned()));
        }
        let (site, queue) = scene.strip_prefix("q_")?.split_once('_')?;
        Some(Scene::Queue { site: site.to_owned(), queue: queue.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_code_names_its_queue() {
        let door = Scene::Queue { site: "hall-1".into(), queue: "a".into() };
        assert_eq!(Scene::parse(&Scene::for_queue("hall-1", "a")), Some(door));
    }

    #[test]
    fn a_sessions_scene_fits_wechat_and_is_never_the_same() {
        let scene = Scene::new_session();
        assert!(scene.len() <= 64, "{scene}");
        assert!(scene.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_ne!(scene, Scene::new_session());
    }

    #[test]
    fn what_others_made_is_not_ours() {
        assert_eq!(Scene::parse("110"), None);
        assert_eq!(Scene::parse("q_hall"), None);
        assert_eq!(Scene::parse("last_trade_no_1"), None);
        assert_eq!(Scene::parse("s_summer"), None);
        let ours = Scene::new_session();
        assert_eq!(Scene::parse(&ours), Some(Scene::Session(ours.clone())));
        assert_eq!(Scene::parse(&format!("{ours}x")), None);
        assert_eq!(Scene::parse(&format!("{}.", &ours[..ours.len() - 1])), None);
    }
}
