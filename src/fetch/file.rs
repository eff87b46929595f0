//! Feeds that are files of this machine.

use std::io::Read as _;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::decode::DECODED_LIMIT;
use super::{Body, Failure, FailureKind, Freshness, Outcome, Request, Validators};

/// Reads a feed file. Its digest stands in for an ETag, so that an unchanged file is no news.
pub(super) async fn read(request: &Request, large: Arc<Semaphore>) -> Outcome {
    let place = large.acquire_owned().await.expect("the semaphore is never closed");
    let request = request.clone();
    let work = tokio::task::spawn_blocking(move || read_now(&request));
    match work.await {
        Ok(Outcome::Modified(mut body)) => {
            body.large = Some(Arc::new(place));
            Outcome::Modified(body)
        }
        Ok(other) => other,
        Err(panic) => failed(FailureKind::Broken, format!("reading failed: {panic}")),
    }
}

fn read_now(request: &Request) -> Outcome {
    let Ok(path) = request.url.to_file_path() else {
        return failed(FailureKind::NotFound, "the address names no file".to_owned());
    };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path)
        .and_then(|file| file.take(DECODED_LIMIT as u64 + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return failed(FailureKind::NotFound, format!("{}: {error}", path.display()));
    }
    if bytes.len() > DECODED_LIMIT {
        let message = format!("{} is larger than {} MiB", path.display(), DECODED_LIMIT >> 20);
        return failed(FailureKind::TooLarge, message);
    }
    let validators = Validators {
        url: Some(request.url.to_string()),
        etag: Some(blake3::hash(&bytes).to_hex().as_bytes().to_vec()),
        last_modified: None,
    };
    if validators == request.validators {
        let freshness = Freshness::default();
        return Outcome::NotModified { validators, freshness, moved_to: None };
    }
    Outcome::Modified(Box::new(Body {
        status: 200,
        wire_bytes: bytes.len() as u64,
        bytes,
        complete: true,
        final_url: request.url.clone(),
        moved_to: None,
        charset: None,
        content_type: None,
        validators,
        freshness: Freshness::default(),
        large: None,
    }))
}

fn failed(kind: FailureKind, message: String) -> Outcome {
    Outcome::Failed(Failure { kind, status: None, message, freshness: Freshness::default() })
}
