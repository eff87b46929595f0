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

/// Bytes that are unpacked at a time.
const CHUNK: usize = 16 << 10;

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
        let Some(decoder) = decoder(coding.trim(), input) else { continue };
        let (bytes, ended) = decoder
            .map_or_else(|_| Ok((Vec::new(), false)), |decoder| read(decoder, input.len(), most))?;
        decoded = Some(Decoded { bytes, complete: complete && ended });
    }
    Ok(decoded)
}

/// To how many bytes a body that is gzip says that it unpacks (RFC 1952 section 2.3.1), which need
/// not be true; `None` for what is not gzip alone.
pub(crate) fn gzip_length(body: &[u8], codings: &str) -> Option<usize> {
    let is_gzip = codings.trim().eq_ignore_ascii_case("gzip") && body.starts_with(&[0x1f, 0x8b]);
    let length = body.last_chunk().filter(|_| is_gzip)?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

/// What takes a coding off `input`; `None` when it is unknown or not there.
fn decoder<'a>(coding: &str, input: &'a [u8]) -> Option<io::Result<Box<dyn Read + 'a>>> {
    let decoder: Box<dyn Read + 'a> = match coding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" if !input.starts_with(&[0x1f, 0x8b]) => return None,
        "gzip" | "x-gzip" => Box::new(flate2::read::MultiGzDecoder::new(input)),
        // RFC 9110 section 8.4.1.2: zlib, though some send bare deflate.
        "deflate" if input.first().is_some_and(|byte| byte & 0x0f == 8) => {
            Box::new(flate2::read::ZlibDecoder::new(input))
        }
        "deflate" => Box::new(flate2::read::DeflateDecoder::new(input)),
        "br" => Box::new(brotli_decompressor::Decompressor::new(input, 4096)),
        "zstd" => match zstd::stream::read::Decoder::new(input) {
            Ok(mut decoder) => {
                // The setting fails only when the linked library lacks it.
                let _ = decoder.window_log_max(ZSTD_WINDOW);
                Box::new(decoder)
            }
            Err(error) => return Some(Err(error)),
        },
        _ => return None,
    };
    Some(Ok(decoder))
}

/// Reads all that comes out of `packed` bytes, within the limits; no more is ever kept than these and
/// one chunk.
fn read(mut decoder: impl Read, packed: usize, most: usize) -> Result<(Vec<u8>, bool), TooLarge> {
    let limit = DECODED_LIMIT.min(RATIO_COUNTS_FROM.max(packed.saturating_mul(LARGEST_RATIO)));
    let mut bytes = Blocks::default();
    let mut chunk = [0; CHUNK];
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
    fn only_gzip_says_to_how_much_it_unpacks() {
        let text = b"<rss>".repeat(100);
        assert_eq!(gzip_length(&gzip(&text), "GZIP "), Some(text.len()));
        assert_eq!(gzip_length(&gzip(&text), "gzip, gzip"), None);
        assert_eq!(gzip_length(&text, "gzip"), None);
        assert_eq!(gzip_length(b"", "gzip"), None);
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

    /// Counts what comes out of a decoder: more cannot be kept.
    struct Counted<'a>(Box<dyn Read + 'a>, usize);

    impl Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.read(buffer)?;
            self.1 += length;
            Ok(length)
        }
    }

    /// Unpacks what would become many times the limit; how much came out before it was given up.
    #[track_caller]
    fn kept(coding: &str, bomb: &[u8], most: usize, refusal: TooLarge) -> usize {
        let mut counted = Counted(decoder(coding, bomb).unwrap().unwrap(), 0);
        assert_eq!(read(&mut counted, bomb.len(), most).unwrap_err(), refusal, "{coding}");
        counted.1
    }

    #[test]
    fn of_a_bomb_no_more_is_kept_than_the_limit_whatever_it_is_packed_with() {
        let spaces = vec![b' '; 1 << 20];
        let brotli: &[u8] = include_bytes!("../../tests/data/bomb.br");
        let gzip = gzip(&spaces);
        // Each half a gigabyte, brotli 64 MiB; by its size the ratio or the limit ends it.
        let zstd = zstd::stream::encode_all(spaces.as_slice(), 1).unwrap().repeat(512);
        for (coding, bomb) in [("gzip", &*gzip.repeat(512)), ("zstd", &*zstd), ("br", brotli)] {
            let limit = DECODED_LIMIT.min(RATIO_COUNTS_FROM.max(bomb.len() * LARGEST_RATIO));
            let kept_at_most = |most| limit.min(most) + CHUNK;
            let all = kept(coding, bomb, DECODED_LIMIT, TooLarge::Never);
            assert!((limit..=kept_at_most(DECODED_LIMIT)).contains(&all), "{coding}: {all}");
            let small = kept(coding, bomb, 512 << 10, TooLarge::ForNow);
            assert!(small <= kept_at_most(512 << 10), "{coding}: {small}");
            assert_eq!(unpacked(bomb, coding).unwrap_err(), TooLarge::Never);
        }
        // What the ratio lets through ends at the limit.
        assert!(gzip.repeat(512).len() * LARGEST_RATIO > DECODED_LIMIT);
    }

    #[test]
    fn a_stream_that_asks_for_a_window_of_gigabytes_is_not_unpacked() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
        let decoded = unpacked(&encoder.finish().unwrap(), "zstd").unwrap().unwrap();
        assert_eq!((decoded.bytes.len(), decoded.complete), (0, false));
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
