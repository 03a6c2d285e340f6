//! Cache of drawn codes, and of WeChat's pictures of them.
//!
//! Anybody may ask for the picture of a code, as often as they like: it is drawn, or fetched from
//! WeChat, once. The cache is bounded in memory, and the oldest go first.

use super::qr::{self, TextTooLong};
use bytes::Bytes;
use paihao_wechat::Picture;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Most bytes of pictures that are kept.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// Most pictures that are kept.
const MAX_KEPT_DRAWINGS: usize = 2048;

/// Key of a drawing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum DrawingKey {
    /// SVG of a text for a screen.
    Svg(String),
    /// SVG of a text for printing.
    PosterSvg(String),
    /// PNG of a text.
    Png(String),
    /// WeChat's own picture, by its ticket.
    Wechat(String),
}

/// Picture of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawing {
    pub(crate) content_type: Arc<str>,
    pub(crate) bytes: Bytes,
}

impl Drawing {
    fn new(content_type: &str, bytes: impl Into<Bytes>) -> Drawing {
        Drawing { content_type: content_type.into(), bytes: bytes.into() }
    }
}

/// Cache of drawings.
pub(crate) struct DrawingCache {
    max_bytes: usize,
    max_count: usize,
    kept: Mutex<KeptDrawings>,
}

#[derive(Default)]
struct KeptDrawings {
    drawings: HashMap<DrawingKey, Arc<OnceCell<Drawing>>>,
    /// Keys of the finished drawings, oldest first, with their sizes.
    finished: VecDeque<(DrawingKey, usize)>,
    bytes: usize,
}

impl Default for DrawingCache {
    fn default() -> Self {
        DrawingCache::new(MAX_KEPT_BYTES, MAX_KEPT_DRAWINGS)
    }
}

impl DrawingCache {
    fn new(max_bytes: usize, max_count: usize) -> DrawingCache {
        DrawingCache { max_bytes, max_count, kept: Mutex::default() }
    }

    /// Draws a text as an SVG for a screen.
    pub(crate) async fn svg(&self, text: &str) -> Result<Drawing, TextTooLong> {
        let draw = async || qr::svg(text).map(|svg| Drawing::new("image/svg+xml", svg));
        self.get_or_draw(DrawingKey::Svg(text.to_owned()), draw).await
    }

    /// Draws a text as an SVG for printing.
    pub(crate) async fn poster_svg(&self, text: &str) -> Result<Drawing, TextTooLong> {
        let draw = async || qr::poster_svg(text).map(|svg| Drawing::new("image/svg+xml", svg));
        self.get_or_draw(DrawingKey::PosterSvg(text.to_owned()), draw).await
    }

    /// Draws a text as a PNG.
    pub(crate) async fn png(&self, text: &str) -> Result<Drawing, TextTooLong> {
        let draw = async || qr::png(text).map(|png| Drawing::new("image/png", png));
        self.get_or_draw(DrawingKey::Png(text.to_owned()), draw).await
    }

    /// Returns WeChat's own picture of a code, which `fetch` gets if it is not kept.
    pub(crate) async fn wechat<E>(
        &self,
        ticket: &str,
        fetch: impl AsyncFnOnce() -> Result<Picture, E>,
    ) -> Result<Drawing, E> {
        let fetch = async || {
            let Picture { content_type, bytes } = fetch().await?;
            Ok(Drawing::new(&content_type, bytes))
        };
        self.get_or_draw(DrawingKey::Wechat(ticket.to_owned()), fetch).await
    }

    /// Returns a drawing, which `draw` makes if it is not kept. Those who ask at the same time wait
    /// for one drawing.
    async fn get_or_draw<E>(
        &self,
        key: DrawingKey,
        draw: impl AsyncFnOnce() -> Result<Drawing, E>,
    ) -> Result<Drawing, E> {
        let cell = self.kept.lock().drawings.entry(key.clone()).or_default().clone();
        let mut is_new = false;
        let drawn = cell
            .get_or_try_init(async || {
                is_new = true;
                draw().await
            })
            .await;
        match drawn {
            Ok(drawing) => {
                let drawing = drawing.clone();
                if is_new {
                    self.finish(key, drawing.bytes.len());
                }
                Ok(drawing)
            }
            Err(error) => {
                self.discard_unfinished(&key, &cell);
                Err(error)
            }
        }
    }

    /// Keeps a drawing, in the place of the oldest ones if need be.
    fn finish(&self, key: DrawingKey, bytes: usize) {
        let mut kept = self.kept.lock();
        kept.bytes += bytes;
        kept.finished.push_back((key, bytes));
        while kept.bytes > self.max_bytes || kept.finished.len() > self.max_count {
            let Some((oldest, bytes)) = kept.finished.pop_front() else { break };
            kept.drawings.remove(&oldest);
            kept.bytes -= bytes;
        }
    }

    /// Forgets a drawing that could not be made, unless somebody else is making it.
    fn discard_unfinished(&self, key: &DrawingKey, cell: &Arc<OnceCell<Drawing>>) {
        let mut kept = self.kept.lock();
        // The map's own and the caller's.
        if !cell.initialized() && Arc::strong_count(cell) <= 2 {
            kept.drawings.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn drawing(size: usize) -> Drawing {
        Drawing::new("image/png", vec![0; size])
    }

    #[tokio::test]
    async fn a_code_is_drawn_once_however_many_ask_for_it() {
        let cache = DrawingCache::default();
        let drawn = AtomicUsize::new(0);
        let ask = async || {
            let draw = async || {
                drawn.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(drawing(10))
            };
            cache.get_or_draw(DrawingKey::Wechat("ticket".to_owned()), draw).await.unwrap()
        };
        let all = futures::future::join_all((0..50).map(|_| ask())).await;
        assert!(all.iter().all(|picture| *picture == drawing(10)));
        assert_eq!(drawn.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_is_kept_has_a_bound_in_bytes_and_in_number_and_the_oldest_goes_first() {
        for (max_bytes, max_count) in [(100, 1000), (1 << 20, 10)] {
            let cache = DrawingCache::new(max_bytes, max_count);
            for index in 0..500 {
                let draw = async || Ok::<_, Infallible>(drawing(10));
                cache.get_or_draw(DrawingKey::Svg(index.to_string()), draw).await.unwrap();
                let kept = cache.kept.lock();
                assert!(kept.bytes <= max_bytes && kept.finished.len() <= max_count);
                assert_eq!(kept.drawings.len(), kept.finished.len());
            }
            let redrawn = |text: &'static str| {
                let cache = &cache;
                async move {
                    let mut is_new = false;
                    let draw = async || {
                        is_new = true;
                        Ok::<_, Infallible>(drawing(10))
                    };
                    cache.get_or_draw(DrawingKey::Svg(text.to_owned()), draw).await.unwrap();
                    is_new
                }
            };
            assert!(!redrawn("499").await && redrawn("0").await);
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let cache = DrawingCache::default();
        let failed = cache.get_or_draw(DrawingKey::Png("x".to_owned()), async || Err("no")).await;
        assert_eq!(failed, Err("no"));
        assert!(cache.kept.lock().drawings.is_empty());
        let draw = async || Ok::<_, &str>(drawing(1));
        assert_eq!(cache.get_or_draw(DrawingKey::Png("x".to_owned()), draw).await, Ok(drawing(1)));
    }
}
