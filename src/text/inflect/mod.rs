//! The forms in which a word of a query may stand in a text.
//!
//! Forms are generated on the query's side, from the ending of the word. A stemmer on the text's
//! side would part names from their own cases: Russian Snowball makes лавр of Лавров, but лавров
//! of Лаврова.

mod english;
pub(crate) mod korean;
mod polish;
mod russian;
mod ukrainian;

/// Forms of one word at most; a query of hundreds of words stays small.
pub(crate) const MOST_FORMS: usize = 80;

/// What kind of word the query wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// In lower case: a word with all its inflections.
    Common,
    /// With a capital: a name, with cases and plural but no verb endings.
    Name,
}

/// Every form in which `word`, folded, may stand in a text, folded; itself first. The language is
/// that of an entity's names; where there is none the script decides.
pub(crate) fn forms(word: &str, kind: Kind, language: Option<&str>) -> Vec<String> {
    let mut forms = vec![word.to_owned()];
    let inflects = word.chars().nth(1).is_some() && word.chars().all(char::is_alphabetic);
    if inflects {
        let cyrillic = word.chars().all(|letter| matches!(letter, '\u{400}'..='\u{52f}'));
        match (language.map(primary), cyrillic) {
            (Some("uk"), true) => ukrainian::add(word, kind, &mut forms),
            (Some("ru"), true) => russian::add(word, kind, &mut forms),
            (_, true) => {
                if word.contains(['і', 'ї', 'є', 'ґ']) {
                    ukrainian::add(word, kind, &mut forms);
                } else {
                    russian::add(word, kind, &mut forms);
                }
            }
            (None | Some("en"), false) if word.is_ascii() => english::add(word, kind, &mut forms),
            (Some("pl"), false) if word.is_ascii() => polish::add(word, &mut forms),
            (Some("fr"), false) => {
                forms.extend(["s", "x", "e", "es"].map(|end| word.to_owned() + end));
                if let Some(stem) = word.strip_suffix("en") {
                    forms.extend(["enne", "ennes"].map(|end| stem.to_owned() + end));
                }
            }
            (Some("es"), false) => {
                forms.extend(["s", "es"].map(|end| word.to_owned() + end));
            }
            (Some("de"), false) => {
                forms.extend(
                    ["s", "es", "e", "en", "er", "em", "n"].map(|end| word.to_owned() + end),
                );
            }
            _ => {}
        }
    }
    let mut seen = std::collections::HashSet::new();
    forms.retain(|form| seen.insert(form.clone()));
    forms.truncate(MOST_FORMS);
    forms
}

fn primary(language: &str) -> &str {
    language.split(['-', '_']).next().unwrap_or(language)
}

/// Adds `stem` with each of the endings, written with spaces between.
fn decline(stem: &str, endings: &str, forms: &mut Vec<String>) {
    forms.extend(endings.split(' ').map(|ending| match ending {
        "-" => stem.to_owned(),
        ending => format!("{stem}{ending}"),
    }));
}

/// The stem and the endings of the first pattern whose ending `word` has.
fn by_ending<'a>(
    word: &'a str,
    patterns: &[(&str, &'static str)],
) -> Option<(&'a str, &'static str)> {
    patterns.iter().find_map(|(ending, endings)| {
        let stem = word.strip_suffix(ending)?;
        (stem.chars().nth(1).is_some()).then_some((stem, *endings))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, language: Option<&str>, must: &str, must_not: &str) {
        let kind = if word.chars().next().is_some_and(char::is_uppercase) {
            Kind::Name
        } else {
            Kind::Common
        };
        let forms = forms(&crate::text::fold(word), kind, language);
        for form in must.split_whitespace() {
            assert!(forms.iter().any(|known| known == form), "{word}: no {form} in {forms:?}");
        }
        for form in must_not.split_whitespace() {
            assert!(!forms.iter().any(|known| known == form), "{word}: {form} in {forms:?}");
        }
        assert!(forms.len() <= MOST_FORMS);
    }

    #[test]
    fn english_words_have_their_plural_past_and_participle() {
        check("talk", None, "talk talks talked talking", "");
        check("talks", None, "talk talks talked talking", "talkss");
        check("meet", None, "meet meets met meeting", "");
        check("ship", None, "ships shipped shipping", "");
        check("invite", None, "invites invited inviting", "");
        check("carry", None, "carries carried carrying", "");
        check("discuss", None, "discusses discussed discussing", "discus");
        check("visit", None, "visits visited visiting", "visitting");
        check("send", None, "sent sends sending", "");
        check("crisis", None, "crisis", "crisi");
        check("expel", None, "expelled expelling", "");
        check("transfer", None, "transferred transferring transfers", "");
        check("need", None, "needs needed needing", "");
        check("proceed", None, "proceeds proceeded", "");
        check("lose", None, "lost loses", "");
        check("seizes", None, "seize seized", "seiz");
        check("prizes", None, "prize", "");
        check("sanctions", None, "sanction sanctioned", "");
        check("veto", None, "vetoes vetoed vetoing", "");
        check("vetoes", None, "veto vetoed", "vetoe");
        check("embargoes", None, "embargo embargoed", "embargoe");
        check("photo", None, "photos", "");
        check("shoes", None, "shoe", "");
        check("panic", None, "panicked panicking panics", "");
        check("new", None, "new", "news newed");
        check("good", None, "good", "goods");
    }

    #[test]
    fn an_english_name_has_a_plural_but_no_verb_endings() {
        check("Putin", None, "putin putins", "putined puting");
    }

    #[test]
    fn russian_surnames_and_foreign_names_have_their_cases() {
        check("Лавров", Some("ru"), "лаврова лаврову лавровым лаврове", "лавровой лавровую");
        check("Путин", Some("ru"), "путина путину путиным путине", "путиной путиных");
        check("Цзиньпин", Some("ru"), "цзиньпина цзиньпину цзиньпином цзиньпине", "");
        check("Ын", Some("ru"), "ына ыну ыном ыне", "");
        check("Шойгу", Some("ru"), "шойгу", "шойга");
        check("Блинкен", Some("ru"), "блинкена блинкену блинкеном", "");
        check("Зеленский", Some("ru"), "зеленского зеленскому зеленским зеленском", "");
        check("Георгий", Some("ru"), "георгия георгию георгием", "");
        check("Вучич", Some("ru"), "вучича вучичем", "");
        check("Шольц", Some("ru"), "шольца шольцем", "");
        check("Байден", Some("ru"), "байдена байдену байденом", "");
    }

    #[test]
    fn russian_states_cities_and_adjectives_decline() {
        check("Россия", Some("ru"), "россии россию россией", "");
        check("Китай", Some("ru"), "китая китаю китаем китае", "");
        check("Корея", Some("ru"), "кореи корею кореей корее", "");
        check("Северная", Some("ru"), "северной северную", "");
        check("Пекин", Some("ru"), "пекина пекину пекином пекине", "");
        check("Москва", Some("ru"), "москвы москве москву москвой", "");
        check("Мальта", Some("ru"), "мальты мальте мальту", "");
        check("Кремль", Some("ru"), "кремля кремлю кремлем кремле", "");
        check("российский", Some("ru"), "российского российская российскую российских", "");
    }

    #[test]
    fn russian_common_words_decline_and_conjugate() {
        check("переговоры", None, "переговоров переговорам переговорах", "");
        check("визит", None, "визита визите визитом визиты", "");
        check("встреча", None, "встречи встречу встрече", "");
        check("поставка", None, "поставки поставок поставках", "");
        check("оружие", None, "оружия оружию оружием", "");
        check("обсудить", None, "обсудил обсудила обсудили обсудят", "");
        check("санкция", None, "санкции санкций санкциям", "");
        check("санкции", None, "санкций санкциям санкциями", "");
        check("делегации", None, "делегаций делегация", "");
        check("поставки", None, "поставок поставкам", "");
        check("прибыть", None, "прибыл прибыла прибыли", "");
        check("герой", None, "героя героем герои", "");
        check("посол", None, "посла послу послом послы", "");
        check("учения", None, "учений учениям учениях", "");
    }

    #[test]
    fn ukrainian_names_have_their_cases() {
        check("Лавров", Some("uk"), "лаврова лаврову лавровим", "");
        check("Путін", Some("uk"), "путіна путіну путіним", "");
        check("Україна", Some("uk"), "україни україні україну україною", "");
        check("Зеленський", Some("uk"), "зеленського зеленському зеленським", "");
        check("Росія", Some("uk"), "росії росію росією", "");
        check("російський", Some("uk"), "російській російською", "");
        check("зброя", Some("uk"), "зброї зброю зброєю", "");
        check("санкції", Some("uk"), "санкцій санкціями", "");
        check("Польща", Some("uk"), "польщі польщею польщу", "");
        check("Київ", Some("uk"), "києва києву києві", "");
    }

    #[test]
    fn polish_names_have_their_cases() {
        check("Putin", Some("pl"), "putina putinowi putinem putinie", "");
        check("Rosja", Some("pl"), "rosji rosje rosja", "");
        check("Chiny", Some("pl"), "chin chinom chinami chinach", "");
        check("rakieta", Some("pl"), "rakiet rakiety rakietami", "");
        check("sankcja", Some("pl"), "sankcji sankcje", "");
        check("minister", Some("pl"), "ministra ministrem ministrowie", "");
        check("rosyjski", Some("pl"), "rosyjskiego rosyjska rosyjskie", "");
    }

    #[test]
    fn short_words_and_words_with_digits_stand_alone() {
        check("И", Some("ru"), "и", "ии");
        assert_eq!(forms("c919", Kind::Name, None), ["c919"]);
    }
}
