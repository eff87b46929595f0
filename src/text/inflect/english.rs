//! English: tables and rules, no stemmer. `arms` must not become arm for a rule that says
//! `'arms'`, and relations is not relative.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::Kind;

/// Words whose forms do not follow from their ending, each group in all its forms.
const IRREGULAR: &[&str] = &[
    "meet meets met meeting meetings",
    "send sends sent sending",
    "buy buys bought buying",
    "sell sells sold selling",
    "go goes went gone going",
    "fly flies flew flown flying",
    "take takes took taken taking",
    "give gives gave given giving",
    "say says said saying",
    "hold holds held holding",
    "lead leads led leading",
    "make makes made making",
    "speak speaks spoke spoken speaking",
    "begin begins began begun beginning",
    "come comes came coming",
    "become becomes became becoming",
    "see sees saw seen seeing",
    "fight fights fought fighting",
    "seek seeks sought seeking",
    "strike strikes struck striking",
    "tell tells told telling",
    "find finds found finding",
    "bring brings brought bringing",
    "keep keeps kept keeping",
    "leave leaves left leaving",
    "win wins won winning",
    "run runs ran running",
    "build builds built building buildings",
    "pay pays paid paying",
    "spend spends spent spending",
    "lend lends lent lending",
    "draw draws drew drawn drawing",
    "rise rises rose risen rising",
    "fall falls fell fallen falling",
    "get gets got gotten getting",
    "shake shakes shook shaken shaking",
    "steal steals stole stolen stealing",
    "deal deals dealt dealing dealings",
    "shoot shoots shot shooting",
    "hit hits hitting",
    "cut cuts cutting",
    "put puts putting",
    "set sets setting",
    "let lets letting",
    "ride rides rode ridden riding",
    "drive drives drove driven driving",
    "write writes wrote written writing",
    "sit sits sat sitting",
    "stand stands stood standing",
    "think thinks thought thinking",
    "teach teaches taught teaching",
    "catch catches caught catching",
    "break breaks broke broken breaking",
    "choose chooses chose chosen choosing",
    "forgive forgives forgave forgiven forgiving",
    "withdraw withdraws withdrew withdrawn withdrawing",
    "undergo undergoes underwent undergone undergoing",
    "freeze freezes froze frozen freezing",
    "sink sinks sank sunk sinking",
    "flee flees fled fleeing",
    "lose loses lost losing",
    "overthrow overthrows overthrew overthrown overthrowing",
    "undertake undertakes undertook undertaken undertaking",
    "oversee oversees oversaw overseen overseeing",
    "know knows knew known knowing",
    "show shows showed shown showing",
    "grow grows grew grown growing",
    "throw throws threw thrown throwing",
    "feel feels felt feeling",
    "feed feeds fed feeding",
    "hear hears heard hearing hearings",
    "mean means meant meaning",
    "lay lays laid laying",
    "lie lies lied lay lain lying",
    "swear swears swore sworn swearing",
    "bear bears bore borne bearing",
    "wear wears wore worn wearing",
    "bind binds bound binding",
    "spread spreads spreading",
    "shut shuts shutting",
    "quit quits quitting",
    "split splits splitting",
    "sweep sweeps swept sweeping",
    "deep deeper deepest",
    "life lives",
    "knife knives",
    "thief thieves",
    "wolf wolves",
    "half halves",
    "leaf leaves",
    "shelf shelves",
    "calf calves",
    "wife wives",
    "analysis analyses",
    "basis bases",
    "panic panics panicked panicking",
    "traffic traffics trafficked trafficking",
    "man men",
    "woman women",
    "child children",
    "crisis crises",
    "axis axes",
    "person people persons",
    "spokesman spokesmen",
    "ally allies allied",
    "envoy envoys",
    "ask asks asked asking",
];

/// Words that end in s and are no plural.
const NO_PLURAL: &[&str] = &["arms", "news", "always", "perhaps", "series", "means"];

/// Plurals in -ches and -xes of words that end in e.
const E_BEFORE_S: &[&str] = &["caches", "aches", "headaches", "axes", "psyches", "niches"];

/// Plurals in -oes of words that end in e.
const OE_BEFORE_S: &[&str] = &["shoes", "toes", "canoes", "foes", "woes"];

/// Words that have no other form: a plural or past of theirs is another word (news, goods).
const ALONE: &[&str] = &["new", "good", "even", "us", "arms", "news", "goods"];

/// Endings of verbs of several syllables whose stress on the last doubles its consonant.
const DOUBLED: &[&str] = &[
    "expel", "compel", "propel", "repel", "dispel", "rebel", "control", "patrol", "transfer",
    "refer", "prefer", "defer", "confer", "infer", "occur", "recur", "incur", "deter", "submit",
    "admit", "commit", "permit", "emit", "omit", "transmit", "remit", "regret", "kidnap", "equip",
    "begin", "forget", "upset", "outwit", "abet", "allot", "unplug", "debug", "handicap",
];

/// Adds the forms of `word`.
pub(super) fn add(word: &str, kind: Kind, forms: &mut Vec<String>) {
    if kind == Kind::Name {
        if !word.ends_with('s') {
            forms.push(plural(word));
        }
        return;
    }
    if ALONE.contains(&word) {
        return;
    }
    if let Some(group) = irregular(word) {
        forms.extend(group.split(' ').map(str::to_owned));
        return;
    }
    let base = singular(word);
    forms.push(base.clone());
    forms.push(plural(&base));
    if let [.., before, b'o'] = base.as_bytes()
        && !is_vowel(*before)
    {
        // Vetoes and embargoes, but photos: some have both.
        forms.push(format!("{base}es"));
    }
    // A participle as the query has it; need, feed and proceed are none.
    let participle = base.ends_with("ed") && !base.ends_with("eed") && base.len() > 4;
    if base.ends_with("ing") || participle || base.len() < 3 {
        return;
    }
    let (past, participle) = match base.as_bytes() {
        [.., b'e', b'e'] => (format!("{base}d"), format!("{base}ing")),
        [.., b'i', b'e'] => (format!("{base}d"), format!("{}ying", base.trim_end_matches("ie"))),
        [.., b'e'] => (format!("{base}d"), format!("{}ing", &base[..base.len() - 1])),
        [.., before, b'y'] if !is_vowel(*before) => {
            (format!("{}ied", &base[..base.len() - 1]), format!("{base}ing"))
        }
        [.., a, b, last]
            if !is_vowel(*a)
                && is_vowel(*b)
                && doubles(*last)
                && (one_syllable(&base) || DOUBLED.contains(&base.as_str())) =>
        {
            let last = char::from(*last);
            (format!("{base}{last}ed"), format!("{base}{last}ing"))
        }
        _ => (format!("{base}ed"), format!("{base}ing")),
    };
    forms.extend([past, participle]);
}

/// The forms of an irregular word, of which `word` is one.
fn irregular(word: &str) -> Option<&'static str> {
    static GROUPS: LazyLock<FxHashMap<&str, &str>> = LazyLock::new(|| {
        let mut groups = FxHashMap::default();
        for group in IRREGULAR {
            for form in group.split(' ') {
                groups.entry(form).or_insert(*group);
            }
        }
        groups
    });
    GROUPS.get(word).copied()
}

/// The word without its plural ending, where it has one.
fn singular(word: &str) -> String {
    if NO_PLURAL.contains(&word)
        || word.ends_with("ss")
        || word.ends_with("us")
        || word.ends_with("is")
    {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 2) {
        return format!("{stem}y");
    }
    if word.ends_with("oes") && !OE_BEFORE_S.contains(&word) {
        return word[..word.len() - 2].to_owned();
    }
    for ending in ["sses", "ches", "shes", "xes", "zzes"] {
        // caches, axes and sizes end in e; searches, boxes and buzzes do not.
        if word.ends_with(ending) && !E_BEFORE_S.contains(&word) {
            return word[..word.len() - 2].to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 => stem.to_owned(),
        _ => word.to_owned(),
    }
}

fn plural(word: &str) -> String {
    match word.as_bytes() {
        [.., b's' | b'x' | b'z'] | [.., b'c' | b's', b'h'] => format!("{word}es"),
        [.., before, b'y'] if !is_vowel(*before) => format!("{}ies", &word[..word.len() - 1]),
        _ => format!("{word}s"),
    }
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

fn doubles(letter: u8) -> bool {
    !is_vowel(letter) && !matches!(letter, b'w' | b'x')
}

fn one_syllable(word: &str) -> bool {
    word.bytes().filter(|letter| is_vowel(*letter)).count() == 1
}
