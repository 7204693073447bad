//! Cancellation that costs nothing until somebody waits for it: most calls are over before.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering, fence},
};

use tokio_util::sync::CancellationToken;

/// One node of a tree of cancellations. The token is only made when it is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<Node>);

#[derive(Debug, Default)]
struct Node {
    above: Option<Cancel>,
    cancelled: AtomicBool,
    token: OnceLock<CancellationToken>,
}

impl Cancel {
    /// Cancelled together with this one, or alone.
    pub(crate) fn child(&self) -> Self {
        Self(Arc::new(Node { above: Some(self.clone()), ..Node::default() }))
    }

    /// What others wait for.
    pub(crate) fn token(&self) -> &CancellationToken {
        let node = &*self.0;
        let token = node.token.get_or_init(|| match &node.above {
            Some(above) => above.token().child_token(),
            None => CancellationToken::new(),
        });
        // Whoever cancels sets the flag before it looks for a token, and here a token is there
        // before the flag is read: at least one of the two sees the other.
        fence(Ordering::SeqCst);
        if node.cancelled.load(Ordering::Relaxed) {
            token.cancel();
        }
        token
    }

    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(token) = self.0.token.get() {
            token.cancel();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        let node = &*self.0;
        node.cancelled.load(Ordering::Acquire)
            || match (node.token.get(), &node.above) {
                (Some(token), _) => token.is_cancelled(),
                (None, Some(above)) => above.is_cancelled(),
                (None, None) => false,
            }
    }

    /// Resolves once it is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.token().cancelled().await;
    }
}

impl From<CancellationToken> for Cancel {
    fn from(token: CancellationToken) -> Self {
        Self(Arc::new(Node { token: token.into(), ..Node::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_cancelled_with_its_parent_whether_or_not_anybody_waits() {
        for waits in [false, true] {
            let root = Cancel::default();
            let (child, sibling) = (root.child().child(), root.child());
            if waits {
                assert!(!child.token().is_cancelled());
            }
            sibling.cancel();
            assert!(sibling.is_cancelled() && sibling.token().is_cancelled());
            assert!(!root.is_cancelled() && !child.is_cancelled());
            root.cancel();
            assert!(child.is_cancelled() && child.token().is_cancelled());
        }
    }

    #[test]
    fn a_token_from_outside_cancels_what_is_below_it() {
        let outside = CancellationToken::new();
        let below = Cancel::from(outside.child_token()).child();
        outside.cancel();
        assert!(below.is_cancelled() && below.token().is_cancelled());
    }

    #[test]
    fn who_asks_for_a_token_while_another_thread_cancels_gets_a_cancelled_one() {
        for _ in 0..2_000 {
            let cancel = Cancel::default();
            let token = std::thread::scope(|scope| {
                let asks = scope.spawn(|| cancel.token().clone());
                cancel.cancel();
                asks.join().unwrap()
            });
            assert!(token.is_cancelled());
        }
    }
}
