//! Polish: endings of nouns and adjectives, folded (no diacritics), as names take them.

use super::{by_ending, decline};

const PATTERNS: &[(&str, &str)] = &[
    ("ski", "ski skiego skiemu skim ska skiej ske skie skich skimi scy"),
    ("cki", "cki ckiego ckiemu ckim cka ckiej cke ckie ckich ckimi ccy"),
    ("ska", "ska skiej ske skie skich skimi ski skiego"),
    ("na", "na nej ne ny nych nymi nego nemu nym nie no"),
    ("ny", "ny nego nemu nym na nej ne nych nymi ni n nom nami nach"),
    ("cja", "cja cji cje cjo cjom cjami cjach"),
    ("ta", "ta ty cie te to tom tami tach t"),
    ("ster", "ster stra strowi strem strze strowie strow strom strami strach"),
    ("dent", "dent denta dentowi dentem dencie denci dentow dentom dentami dentach"),
    ("ia", "ia ii ie io iom iami iach i"),
    ("ja", "ja ji je jo jom jami jach"),
    ("ka", "ka ki ce ke ko kom kami kach ek"),
    ("ga", "ga gi dze ge go"),
    ("wa", "wa wy wie we wo"),
    ("a", "a y i e ie o om ami ach"),
    ("ie", "ie ia iu iem iom iami iach"),
    ("o", "o a u em ie om ami ach"),
    ("y", "y - ow om ami ach e"),
    ("i", "i ow om ami ach"),
];

/// Adds the forms of `word`.
pub(super) fn add(word: &str, forms: &mut Vec<String>) {
    if let Some((stem, endings)) = by_ending(word, PATTERNS) {
        decline(stem, endings, forms);
        return;
    }
    if word.ends_with(['e', 'u']) {
        return;
    }
    decline(word, "- a owi em ie u y i iem ow om ami ach", forms);
}
