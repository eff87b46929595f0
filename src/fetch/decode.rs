//! Taking compression off a body, with a limit on what comes out.

use std::io::{self, Read};

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

/// A body that unpacks to more than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the body unpacks to more than {DECODED_LIMIT} bytes, or to {LARGEST_RATIO} times its size"
)]
pub(crate) struct TooLarge;

/// Undoes the codings of `Content-Encoding`, last applied first. A stream that breaks off yields
/// what came before. An unknown coding leaves the bytes as they are: the parser will say what it
/// thinks of them.
pub(crate) fn decode(body: Vec<u8>, codings: &str, complete: bool) -> Result<Decoded, TooLarge> {
    let mut decoded = Decoded { bytes: body, complete };
    // One coding is usual, two is strange; more would multiply the work.
    for coding in codings.rsplit(',').take(2) {
        let input = &decoded.bytes;
        let (bytes, ended) = match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" if !input.starts_with(&[0x1f, 0x8b]) => continue,
            "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(input.as_slice()), input)?,
            // RFC 9110 section 8.4.1.2: zlib, though some send bare deflate.
            "deflate" if input.first().is_some_and(|byte| byte & 0x0f == 8) => {
                read(flate2::read::ZlibDecoder::new(input.as_slice()), input)?
            }
            "deflate" => read(flate2::read::DeflateDecoder::new(input.as_slice()), input)?,
            "br" => read(brotli_decompressor::Decompressor::new(input.as_slice(), 4096), input)?,
            "zstd" => match zstd::stream::read::Decoder::new(input.as_slice()) {
                Ok(mut decoder) => {
                    // The setting fails only when the linked library lacks it.
                    let _ = decoder.window_log_max(ZSTD_WINDOW);
                    read(decoder, input)?
                }
                Err(_) => (Vec::new(), false),
            },
            _ => continue,
        };
        decoded = Decoded { bytes, complete: decoded.complete && ended };
    }
    if decoded.bytes.len() > DECODED_LIMIT {
        return Err(TooLarge);
    }
    Ok(decoded)
}

fn read(mut decoder: impl Read, input: &[u8]) -> Result<(Vec<u8>, bool), TooLarge> {
    let limit = DECODED_LIMIT.min(RATIO_COUNTS_FROM.max(input.len().saturating_mul(LARGEST_RATIO)));
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return Ok((bytes, true)),
            Ok(length) => {
                bytes.extend_from_slice(&chunk[..length]);
                if bytes.len() > limit {
                    return Err(TooLarge);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok((bytes, false)),
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

    #[test]
    fn each_coding_is_taken_off() {
        let text = b"<rss>".repeat(100);
        let decoded = decode(gzip(&text), "gzip", true).unwrap();
        assert_eq!((decoded.bytes, decoded.complete), (text.clone(), true));
        let packed = zstd::stream::encode_all(text.as_slice(), 1).unwrap();
        assert_eq!(decode(packed, "zstd", true).unwrap().bytes, text);
        assert_eq!(decode(text.clone(), "identity", true).unwrap().bytes, text);
        assert_eq!(decode(text.clone(), "gzip", true).unwrap().bytes, text);
    }

    #[test]
    fn a_stream_that_breaks_off_yields_what_came_before() {
        let text: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let mut packed = gzip(&text);
        packed.truncate(packed.len() / 2);
        let decoded = decode(packed, "gzip", true).unwrap();
        assert!(!decoded.complete);
        assert!(!decoded.bytes.is_empty() && text.starts_with(&decoded.bytes));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(decode(bomb, "gzip", true).unwrap_err(), TooLarge);
    }
}
