//! Tests of the language as a whole: rule files in, matches out.

use std::sync::Arc;

use super::{Compiled, Origin, RuleSet, Sources, compile, compile_query};
use crate::diagnostic::{Gravity, SourceFile};
use crate::hit::{Severity, Span};
use crate::item::{Field, Item, ItemKey};

const ENTITIES: &str = r#"
[entity.lavrov]
title = "Sergey Lavrov"
type = "person"
names.en = ["Lavrov"]
names.ru = ["Лавров"]
names.zh = ["拉夫罗夫"]
names.ko = ["라브로프"]

[entity.wang-yi]
title = "Wang Yi"
names.zh = ["王毅"]
names.ru = ["=Ван И"]
[[entity.wang-yi.ambiguous]]
names.en = ["Wang Yi", "=Wang"]
names.ko = ["왕이"]
within = "s"
needs = '''@china OR @lavrov OR diplomat*'''

[entity.china]
names.en = ["China", "Chinese", "Beijing"]
names.zh = ["中国", "中俄"]
names.ko = ["중국"]

[entity.north-korea]
names.ko = ["북한", "北", "北中"]

[entity.russia]
names.en = ["Russia", "Moscow"]
names.zh = ["中俄", "俄罗斯"]
include = ["lavrov"]
not_in.en = ["Moscow Mule"]
not_in.zh = ["白俄罗斯"]

[macro]
talks = '''talks OR meet OR "security consultations" OR 会谈'''
"#;

#[track_caller]
fn compiled(query: &str) -> (RuleSet, Sources) {
    let files = [SourceFile::new("entities.toml", ENTITIES)];
    let Compiled { set, sources, problems } = compile_query(query, &files);
    let texts: Vec<String> = problems.iter().map(|problem| problem.render()).collect();
    (set.unwrap_or_else(|| panic!("{query}: {texts:#?}")), sources)
}

#[track_caller]
fn query(query: &str) -> RuleSet {
    compiled(query).0
}

fn item(title: &str, summary: &str) -> Item {
    let mut item = Item::titled(ItemKey::of("test", &[title]), title);
    item.summary = summary.to_owned();
    item
}

/// The words that matched, or `None`.
fn found(set: &RuleSet, item: &Item) -> Option<Vec<Span>> {
    let mut matches = set.matcher().matches(item, Origin::default());
    matches.pop().map(|found| found.spans)
}

#[track_caller]
fn check(text: &str, title: &str, expected: bool) {
    check_item(text, &item(title, ""), expected);
}

#[track_caller]
fn check_item(text: &str, item: &Item, expected: bool) {
    let (set, sources) = compiled(text);
    let explained = sources.explain(&set, "query", item, Origin::default()).unwrap();
    assert_eq!(found(&set, item).is_some(), expected, "{text} on {item:?}\n{}", explained.render());
    assert_eq!(explained.matches(), expected, "explain disagrees:\n{}", explained.render());
}

#[test]
fn a_word_matches_its_inflections_whatever_the_case() {
    check("talk", "Talks held in Moscow", true);
    check("Putin", "PUTIN arrives", true);
    check("Putin", "Putin's visit", true);
    check("talk", "talkative crowd", false);
    check("визит", "о визите президента", true);
}

#[test]
fn an_exact_phrase_is_not_inflected() {
    check("'arms deal'", "Arms deal signed", true);
    check("'arms deal'", "arms deals signed", false);
    check("\"arms deal\"", "arms deals signed", true);
    check("\"arms deal\"", "arms, deal", false);
    check("\"Korean Peninsula\"", "on the Korean peninsula", true);
}

#[test]
fn a_verbatim_term_matches_as_it_is_written_only() {
    check("=US", "the US says", true);
    check("=US", "the U.S. says", true);
    check("=US", "tell us", false);
    check("=\"Ван И\"", "Ван И в Москве", true);
    check("=\"Ван И\"", "ван и кресло", false);
    check("=café", "a cafe", false);
    check("=café", "a cafe\u{301}", true);
    check("=US", "the ＵＳ says", true);
}

#[test]
fn a_star_matches_any_ending() {
    check("sanction*", "sanctioned firms", true);
    check("sanction*", "sanctity", false);
    check("санкци*", "санкциями", true);
    check("미사일*", "미사일을 발사", true);
    check("무기*", "무기한 연기", true);
}

#[test]
fn hyphenated_words_match_however_they_are_joined() {
    for text in ["dual-use goods", "dual use goods", "dualuse goods", "dual‑use goods"] {
        check("dual-use", text, true);
    }
    for text in ["Kim Jong Un", "Kim Jong-un", "Kim Jongun"] {
        check("\"Kim Jong Un\"", text, true);
        check("\"Kim Jong-un\"", text, true);
    }
}

#[test]
fn han_terms_match_anywhere_and_hangul_terms_with_their_particles() {
    check("王毅", "中国外长王毅访俄", true);
    check("王毅", "王、毅", false);
    check("푸틴", "푸틴은 오늘", true);
    check("푸틴", "푸틴대통령이", true);
    check("왕이", "그는 왕이었다", false);
    check("왕이", "국왕이 말했다", false);
    check("김정은", "北김정은, 러시아로", true);
}

#[test]
fn near_counts_the_words_between() {
    check("Putin NEAR/2 Beijing", "Putin flies to Beijing", true);
    check("Putin NEAR/1 Beijing", "Putin flies to Beijing", false);
    check("Beijing NEAR/2 Putin", "Putin flies to Beijing", true);
    check("Putin BEFORE/2 Beijing", "Putin flies to Beijing", true);
    check("Beijing BEFORE/5 Putin", "Putin flies to Beijing", false);
    check("普京 NEAR/2 北京", "普京将访问北京", true);
    check("普京 NEAR/1 北京", "普京将访问北京", false);
    check("@china NEAR/5 @russia", "中俄", true);
}

#[test]
fn near_s_means_the_same_sentence_of_the_same_field() {
    check("Putin NEAR/s Xi", "Putin met Xi. Kim left.", true);
    check("Putin NEAR/s Kim", "Putin met Xi. Kim left.", false);
    check_item("Putin NEAR/s Kim", &item("Putin arrives", "Kim left"), false);
    check_item("Putin AND Kim", &item("Putin arrives", "Kim left"), true);
    check("Putin NEAR/s Xi NEAR/s Moscow", "Putin met Xi in Moscow", true);
}

#[test]
fn a_chain_of_near_finds_a_pair_that_is_not_the_nearest() {
    check("Putin NEAR/9 Xi NEAR/1 Moscow", "Putin Xi one two three Xi Moscow", true);
    check("Putin NEAR/1 Xi NEAR/1 Moscow", "Putin Xi one two three Xi Moscow", false);
}

#[test]
fn near_finds_a_pair_among_many_places() {
    check("Putin BEFORE/1 Xi", "Xi Putin Xi", true);
    check("Putin NEAR/0 Xi", "Putin a Xi b Xi c Putin Xi", true);
    check("(Putin OR Kim) BEFORE/0 Xi", "Xi a Kim b Putin Xi", true);
}

#[test]
fn fields_and_counts_narrow_a_query() {
    check_item("title:Putin", &item("Kremlin", "Putin"), false);
    check_item("summary:Putin", &item("Kremlin", "Putin"), true);
    check("2 OF (Putin, Xi, Kim)", "Putin and Kim", true);
    check("2 OF (Putin, Xi, Kim)", "Putin alone", false);
    let mut tagged = item("Kremlin", "");
    tagged.tags = vec!["World".to_owned()];
    check_item("tag:world", &tagged, true);
    check_item("world", &tagged, false);
    tagged.link = Some("https://example.org/sport/kremlin".to_owned());
    check_item("Kremlin AND NOT url:sport", &tagged, false);
}

#[test]
fn what_stands_in_the_summary_alone_is_not_in_the_title() {
    let many = "(Putin OR Xi OR Kim OR Modi OR Lula)";
    for (query, found) in [
        (format!("title:{many}"), false),
        (format!("title:(Kremlin NEAR/s {many})"), false),
        (format!("title:({many} NEAR/9 (visits NEAR/9 Kremlin))"), false),
        (format!("title:Kremlin AND {many}"), true),
        (format!("summary:({many} NEAR/9 visits)"), true),
        (format!("Kremlin AND NOT title:{many}"), true),
        ("title:@russia".to_owned(), false),
        ("title:$talks".to_owned(), false),
        ("@russia AND $talks".to_owned(), true),
    ] {
        check_item(&query, &item("The Kremlin", "Putin visits Moscow for talks"), found);
        check_item(&query, &item("Kremlin: Putin visits Moscow for talks", ""), {
            !query.contains("summary") && !query.contains("NOT")
        });
    }
}

#[test]
fn each_alternative_of_a_rule_is_found_by_its_own_words() {
    let text =
        "title:(Putin NEAR/s visits) OR (title:Kremlin AND talks) OR (Xi AND NOT Modi) OR @china";
    for (title, summary, spans) in [
        ("Putin visits", "", &["Putin", "visits"][..]),
        ("Putin", "visits", &[]),
        ("Kremlin", "Talks", &["Kremlin", "Talks"]),
        ("Talks", "Kremlin", &[]),
        ("News", "of Xi", &["Xi"]),
        ("News", "of Xi and Modi", &[]),
        ("Putin visits Beijing", "Kremlin: Xi", &["Putin", "visits", "Beijing", "Xi"]),
    ] {
        let found = found(&query(text), &item(title, summary)).unwrap_or_default();
        let found: Vec<&str> = found.iter().map(|span| span.text.as_str()).collect();
        assert_eq!(found, spans, "{title} / {summary}");
    }
}

#[test]
fn an_ambiguous_name_counts_only_in_company() {
    check("@wang-yi", "Wang Yi meets Lavrov", true);
    check("@wang-yi", "Professor Wang Yi publishes a paper", false);
    check("@wang-yi", "Wang Yi sings. China wins.", false);
    check("@wang-yi", "王毅访俄", true);
    check("@wang-yi", "왕이, 중국 방문", true);
}

#[test]
fn an_entity_includes_another() {
    check("@russia", "Lavrov speaks", true);
    let spans = found(&query("@russia"), &item("Lavrov speaks", "")).unwrap();
    assert_eq!((&*spans[0].term, spans[0].alias.as_deref()), ("@russia", Some("en:Lavrov")));
}

#[test]
fn hanja_of_a_korean_headline_is_a_word_of_its_own() {
    for title in ["北 김정은", "北김정은, 러 방문", "中·北·러 밀착", "美와 北의 대화", "北中 정상"]
    {
        check("@north-korea", title, true);
    }
    for title in ["北京 방문", "東北 지방", "访问北京", "北へ", "北 and south"] {
        check("@north-korea", title, false);
    }
}

/// Rules with entities of their own.
#[track_caller]
fn found_by(entities: &str, query: &str, title: &str) -> bool {
    let Compiled { set, problems, .. } =
        compile_query(query, &[SourceFile::new("entities.toml", entities)]);
    let problems: Vec<String> = problems.iter().map(|problem| problem.render()).collect();
    found(&set.unwrap_or_else(|| panic!("{problems:#?}")), &item(title, "")).is_some()
}

#[test]
fn an_ambiguous_name_is_not_its_own_company() {
    const ENTITIES: &str = "[entity.state]\nnames.en = [\"China\"]\ninclude = [\"wang\"]\n\
        [[entity.wang.ambiguous]]\nnames.en = [\"=Wang\"]\nneeds = \"@state\"\n";
    assert!(!found_by(ENTITIES, "@wang", "Wang wins gold in slalom"));
    assert!(found_by(ENTITIES, "@wang", "Wang of China wins gold"));
}

#[test]
fn company_may_be_an_included_name_near_a_word() {
    const ENTITIES: &str = "[entity.a]\nnames.en = [\"Ada\"]\ninclude = [\"b\"]\n[entity.b]\n\
        names.en = [\"Bland\"]\n[[entity.c.ambiguous]]\nnames.en = [\"Zed\"]\n\
        needs = \"@a NEAR/2 minister\"\n";
    assert!(found_by(ENTITIES, "@c", "Zed with Bland minister"));
    assert!(!found_by(ENTITIES, "@c", "Zed with Bland alone"));
}

#[test]
fn that_a_term_occurs_is_not_forgotten_among_a_hundred_thousand_others() {
    let words: Vec<String> = (0..140).map(|number| format!("word{number}")).collect();
    let many = words.join(" OR ");
    let text = words.join(" ").repeat(600) + " Putin";
    let set = query(&format!("({many}) AND Putin"));
    assert!(set.matcher().matches(&item(&text, ""), Origin::default()).len() == 1);
}

#[track_caller]
fn check_files_error(files: &str, expected: &str) {
    let (set, problems) = rules(files);
    assert!(set.is_none());
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{:.500}", problems[0]);
}

#[test]
fn macros_bring_no_condition_into_near_and_no_field_into_a_field() {
    let macros =
        "[macro]\nboth = 'summit AND Moscow'\nhead = 'title:summit'\nwords = 'summit OR talks'\n";
    let rule = |query| format!("{macros}[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = '{query}'\n");
    check_files_error(
        &rule("Putin NEAR/1 $both"),
        "rules.toml:8:23: error: the macro both holds AND",
    );
    check_files_error(&rule("title:$head"), "the macro head holds a field");
    assert!(rules(&rule("title:(Putin NEAR/1 $words) AND $both AND $head")).0.is_some());
}

#[test]
fn what_can_never_be_found_is_refused() {
    for (query, hint) in [
        ("\"AT&T\"", "write AT NEAR/0 T"),
        ("24/7", "write 24 NEAR/0 7"),
        ("'12:30'", "write 12 NEAR/0 30"),
        ("\"Trump: no\"", "write Trump NEAR/0 no"),
    ] {
        check_error(query, "can never be found: a phrase ends at");
        check_error(query, hint);
    }
    check("AT NEAR/0 T", "AT&T to buy", true);
    for name in ["AT&T", "a*", "Wang* Yi", "=Lavrov*"] {
        let file = format!("[entity.a]\nnames.en = [\"{name}\"]\n");
        assert!(rules(&file).0.is_none(), "{name}");
    }
}

#[test]
fn languages_are_asked_for_by_known_codes() {
    let rule =
        |lang| format!("[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = 'x1'\nlangs = [\"{lang}\"]\n");
    for (lang, hint) in [
        ("zh-CN", "did you mean zh?"),
        ("EN", "en?"),
        ("english", "en?"),
        ("ua", "uk?"),
        ("jp", "ja?"),
    ] {
        check_files_error(&rule(lang), hint);
    }
    assert!(rules(&rule("zh")).0.is_some());
}

#[test]
fn edits_are_told_where_a_rule_asks_for_them_only() {
    let rule = |line| format!("[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = \"kim\"\n{line}\n");
    for (line, told) in [("", false), ("on_update = false", false), ("on_update = true", true)] {
        let set = compile(&[SourceFile::new("rules.toml", rule(line))]).set.unwrap();
        assert_eq!(set.rules()[0].telling.on_update, told, "{line}");
    }
    check_files_error(&rule("on_update = \"true\""), "true or false, without quotes");
}

#[test]
fn definitions_that_multiply_or_go_deep_are_refused() {
    let doubled: String =
        (1..40).map(|n| format!("m{n} = '$m{} OR $m{}'\n", n - 1, n - 1)).collect();
    let rule = "[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = \"$m9\"\n";
    let doubled = format!("{rule}[macro]\nm0 = 'x1'\n{doubled}");
    check_files_error(&doubled, "more than 100000 parts with its macros put in");
    let chain: String = (1..400).map(|n| format!("m{n} = '$m{}'\n", n - 1)).collect();
    check_files_error(&format!("{rule}[macro]\nm0 = 'x1'\n{chain}"), "more than 256 parts deep");
    let includes: String =
        (0..1200).map(|n| format!("[entity.e{n}]\ninclude = [\"e{}\"]\n", n + 1)).collect();
    let last = "[entity.e1200]\nnames.en = [\"X1\"]\n";
    check_files_error(&format!("{includes}{last}"), "includes more than 1000 entities");
}

#[test]
fn entities_that_include_the_same_others_cost_no_more_for_it() {
    let layers: String = (0..30)
        .map(|n| {
            let (a, b) = (n + 1, n + 1);
            format!("[entity.a{n}]\ninclude = [\"a{a}\", \"b{b}\"]\n[entity.b{n}]\ninclude = [\"a{a}\", \"b{b}\"]\n")
        })
        .collect();
    let last = "[entity.a30]\nnames.en = [\"Ada\"]\n[entity.b30]\nnames.en = [\"Bland\"]\n";
    assert!(found_by(&format!("{layers}{last}"), "@a0 NEAR/2 minister", "Bland minister"));
}

#[test]
fn a_name_inside_a_longer_one_of_something_else_does_not_count() {
    check("@russia", "白俄罗斯总统", false);
    check("@russia", "白俄罗斯和俄罗斯", true);
    check("@russia", "a Moscow mule, please", false);
    check("@russia", "a Moscow mule in Moscow", true);
    let spans = found(&query("@russia"), &item("白俄罗斯和俄罗斯", "")).unwrap();
    assert_eq!(spans.iter().map(|span| span.start).collect::<Vec<_>>(), [5]);
}

#[test]
fn evidence_points_at_the_words_of_the_original() {
    let title = "Переговоры:\u{a0}Лавро\u{301}вым и 王毅 довольны";
    let spans = found(&query("@lavrov NEAR/s @wang-yi"), &item(title, "")).unwrap();
    let words: Vec<&str> = spans.iter().map(|span| span.text.as_str()).collect();
    assert_eq!(words, ["Лавро\u{301}вым", "王毅"]);
    for span in spans {
        let text: String = title
            .chars()
            .skip(span.start as usize)
            .take((span.end - span.start) as usize)
            .collect();
        assert_eq!(text, span.text);
        assert_eq!(span.field, Field::Title);
    }
}

#[test]
fn evidence_names_the_term_of_the_rule_and_the_alias() {
    let spans = found(&query("@lavrov AND $talks"), &item("Talks with Lavrov", "")).unwrap();
    let named: Vec<_> =
        spans.iter().map(|span| (span.text.as_str(), &*span.term, span.alias.as_deref())).collect();
    assert_eq!(
        named,
        [("Talks", "$talks", Some("talks")), ("Lavrov", "@lavrov", Some("en:Lavrov"))]
    );
}

#[test]
fn only_the_pairs_that_are_near_are_evidence() {
    let text = item("Putin met Xi. Kim left. Putin slept.", "");
    let spans = found(&query("Putin NEAR/s Xi"), &text).unwrap();
    assert_eq!(spans.len(), 2, "{spans:?}");
}

fn rules(text: &str) -> (Option<(RuleSet, Sources)>, Vec<String>) {
    let files: Vec<Arc<SourceFile>> =
        vec![SourceFile::new("entities.toml", ENTITIES), SourceFile::new("rules.toml", text)];
    let Compiled { set, sources, problems } = compile(&files);
    (set.map(|set| (set, sources)), problems.iter().map(|problem| problem.render()).collect())
}

const RULE: &str = r#"
[[rule]]
id = "wang-yi-lavrov"
title = "Wang Yi – Lavrov talks"
severity = "high"
query = '''@wang-yi NEAR/s @lavrov'''
exclude = '''"on this day"'''
escalate = [{ when = "title:$talks", severity = "critical" }]
langs = ["en", "zh"]
test.match = ["Wang Yi and Lavrov meet", { title = "王毅同拉夫罗夫举行会谈", lang = "zh", spans = ["王毅"] }]
test.no_match = ["Lavrov to address the UN"]
"#;

#[test]
fn a_rule_is_filtered_excluded_and_escalated() {
    let (set, problems) = rules(RULE);
    let set = set.unwrap_or_else(|| panic!("{problems:#?}")).0;
    let mut matcher = set.matcher();
    let mut severity =
        |item: &Item| matcher.matches(item, Origin::default()).first().map(|found| found.severity);
    assert_eq!(severity(&item("Wang Yi, Lavrov in Moscow", "")), Some(Severity::High));
    assert_eq!(severity(&item("Wang Yi, Lavrov meet", "")), Some(Severity::Critical));
    assert_eq!(severity(&item("On this day Wang Yi met Lavrov", "")), None);
    let mut russian = item("Wang Yi, Lavrov", "");
    russian.lang = Some("ru-RU".to_owned());
    assert_eq!(severity(&russian), None);
}

#[test]
fn the_tests_of_a_rule_are_run() {
    let (set, problems) = rules(RULE);
    let (set, sources) = set.unwrap_or_else(|| panic!("{problems:#?}"));
    let report = sources.run_tests(&set);
    assert_eq!((report.passed, report.failures.len()), (3, 0), "{:?}", report.failures);
    let wrong = RULE.replace("Lavrov to address", "Wang Yi and Lavrov to address");
    let (set, sources) = rules(&wrong).0.unwrap();
    let report = sources.run_tests(&set);
    let failure = report.failures[0].render();
    assert!(failure.contains("must not match this, but does"), "{failure}");
    assert!(failure.contains("rules.toml:11:"), "{failure}");
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let Compiled { set, problems, .. } =
        compile_query(text, &[SourceFile::new("entities.toml", ENTITIES)]);
    let problems: Vec<String> = problems.iter().map(|problem| problem.render()).collect();
    assert!(set.is_none(), "{text} was accepted");
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:#?}");
}

/// What newcomers write: the query, the column at which it goes wrong, what is wrong, what to do.
const MISTAKES: &[(&str, usize, &str, &str)] = &[
    (
        "Putin AND Xi OR Kim",
        14,
        "AND and OR side by side",
        "say which belongs together with parentheses: (a AND b) OR c",
    ),
    (
        "Kim OR Putin AND Xi",
        5,
        "AND and OR side by side",
        "say which belongs together with parentheses: (a AND b) OR c",
    ),
    (
        "Putin and Xi",
        7,
        r#""and" is neither an operator nor quoted"#,
        r#"write AND, or "and" to search for the word"#,
    ),
    (
        "Putin Xi",
        7,
        "no operator before Xi",
        "write AND or OR between terms, or put the phrase in quotes",
    ),
    ("(Putin AND Xi", 1, "this ( is never closed", "add a )"),
    ("Putin)", 6, "this ) closes nothing", "remove it"),
    (r#""Putin"#, 1, r#"the " is never closed"#, r#"add the closing ""#),
    ("“Putin”", 1, "“ is not a quotation mark of queries", r#"use straight quotes: " or '"#),
    ("@lavrof", 1, "there is no entity lavrof", "did you mean @lavrov?"),
    ("$talk", 1, "there is no macro talk", "did you mean $talks?"),
    ("titel:Putin", 1, r#"there is no field "titel""#, "did you mean title:?"),
    (
        "Putin NEAR Xi",
        7,
        "NEAR without a distance",
        "write NEAR/5 for at most five words between, NEAR/s for the same sentence",
    ),
    (
        "Putin NEAR/x Xi",
        7,
        "the distance is no number of words",
        "write /0 to /1000, or /s for the same sentence",
    ),
    (
        "Putin NEAR/5",
        12,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
    (
        "Putin NEAR/5 (Xi AND Kim)",
        14,
        "AND inside NEAR or BEFORE",
        "words have places, a condition has none: move it outside",
    ),
    (
        "Putin NEAR/5 (NOT Xi)",
        14,
        "NOT inside NEAR or BEFORE",
        "words have places, a condition has none: move it outside",
    ),
    (
        "Putin NEAR/5 (2 OF (Xi, Kim))",
        14,
        "n OF inside NEAR or BEFORE",
        "words have places, a condition has none: move it outside",
    ),
    ("4 OF (Putin, Xi, Kim)", 1, "4 OF a list of 3", "the number lies between 1 and 3"),
    (
        "NOT Putin",
        1,
        "this query matches items that contain none of its terms",
        "NOT can only take away from something: Kremlin AND NOT Putin",
    ),
    (
        "Putin OR NOT Xi",
        1,
        "this query matches items that contain none of its terms",
        "NOT can only take away from something: Kremlin AND NOT Putin",
    ),
    ("pu*", 1, "pu* would match too many words", "write at least three letters before *"),
    (
        "san*tion",
        1,
        "* in the middle of a word",
        "* stands last: sanction* finds sanctions and sanctioned",
    ),
    (
        "*tion",
        1,
        "'*' cannot start a term",
        "* stands last in a word, after at least three letters",
    ),
    ("-Putin", 1, "'-' cannot start a term", "write NOT"),
    ("Putin && Xi", 7, "'&' means nothing in a query", "write AND"),
    ("Putin || Xi", 7, "'|' means nothing in a query", "write OR"),
    ("Putin~5", 6, "'~' means nothing in a query", "for words near each other write A NEAR/5 B"),
    (
        "#other-rule",
        1,
        "'#' means nothing in a query",
        "a rule cannot name another rule: put the common part into a [macro] and write $name",
    ),
    (r#""""#, 1, "an empty term", "write a word between the quotes"),
    ("AND Putin", 1, "AND without a term before it", "write a word before AND, or remove it"),
    ("Putin, Xi", 6, "a comma outside n OF (…)", "write AND or OR between terms"),
    (
        r#""sanction*""#,
        1,
        "* does not work in a quoted or = term",
        "write the word without quotes: sanction*",
    ),
    (
        "Putin near/5 Xi",
        7,
        r#""near/5" is neither an operator nor quoted"#,
        "operators are in capitals: NEAR/5",
    ),
    (
        "title:(summary:Putin)",
        7,
        "a field inside a field",
        "a word stands in one field: name only that one",
    ),
    (
        "Putin AND",
        9,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
    (
        "Putin OR (Xi AND",
        16,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
    ("@ AND Xi", 1, "@ without the name of an entity", "write the name right after it: @lavrov"),
    ("$", 1, "$ without the name of a macro", "write the name right after it: $lavrov"),
    ("Putin^2", 6, "'^' means nothing in a query", "terms carry no weights"),
    (
        "P?tin",
        2,
        "'?' means nothing in a query",
        "only * at the end of a word stands for other letters",
    ),
    ("[Putin]", 1, "'[' means nothing in a query", "group with ( and )"),
    (
        "Putin NEAR/5000 Xi",
        7,
        "more than 1000 words between",
        "write /s for the same sentence, or AND for anywhere",
    ),
    ("2 OF Putin", 1, "OF without a list", "write 2 OF (a, b, c)"),
    ("OF (a, b)", 1, "OF without a number before it", "write 2 OF (a, b, c)"),
    (
        "Putin AND NOT NOT Xi",
        15,
        "NOT cannot stand here",
        "NOT takes away from an AND: a AND NOT (b NEAR/5 c)",
    ),
    (
        "not Xi",
        1,
        r#""not" is neither an operator nor quoted"#,
        r#"write NOT, or "not" to search for the word"#,
    ),
    ("Putin = Xi", 7, "an empty term", "write a word between the quotes"),
    (
        "title: ",
        6,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
    ("@lavrov's", 8, "the ' is never closed", "add the closing '"),
    ("Putin AND (Xi OR Kim", 11, "this ( is never closed", "add a )"),
    (
        "/Putin/",
        1,
        r#""/Putin/" is no word"#,
        "there are no regular expressions: write words, and * for their endings",
    ),
    (
        "Putin;Xi",
        6,
        "';' means nothing in a query",
        "marks cannot be searched for: write the words alone",
    ),
    ("0 OF (Putin, Xi)", 1, "0 OF a list of 2", "the number lies between 1 and 2"),
    (
        "title:",
        6,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
    ("tittle:(Putin OR Xi)", 1, r#"there is no field "tittle""#, "did you mean title:?"),
    (
        "Putin AND AND Xi",
        11,
        "AND without a term before it",
        "write a word before AND, or remove it",
    ),
    ("=", 1, "an empty term", "write a word between the quotes"),
    (
        "Putin NEAR/s",
        12,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
    ("NEAR/5 Xi", 1, "NEAR/5 without a term before it", "write a word before NEAR/5, or remove it"),
    (
        "Putin:Xi",
        1,
        r#"there is no field "Putin""#,
        "the fields are title, summary, content, author, tag, url",
    ),
    (
        "https://x.org",
        1,
        r#"there is no field "https""#,
        "the fields are title, summary, content, author, tag, url",
    ),
    (
        "A AND B NEAR/3",
        14,
        "the query ends where a term should stand",
        "write a word after the last operator, or remove the operator",
    ),
];

#[test]
fn every_mistake_in_a_query_is_named_with_its_place_and_what_to_write_instead() {
    const BEFORE: &str = "[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = '''";
    for (query, column, message, hint) in MISTAKES {
        let (set, problems) = rules(&format!("{BEFORE}{query}'''\n"));
        assert!(set.is_none(), "{query} was accepted");
        let column = column + "query = '''".len();
        let start = format!("rules.toml:4:{column}: error: {message}\n");
        let end = format!("\n  hint: {hint}");
        let named = |problem: &String| problem.starts_with(&start) && problem.ends_with(&end);
        assert!(problems.iter().any(named), "{query}: no {start}{end} in {problems:#?}");
    }
}

#[test]
fn a_query_that_is_too_large_is_refused() {
    check_error("\u{1e008}", "an empty term");
    check_error("", "the query ends where a term should stand");
    check_error(&"title:".repeat(40_000), "a field inside a field");
    check_error(&"Xi NEAR/1 ".repeat(20_000), "more than 16 terms");
    check_error(&"(".repeat(100), "nested more than");
    check_error(&"Putin OR ".repeat(40_000), "longer than");
}

#[test]
fn every_mistake_in_a_rule_file_is_named_with_its_place() {
    let (set, problems) = rules(
        "[[rule]]\nid = \"a\"\ntitel = \"A\"\nseverity = \"hihg\"\nquery = 'Putin and Xi'\n\
         [[rule]]\nid = \"a b\"\ntitle = \"B\"\nquery = '@nobody'\nmax_age = \"3 days\"\n\
         [macro]\nx = '$y'\ny = '$x'\n",
    );
    assert!(set.is_none());
    let all = problems.join("\n");
    for expected in [
        "rules.toml:3:1: error: [[rule]] has no key \"titel\"",
        "did you mean title?",
        "rules.toml:4:12: error: \"hihg\" is no severity",
        "rules.toml:5:16: error: \"and\" is neither an operator nor quoted",
        "rules.toml:7:6: error: \"a b\" is no name for a rule",
        "rules.toml:9:10: error: there is no entity nobody",
        "rules.toml:10:11: error: \"3 days\" is no duration",
        "macro x uses itself",
        "[[rule]] has no title",
    ] {
        assert!(all.contains(expected), "no {expected:?} in\n{all}");
    }
}

#[track_caller]
fn check_covered(query: &str, expected: &[&str]) {
    let text = format!("[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = '''{query}'''\n");
    let problems = compile(&[SourceFile::new("rules.toml", text)]).problems;
    let covered: Vec<&str> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .filter(|message| message.contains("finds nothing"))
        .collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|pair| pair.replace(" by ", " finds nothing that ") + " does not find")
        .collect();
    assert_eq!(covered, expected, "{query}");
}

#[test]
fn a_term_that_another_one_covers_is_pointed_out() {
    check_covered("talk OR talks", &["talks by talk"]);
    check_covered("sanctions OR sanction*", &["sanctions by sanction*"]);
    check_covered("sanction* OR sanctio*", &["sanction* by sanctio*"]);
    check_covered("Korea OR \"Korea talks\"", &["\"Korea talks\" by Korea"]);
    check_covered("会谈 OR 举行会谈", &["举行会谈 by 会谈"]);
    check_covered("=arms OR arms", &["=arms by arms"]);
    check_covered("arms OR 'arms'", &["'arms' by arms"]);
    check_covered("'talk' OR talk", &["'talk' by talk"]);
    check_covered("talk OR 'talks' OR (talk AND Putin)", &["'talks' by talk"]);
    check_covered(
        "'talk' OR talks OR =US OR us OR 会谈 OR 会晤",
        &["'talk' by talks", "=US by us"],
    );
    check_covered("'talk' OR 'talks' OR sanction* OR sanctuary", &[]);
    check_covered("'푸틴' OR 푸틴", &["'푸틴' by 푸틴"]);
    check_covered("푸틴 OR 푸틴*", &["푸틴 by 푸틴*"]);
    check_covered("dual-use OR use", &[]);
    check_covered("\"안나 베리\" OR 베리", &[]);
}

#[test]
fn a_definition_that_nobody_uses_is_pointed_out() {
    let text = "[macro]\nused = 'a1 OR @b'\nspare = 'c1'\n[entity.b]\nnames.en = [\"B1\"]\n\
                [entity.d]\nnames.en = [\"D1\"]\n[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = '$used'\n";
    let problems = compile(&[SourceFile::new("rules.toml", text)]).problems;
    let unused: Vec<&str> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .filter(|message| message.contains("no query uses"))
        .collect();
    assert_eq!(unused, ["no query uses the entity d", "no query uses the macro spare"]);
}

#[test]
fn what_only_a_broken_query_uses_is_not_called_unused() {
    let text = "[entity.b]\nnames.en = [\"B1\"]\n[[rule]]\nid = \"a\"\ntitle = \"A\"\n";
    for query in ["query = '@b NEAR/x a1'", "qeury = '@b'"] {
        let problems =
            compile(&[SourceFile::new("rules.toml", format!("{text}{query}\n"))]).problems;
        assert!(problems.iter().any(|problem| problem.gravity == Gravity::Error), "{problems:#?}");
        assert!(problems.iter().all(|problem| !problem.message.contains("no query uses")));
    }
}

#[test]
fn two_rules_of_one_id_are_an_error() {
    let (_, problems) = rules(&format!("{RULE}{RULE}"));
    assert!(problems[0].contains("is named twice"), "{problems:#?}");
}

#[test]
fn an_explanation_says_what_was_found_and_what_was_not() {
    let (set, sources) = compiled("@lavrov NEAR/s @china");
    let explained = sources
        .explain(&set, "query", &item("Lavrov speaks. China listens.", ""), Origin::default())
        .unwrap()
        .render();
    assert!(explained.contains("never in the same sentence"), "{explained}");
    assert!(explained.contains("✔ @lavrov: title \"Lavrov\" as en:Lavrov"), "{explained}");
}

#[test]
fn a_description_shows_forms_and_how_often_each_part_occurs() {
    let (set, sources) = compiled("@lavrov AND $talks AND (visit OR NOT china)");
    let items = ["Lavrov visits China", "Lavrov, talks", "Weather"]
        .map(|title| (String::new(), item(title, "")));
    let text = sources.describe(&set, "query", &items).unwrap();
    for expected in [
        "would hit 1 of the 3 newest stored items\n",
        "    @lavrov (4 terms): in 2 items, most \"Lavrov\" 2\n",
        "    $talks (4 terms): in 1 item, most talks 1\n",
        "      visit (visit visits visited visiting): in 1 item\n",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
    assert!(!sources.describe(&set, "query", &[]).unwrap().contains("items"));
}

#[test]
fn a_rule_that_hits_too_much_of_what_is_stored_is_pointed_out() {
    let (set, sources) = compiled("weather");
    let items = |hits: usize| -> Vec<(String, Item)> {
        let title = |index| if index < hits { "Weather" } else { "News" };
        (0..1000).map(|index| (String::new(), item(title(index), ""))).collect()
    };
    assert_eq!(sources.frequent(&set, &items(10)), []);
    assert_eq!(sources.frequent(&set, &items(11)).len(), 1);
    assert_eq!(sources.frequent(&set, &items(1000)[..499]), [], "too few to tell");
}

#[test]
fn an_explanation_says_why_a_name_that_stands_there_does_not_count() {
    let explain = |text: &str, title: &str| {
        let (set, sources) = compiled(text);
        sources.explain(&set, "query", &item(title, ""), Origin::default()).unwrap().render()
    };
    let alone = explain("@wang-yi", "Wang Yi sings");
    assert!(
        alone.contains("\"Wang Yi\" lacks the company it needs in its sentence (needs "),
        "{alone}"
    );
    let twice = explain("@wang-yi", "Wang Yi sings. Wang Yi dances");
    assert_eq!(twice.matches("lacks the company").count(), 1, "{twice}");
    let inside = explain("@russia", "a Moscow mule");
    assert!(inside.contains("\"Moscow\" stands inside \"Moscow mule\" (not_in)"), "{inside}");
    let order = explain("Putin BEFORE/s Xi", "Xi met Putin");
    assert!(order.contains("both found, but in the other order"), "{order}");
}

#[test]
fn what_is_kept_out_anyway_is_no_near_miss() {
    let text = "[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = 'Putin AND Xi'\nexclude = 'quiz'\nlangs = [\"en\"]\n";
    let (set, sources) = rules(text).0.unwrap();
    let mut misses = sources.near_misses(&set, "a").unwrap();
    let mut check = |title: &str, lang: Option<&str>| {
        let mut item = item(title, "");
        item.lang = lang.map(str::to_owned);
        misses.check(&item, Origin::default()).map(|miss| misses.clauses()[miss.clause].to_string())
    };
    assert_eq!(check("Putin speaks", Some("en")).as_deref(), Some("Xi"));
    assert_eq!(check("Putin speaks in a quiz", Some("en")), None);
    assert_eq!(check("Putin speaks", Some("ru")), None);
    assert_eq!(check("Putin and Xi in a quiz", Some("en")).as_deref(), Some("exclude: quiz"));
}

mod properties {
    use proptest::prelude::*;

    use super::super::ast::{Kind, Node, Reach, Style, Term};
    use super::super::parse::parse;
    use super::*;

    /// What queries look for: words of different lengths, which the index takes for differently rare.
    const WORDS: [&str; 8] =
        ["putin", "xi", "kim", "moscow", "талкам", "王毅", "pyongyang", "denuclearization"];
    /// The fields of an item in which they stand.
    const TEXT: [Field; 3] = [Field::Title, Field::Summary, Field::Content];

    fn at(kind: Kind) -> Node {
        Node { at: 0..0, kind }
    }

    fn term() -> impl Strategy<Value = Node> {
        let styles = prop_oneof![Just(Style::Word), Just(Style::Exact), Just(Style::Phrase)];
        (styles, proptest::sample::select(&WORDS[..])).prop_map(|(style, text)| {
            at(Kind::Term(Term { style, text: text.to_owned(), prefix: false }))
        })
    }

    fn in_field(part: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
        let fields = prop_oneof![Just(Field::Title), Just(Field::Summary)];
        (fields, part).prop_map(|(field, part)| at(Kind::Field(field, Box::new(part))))
    }

    fn either(
        part: impl Strategy<Value = Node>,
        count: std::ops::Range<usize>,
    ) -> impl Strategy<Value = Node> {
        proptest::collection::vec(part, count).prop_map(|parts| at(Kind::Or(parts)))
    }

    /// A term, or NEAR of terms, of OR and of NEAR, three levels deep; with `fields` some of it in
    /// a field.
    fn place(fields: bool) -> BoxedStrategy<Node> {
        let one = if fields {
            prop_oneof![term(), in_field(place(false))].boxed()
        } else {
            term().boxed()
        };
        let places = one.prop_recursive(3, 8, 2, |side| {
            let near = (side.clone(), side.clone(), 0..4u32, any::<bool>()).prop_map(
                |(left, right, words, ordered)| {
                    let (left, right) = (Box::new(left), Box::new(right));
                    let reach = if words == 3 { Reach::Sentence } else { Reach::Words(words) };
                    at(Kind::Near { left, right, reach, ordered })
                },
            );
            prop_oneof![3 => near, 1 => either(side, 2..4)]
        });
        places.boxed()
    }

    /// Conditions of places; with `fields` some of them in a field, and none in two.
    fn condition(fields: bool) -> BoxedStrategy<Node> {
        // Many of these lists have enough terms for a gate.
        let one = prop_oneof![1 => term(), 2 => place(fields), 2 => either(term(), 2..7)];
        let one = if fields {
            prop_oneof![2 => one, 1 => in_field(condition(false))].boxed()
        } else {
            one.boxed()
        };
        let conditions = one.prop_recursive(2, 12, 3, |part| {
            let many = proptest::collection::vec(part.clone(), 2..4);
            prop_oneof![
                1 => either(part.clone(), 2..4),
                3 => many.clone().prop_map(|parts| at(Kind::And(parts))),
                1 => many.prop_map(|parts| at(Kind::Count(2, parts))),
                1 => (part.clone(), part).prop_map(|(part, but)| {
                    at(Kind::And(vec![part, at(Kind::Not(Box::new(but)))]))
                }),
            ]
        });
        conditions.boxed()
    }

    /// A query: a list of alternatives, which are filed one by one, or a condition.
    fn node() -> impl Strategy<Value = Node> {
        prop_oneof![
            3 => either(condition(true), 2..7),
            1 => in_field(either(condition(false), 2..7)),
            1 => condition(true),
        ]
    }

    /// Some words, and whether a sentence ends after each.
    fn words() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
        let word = prop_oneof![9 => proptest::sample::select(&WORDS[..]), 1 => Just("other")];
        proptest::collection::vec((word, any::<bool>()), 0..5)
    }

    /// A place: its first half-word, the one after its last, and the sentences of both.
    type Stretch = (u32, u32, (u32, u32));

    /// What the language means, written down as plainly as can be: the words of each field with
    /// their places.
    struct Naive([Vec<(&'static str, Stretch)>; 3]);

    impl Naive {
        /// Reads the fields of an item, and writes it.
        fn new(fields: &[Vec<(&'static str, bool)>; 3]) -> (Self, Item) {
            let mut texts = [const { String::new() }; 3];
            let mut naive = Self([const { Vec::new() }; 3]);
            for (field, words) in fields.iter().enumerate() {
                let (mut at, mut sentence) = (0, 0);
                for (word, ends) in words {
                    // A word of an alphabet is two half-words, and so are two Han characters.
                    naive.0[field].push((word, (at, at + 2, (sentence, sentence))));
                    at += 2;
                    texts[field] += word;
                    texts[field] += if *ends { ". " } else { " " };
                    sentence += u32::from(*ends);
                }
            }
            let [title, summary, content] = texts;
            (naive, Item { content, ..item(&title, &summary) })
        }

        /// Every place of a side of NEAR in a field.
        fn places(&self, node: &Node, field: Field) -> Vec<Stretch> {
            match &node.kind {
                Kind::Term(term) => {
                    let words = self.0[TEXT.iter().position(|text| *text == field).unwrap()].iter();
                    let hits = words.filter(|(word, _)| *word == term.text);
                    hits.map(|(_, place)| *place).collect()
                }
                Kind::Or(parts) => parts.iter().flat_map(|part| self.places(part, field)).collect(),
                Kind::Near { left, right, reach, ordered } => {
                    let (lefts, rights) = (self.places(left, field), self.places(right, field));
                    let pairs = lefts.iter().flat_map(|l| rights.iter().map(move |r| (l, r)));
                    pairs
                        .filter(|(l, r)| {
                            let (first, second) = if l.0 <= r.0 { (l, r) } else { (r, l) };
                            (!*ordered || l.0 <= r.0)
                                && match reach {
                                    Reach::Sentence => l.2.0 == l.2.1 && l.2 == r.2,
                                    Reach::Words(n) => second.0.saturating_sub(first.1) <= n * 2,
                                }
                        })
                        .map(|(l, r)| {
                            let sentences = (l.2.0.min(r.2.0), l.2.1.max(r.2.1));
                            (l.0.min(r.0), l.1.max(r.1), sentences)
                        })
                        .collect()
                }
                Kind::Field(own, part) if *own == field => self.places(part, field),
                Kind::Field(..) => Vec::new(),
                _ => unreachable!("the strategy puts none of these there"),
            }
        }

        /// Whether a part holds in some fields.
        fn holds(&self, node: &Node, fields: &[Field]) -> bool {
            match &node.kind {
                Kind::Term(_) | Kind::Near { .. } => {
                    fields.iter().any(|field| !self.places(node, *field).is_empty())
                }
                Kind::Or(parts) => parts.iter().any(|part| self.holds(part, fields)),
                Kind::And(parts) => parts.iter().all(|part| self.holds(part, fields)),
                Kind::Count(need, parts) => {
                    parts.iter().filter(|part| self.holds(part, fields)).count() >= *need as usize
                }
                Kind::Not(part) => !self.holds(part, fields),
                Kind::Field(field, part) => self.holds(part, &[*field]),
                Kind::Entity(_) | Kind::Macro(_) => unreachable!("the strategy has none"),
            }
        }
    }

    proptest! {
        #[test]
        fn a_printed_query_parses_to_the_same_tree(node in node()) {
            let printed = node.to_string();
            prop_assert_eq!(parse(&printed), Ok(node), "{}", printed);
        }

        #[test]
        fn the_matcher_agrees_with_a_naive_one(
            node in node(),
            items in proptest::collection::vec([words(), words(), words()], 16),
        ) {
            let (naives, items): (Vec<_>, Vec<_>) = items.iter().map(Naive::new).unzip();
            let mut set = compile_query(&node.to_string(), &[]).set.expect("every query needs a term");
            // The terms of these items are frequent then, and other clauses the rarest.
            for learnt in [false, true] {
                if learnt {
                    set.learn(&items);
                }
                for (naive, item) in naives.iter().zip(&items) {
                    let holds = naive.holds(&node, &TEXT);
                    prop_assert_eq!(found(&set, item).is_some(), holds, "{} on {:?}", node, item);
                }
            }
        }

        #[test]
        fn no_query_makes_the_parser_panic(query in "\\PC{0,60}") {
            let _ = compile_query(&query, &[]);
        }

        #[test]
        fn no_text_makes_the_matcher_panic(text in "\\PC{0,200}") {
            let set = query("(@wang-yi NEAR/s @lavrov) OR (2 OF (@china, $talks, 미사일*, =US))");
            let _ = found(&set, &item(&text, &text));
        }

        #[test]
        fn evidence_is_what_stands_in_the_text(
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40),
        ) {
            let text = pieces.concat();
            let set = query("us OR =US OR wang OR @lavrov OR 王 OR 왕이 OR lav* OR \"u s\" OR @north-korea");
            for span in found(&set, &item(&text, "")).unwrap_or_default() {
                let (start, length) = (span.start as usize, (span.end - span.start) as usize);
                let stands: String = text.chars().skip(start).take(length).collect();
                prop_assert_eq!(&stands, &span.text, "in {:?}", text);
                prop_assert!(!stands.is_empty());
            }
        }
    }

    /// What is hard on a tokeniser, beside what the query looks for.
    const PIECES: [&str; 44] = [
        ".",
        "．",
        "。",
        "｡",
        "'",
        "’",
        "-",
        "‑",
        "·",
        "ㆍ",
        "…",
        " ",
        "\u{a0}",
        "\n",
        "“",
        ";",
        "\u{301}",
        "\u{306}",
        "\u{3099}",
        "\u{200b}",
        "\u{ad}",
        "\u{202e}",
        "\u{fe0f}",
        "u",
        "U",
        "S",
        "us",
        "wang",
        "Lavrov",
        "Лавров",
        "Ð›Ð°Ð²Ñ€Ð¾Ð²",
        "Ð",
        "â€™s",
        "王",
        "왕이",
        "北",
        "ab",
        "Ａ",
        "ß",
        "İ",
        "ﾊ",
        "ﾞ",
        "😀",
        "3",
    ];
}
