//! Base64 (RFC 4648), as Atom writes what is not text.

/// The bytes that `text` stands for; white space does not count.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    let digits = text.trim().trim_end_matches('=').bytes();
    for byte in digits.filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_and_what_is_none_is_refused() {
        assert_eq!(decode(" V2FuZyBZaQ==\n").as_deref(), Some(&b"Wang Yi"[..]));
        assert_eq!(decode("V2Fu\nZyBZ\naQ"), Some(b"Wang Yi".to_vec()));
        assert_eq!(decode("plain text."), None);
    }
}
