//! Scenes: the content of QR codes, letters, digits, `-` and `_`, 64 at most.

use paihao_chassis::entropy;

/// Scene that this system made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scene {
    /// Permanent code of a queue, printed and hung up; it works without any session.
    Queue {
        /// The site's id.
        site: String,
        /// The queue's id.
        queue: String,
    },
    /// Code of a scan session: random, and known only to the cache.
    Session(String),
}

impl Scene {
    /// Makes a new scene for a session: 128 random bits.
    pub fn new_session() -> String {
        format!("s_{}", entropy::token(16))
    }

    /// Returns the scene of a queue's permanent code.
    pub fn for_queue(site: &str, queue: &str) -> String {
        format!("q_{site}_{queue}")
    }

    /// Parses a scene; `None` if this system did not make it.
    pub fn parse(scene: &str) -> Option<Scene> {
        if scene.starts_with("s_") {
            return Some(Scene::Session(scene.to_owned()));
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
    }
}
