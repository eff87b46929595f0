//! Names for feeds that come without one.

use std::collections::HashSet;

use url::{Host, Url};

use crate::config::is_name;

/// The longest name that is made of a title, in bytes.
const LONGEST: usize = 48;
/// Of a title of which less than this can be written in Latin letters no name is made.
const SHORTEST: usize = 3;

/// A name that none of `names` is, which it joins: of the feed's title, else of its host, else of the
/// last part of its path.
pub(super) fn name_of(title: &str, url: &Url, names: &mut HashSet<String>) -> String {
    let name = Some(slug(title)).filter(|name| name.len() >= SHORTEST);
    let name = name.or_else(|| of_host(url)).or_else(|| of_path(url));
    let name = name.unwrap_or_else(|| "feed".to_owned());
    let mut unique = name.clone();
    for number in 2.. {
        if names.insert(unique.clone()) {
            break;
        }
        unique = format!("{name}-{number}");
    }
    unique
}

/// A name that a feed comes with, if it is one that the configuration takes and nobody has.
pub(super) fn of_its_own(name: &str, names: &mut HashSet<String>) -> Option<String> {
    (is_name(name) && names.insert(name.to_owned())).then(|| name.to_owned())
}

/// The host's name; none where it is a number.
fn of_host(url: &Url) -> Option<String> {
    match url.host()? {
        // What is not ASCII stands there as xn--….
        Host::Domain(name) => Some(slug(name.trim_start_matches("www."))),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// The last part of the path without its ending.
fn of_path(url: &Url) -> Option<String> {
    let last = url.path_segments()?.rfind(|part| !part.is_empty())?;
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    Some(slug(stem)).filter(|name| name.len() >= SHORTEST)
}

/// A text in small letters, digits and single hyphens; what has no Latin letters is left out.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        let latin = match character {
            'a'..='z' | '0'..='9' => {
                slug.push(character);
                continue;
            }
            _ => latin(character),
        };
        match latin {
            Some(latin) => slug += latin,
            None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            None => {}
        }
        if slug.len() >= LONGEST {
            break;
        }
    }
    slug.truncate(LONGEST);
    slug.trim_matches('-').to_owned()
}

/// A Cyrillic letter in Latin ones, as most passports have it.
fn latin(letter: char) -> Option<&'static str> {
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' => "e",
        'ё' => "yo",
        'є' => "ye",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'ї' => "yi",
        'й' | 'ј' => "y",
        'к' => "k",
        'л' => "l",
        'љ' => "lj",
        'м' => "m",
        'н' => "n",
        'њ' => "nj",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'ћ' | 'ч' => "ch",
        'у' | 'ў' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'џ' => "dz",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ы' => "y",
        'ю' => "yu",
        'я' => "ya",
        'ђ' => "dj",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(title: &str, url: &str, expected: &str) {
        let mut names = HashSet::from(["taken".to_owned()]);
        assert_eq!(name_of(title, &url.parse().unwrap(), &mut names), expected);
    }

    #[test]
    fn a_name_is_made_of_the_title_where_that_can_be_written_in_latin_letters() {
        check("BBC News – World", "https://a.example/", "bbc-news-world");
        check("Вечерний вестник", "https://a.example/", "vecherniy-vestnik");
        check("Українська правда", "https://a.example/", "ukrayinska-pravda");
        check("Taken", "https://a.example/", "taken-2");
    }

    #[test]
    fn else_of_the_host_and_of_the_path_where_the_host_is_a_number() {
        check("人民日报", "https://www.people.example/rss", "people-example");
        check("조선일보", "http://127.0.0.1:8080/rss/desk.xml", "desk");
        check("人民日报", "http://[::1]/", "feed");
        check("X 人民日报", "https://a.example/", "a-example");
    }

    #[test]
    fn no_name_is_too_long_for_the_configuration() {
        check(&"щ".repeat(60), "https://a.example/", &"shch".repeat(12));
    }
}
