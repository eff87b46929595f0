//! Authors as feeds name them: often with a mail address, in front or behind, in brackets or not.

const OPENING: [char; 14] =
    ['(', '[', '<', '{', '«', '‹', '“', '„', '（', '［', '【', '《', '〈', '「'];
const CLOSING: [char; 13] = [')', ']', '>', '}', '»', '›', '”', '）', '］', '】', '》', '〉', '」'];

/// The name of an author without the mail address; the address where there is nothing else.
pub(super) fn name(text: &str) -> String {
    let text = text.trim();
    let Some(at) = text.find('@') else { return text.to_owned() };
    let of_address =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | ':');
    let start = text[..at].trim_end_matches(of_address).len();
    let end = text.len() - text[at + 1..].trim_start_matches(of_address).len();
    if start == at || end == at + 1 {
        return text.to_owned();
    }
    let rest = format!("{} {}", text[..start].trim(), text[end..].trim());
    match without_dangling_brackets(&rest) {
        "" => text[start..end].to_owned(),
        name => name.to_owned(),
    }
}

/// A name without the brackets that stood round an address which was taken out of it.
fn without_dangling_brackets(mut name: &str) -> &str {
    loop {
        let before = name.len();
        name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '—'));
        name = name.strip_suffix(OPENING).unwrap_or(name);
        name = name.strip_prefix(CLOSING).unwrap_or(name);
        // A pair with nothing in it, or with all in it: `mail@example.org (A. Writer)`.
        if let Some(open) = name.strip_suffix(CLOSING) {
            name = open.trim_end().strip_suffix(OPENING).unwrap_or(name);
            name = open
                .strip_prefix(OPENING)
                .filter(|inner| !inner.contains(OPENING) && !inner.contains(CLOSING))
                .unwrap_or(name);
        }
        if name.len() == before {
            return name;
        }
    }
}
