//! What fell out of a feed between two polls, looked for on its older pages (RFC 5005).

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::SignedDuration;
use tracing::{debug, info};
use url::Url;

use super::{Gap, Poller, Taking, document, request};
use crate::config::Feed;
use crate::feed::{self, FeedInfo};
use crate::fetch::{Body, Outcome, Validators, same_server};
use crate::item::{Item, ItemKey};
use crate::pipeline::Ingested;
use crate::schedule::HostPace;
use crate::text::count;

/// Older pages that are asked for after one poll, at most.
const MOST_PAGES: u32 = 3;

/// An older page of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    url: Url,
    /// Its number, where nobody names the pages but their numbers are known.
    number: Option<u32>,
}

/// The page before a document that came from `from`: the one that it names, if it is of the same
/// server, or the second one of what looks like WordPress.
pub(super) fn first(info: &FeedInfo, from: &Url) -> Option<Page> {
    match &info.older {
        Some(_) => named(info, from),
        None => numbered(from, 2),
    }
}

fn named(info: &FeedInfo, from: &Url) -> Option<Page> {
    let url = info.older.clone().filter(|url| same_server(url, from) && url != from)?;
    Some(Page { url, number: None })
}

/// WordPress serves feeds at `…/feed/`, and their pages at `…/feed/?paged=2`.
fn numbered(from: &Url, number: u32) -> Option<Page> {
    if from.path_segments()?.rfind(|part| !part.is_empty())? != "feed" {
        return None;
    }
    let mut url = from.clone();
    let others: Vec<(String, String)> =
        from.query_pairs().into_owned().filter(|(name, _)| name != "paged").collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("paged", &number.to_string());
    Some(Page { url, number: Some(number) })
}

impl Poller {
    /// Asks for older pages until one shows something known, and takes all in that they show.
    /// Returns whether it came so far.
    pub(super) async fn fill(
        &self,
        feed: &Arc<Feed>,
        taking: Taking,
        pace: HostPace,
        gap: Gap,
    ) -> anyhow::Result<(Ingested, bool)> {
        let Gap { mut items, title, page } = gap;
        let mut keys: HashSet<ItemKey> = items.iter().map(|item| item.key).collect();
        let (mut next, mut pages, mut filled) = (Some(page), 0, false);
        while let Some(page) = next.take().filter(|_| pages < MOST_PAGES && !filled) {
            let wait = SignedDuration::try_from(pace.gap(self.config.poll.host_gap));
            let free_at = self.clock.now().saturating_add(wait.unwrap_or(SignedDuration::MAX));
            self.clock.sleep_until(free_at.context("the host is never free")?).await;
            let request = request(feed, Some(page.url.clone()), Validators::default());
            let body = match self.fetcher.fetch(&request, self.clock.now()).await {
                Outcome::Modified(body) => body,
                Outcome::Failed(failure) => {
                    debug!(feed = %feed.name, "no older page of {}: {}", feed.name, failure.message);
                    break;
                }
                Outcome::NotModified { .. } => break,
            };
            let Some((info, more, from)) = self.read_page(feed, taking, body).await? else { break };
            let fresh: Vec<Item> = more.into_iter().filter(|item| keys.insert(item.key)).collect();
            if fresh.is_empty() {
                break;
            }
            pages += 1;
            filled = self.knows_any(feed, &fresh).await?;
            next = match page.number {
                Some(number) => numbered(&from, number + 1),
                None => named(&info, &from),
            };
            items.extend(fresh);
        }
        let shown = items.len();
        let (poller, matching) = (self.clone(), feed.clone());
        let work = tokio::task::spawn_blocking(move || {
            poller.ingest_items(&matching, title.as_deref(), taking, items)
        });
        let ingested = work.await.context("taking the items in failed")??;
        if pages > 0 {
            let (feed, read) = (&feed.name, count(pages, "older page"));
            info!(%feed, pages, items = shown, filled, "all items of {feed} were new: read {read}");
        }
        Ok((ingested, filled))
    }

    /// Reads a page; nothing when it is no whole document.
    async fn read_page(
        &self,
        feed: &Arc<Feed>,
        taking: Taking,
        body: Box<Body>,
    ) -> anyhow::Result<Option<(FeedInfo, Vec<Item>, Url)>> {
        let feed = feed.clone();
        let work = move || {
            let parsed = feed::parse(&document(&feed, &body, taking.now)).ok()?;
            let whole = body.complete && parsed.complete;
            whole.then(|| (parsed.feed, parsed.items, body.final_url.clone()))
        };
        match self.readers.run(work).await {
            Ok(read) => read.context("reading a page failed"),
            Err(_) => Ok(None),
        }
    }

    async fn knows_any(&self, feed: &Arc<Feed>, items: &[Item]) -> anyhow::Result<bool> {
        let keys: Vec<ItemKey> = items.iter().map(|item| item.key).collect();
        let (store, name) = (self.store.clone(), feed.name.clone());
        let look = move || store.read(|reader| Ok(!reader.known(&name, &keys)?.is_empty()));
        Ok(tokio::task::spawn_blocking(look).await??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(older: Option<&str>, from: &str, page: Option<&str>) {
        let older = older.map(|url| url.parse().unwrap());
        let info = FeedInfo { older, ..FeedInfo::default() };
        let found = first(&info, &from.parse().unwrap());
        assert_eq!(found.map(|page| page.url.to_string()).as_deref(), page);
    }

    #[test]
    fn an_older_page_is_one_that_the_document_names_on_its_own_server() {
        let from = "https://news.example/feed.xml";
        check(
            Some("https://news.example/2023-08.xml"),
            from,
            Some("https://news.example/2023-08.xml"),
        );
        check(Some("https://other.example/2023-08.xml"), from, None);
        check(Some(from), from, None);
        check(None, from, None);
    }

    #[test]
    fn pages_of_wordpress_have_numbers() {
        let page = Some("https://news.example/asia/feed/?paged=2");
        check(None, "https://news.example/asia/feed/", page);
        check(None, "https://news.example/asia/feed/?paged=7", page);
        check(
            None,
            "https://news.example/feed?cat=3",
            Some("https://news.example/feed?cat=3&paged=2"),
        );
        check(None, "https://news.example/feed/atom", None);
    }
}
