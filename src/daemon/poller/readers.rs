//! The threads on which documents are read and matched.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::{error::Elapsed, timeout};

/// How long the reading of one document may take before its poll counts as failed.
pub(super) const BUDGET: Duration = Duration::from_secs(30);

/// A document that has been read for so long gives its place to the next one, and is read on beside
/// it: one that is made to take long holds up nobody.
const SHARE: Duration = Duration::from_millis(100);

/// Places for documents that are being read, one a processor: on more threads each would be done
/// later, and each thread comes with a heap of its own.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl Readers {
    fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Does the work on a thread as soon as there is a place. Fails when it takes longer than
    /// [`BUDGET`] or panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, JoinError>, Elapsed> {
        let place = self.0.acquire().await.expect("the semaphore is never closed");
        let mut work = tokio::task::spawn_blocking(work);
        if let Ok(done) = timeout(SHARE, &mut work).await {
            return Ok(done);
        }
        drop(place);
        timeout(BUDGET - SHARE, work).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_document_waits_for_one_that_is_read_but_for_none_that_takes_long() {
        let readers = Readers::new(1);
        let (release, released) = mpsc::channel();
        let (long, short) = (readers.clone(), readers.clone());
        let long = tokio::spawn(async move { long.run(move || released.recv()).await });
        tokio::task::yield_now().await;
        let short = tokio::spawn(async move { short.run(|| 2).await });
        tokio::time::advance(SHARE / 2).await;
        tokio::task::yield_now().await;
        assert_eq!((readers.0.available_permits(), short.is_finished()), (0, false));
        tokio::time::advance(SHARE).await;
        assert_eq!(short.await.unwrap().unwrap().unwrap(), 2);
        release.send(1).unwrap();
        assert_eq!(long.await.unwrap().unwrap().unwrap(), Ok(1));
        assert_eq!(readers.0.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_document_that_takes_longer_than_its_budget_is_given_up() {
        let readers = Readers::new(1);
        let (release, released) = mpsc::channel::<()>();
        let endless = tokio::spawn(async move { readers.run(move || released.recv()).await });
        tokio::task::yield_now().await;
        tokio::time::advance(SHARE).await;
        tokio::task::yield_now().await;
        tokio::time::advance(BUDGET).await;
        assert!(endless.await.unwrap().is_err());
        drop(release);
    }

    #[tokio::test]
    async fn a_panic_gives_its_place_back() {
        let readers = Readers::new(1);
        assert!(readers.run(|| panic!("as a parser may")).await.unwrap().is_err());
        assert_eq!(readers.run(|| 1).await.unwrap().unwrap(), 1);
    }
}
