//! Taking compression off a body, with a limit on what comes out.

use std::io::{self, Read};

use super::blocks::Blocks;

/// Bytes after decompression, at most.
pub(crate) const DECODED_LIMIT: usize = 20 << 20;
/// Past the first MiB nothing honest is compressed further than this.
const LARGEST_RATIO: usize = 200;
const RATIO_COUNTS_FROM: usize = 1 << 20;
/// The largest window that a zstd stream may ask for, as a power of two: 8 MiB (RFC 8878 section
/// 3.1.1.1.2 recommends at least this).
const ZSTD_WINDOW: u32 = 23;

/// What came out.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    /// The stream ended where it should.
    pub(crate) complete: bool,
}

/// Why a body was not unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    /// It unpacks to more than is allowed.
    #[error(
        "the body unpacks to more than {DECODED_LIMIT} bytes, or to {LARGEST_RATIO} times its size"
    )]
    Never,
    /// It unpacks to more than was asked for.
    #[error("the body needs a place in memory")]
    ForNow,
}

/// Undoes the codings of `Content-Encoding`, last applied first; `None` when there is nothing to
/// undo. A stream that breaks off yields what came before. An unknown coding leaves the bytes as
/// they are: the parser will say what it thinks of them. More than `most` bytes are
/// [`TooLarge::ForNow`].
pub(crate) fn decode(
    body: &[u8],
    codings: &str,
    complete: bool,
    most: usize,
) -> Result<Option<Decoded>, TooLarge> {
    let mut decoded: Option<Decoded> = None;
    // One coding is usual, two is strange; more would multiply the work.
    for coding in codings.rsplit(',').take(2) {
        let (input, complete) =
            decoded.as_ref().map_or((body, complete), |before| (&before.bytes, before.complete));
        let (bytes, ended) = match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" if !input.starts_with(&[0x1f, 0x8b]) => continue,
            "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(input), input, most)?,
            // RFC 9110 section 8.4.1.2: zlib, though some send bare deflate.
            "deflate" if input.first().is_some_and(|byte| byte & 0x0f == 8) => {
                read(flate2::read::ZlibDecoder::new(input), input, most)?
            }
            "deflate" => read(flate2::read::DeflateDecoder::new(input), input, most)?,
            "br" => read(brotli_decompressor::Decompressor::new(input, 4096), input, most)?,
            "zstd" => match zstd::stream::read::Decoder::new(input) {
                Ok(mut decoder) => {
                    // The setting fails only when the linked library lacks it.
                    let _ = decoder.window_log_max(ZSTD_WINDOW);
                    read(decoder, input, most)?
                }
                Err(_) => (Vec::new(), false),
            },
            _ => continue,
        };
        decoded = Some(Decoded { bytes, complete: complete && ended });
    }
    Ok(decoded)
}

fn read(mut decoder: impl Read, input: &[u8], most: usize) -> Result<(Vec<u8>, bool), TooLarge> {
    let limit = DECODED_LIMIT.min(RATIO_COUNTS_FROM.max(input.len().saturating_mul(LARGEST_RATIO)));
    let mut bytes = Blocks::default();
    let mut chunk = [0; 16 * 1024];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return Ok((bytes.into_vec(), true)),
            Ok(length) => {
                bytes.extend(&chunk[..length]);
                if bytes.len() > limit {
                    return Err(TooLarge::Never);
                }
                if bytes.len() > most {
                    return Err(TooLarge::ForNow);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok((bytes.into_vec(), false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(body: &[u8], codings: &str) -> Result<Option<Decoded>, TooLarge> {
        decode(body, codings, true, DECODED_LIMIT)
    }

    #[test]
    fn each_coding_is_taken_off() {
        let text = b"<rss>".repeat(100);
        let decoded = unpacked(&gzip(&text), "gzip").unwrap().unwrap();
        assert_eq!((decoded.bytes, decoded.complete), (text.clone(), true));
        let packed = zstd::stream::encode_all(text.as_slice(), 1).unwrap();
        assert_eq!(unpacked(&packed, "zstd").unwrap().unwrap().bytes, text);
        assert!(unpacked(&text, "identity").unwrap().is_none());
        assert!(unpacked(&text, "gzip").unwrap().is_none(), "a server that only says so");
    }

    #[test]
    fn a_stream_that_breaks_off_yields_what_came_before() {
        let text: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let mut packed = gzip(&text);
        packed.truncate(packed.len() / 2);
        let decoded = unpacked(&packed, "gzip").unwrap().unwrap();
        assert!(!decoded.complete);
        assert!(!decoded.bytes.is_empty() && text.starts_with(&decoded.bytes));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpacked(&bomb, "gzip").unwrap_err(), TooLarge::Never);
    }

    #[test]
    fn what_is_small_on_the_wire_is_not_unpacked_to_more_than_there_is_room_for() {
        let text = vec![b' '; 700 << 10];
        let packed = gzip(&text);
        assert!(packed.len() < 1 << 10);
        assert_eq!(decode(&packed, "gzip", true, 512 << 10).unwrap_err(), TooLarge::ForNow);
        let decoded = decode(&packed, "gzip", true, text.len()).unwrap().unwrap();
        assert_eq!(decoded.bytes.len(), text.len());
    }
}
