//! Korean: what may follow a name within one space-separated word.

/// Particles, alone and stacked.
const PARTICLES: &[&str] = &[
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "와",
    "과",
    "로",
    "으로",
    "도",
    "만",
    "에서",
    "에게",
    "에게서",
    "한테",
    "께",
    "께서",
    "까지",
    "부터",
    "보다",
    "처럼",
    "마다",
    "조차",
    "마저",
    "이나",
    "나",
    "랑",
    "이랑",
    "라고",
    "이라고",
    "이라며",
    "라며",
    "이며",
    "며",
    "이자",
    "이란",
    "란",
    "이라는",
    "라는",
    "과의",
    "와의",
    "에의",
    "에도",
    "에는",
    "에만",
    "에서는",
    "에서도",
    "에서의",
    "로부터",
    "으로부터",
    "으로는",
    "으로도",
    "로는",
    "로도",
    "까지도",
    "에게도",
    "에게는",
    "과는",
    "와는",
    "과도",
    "와도",
    "이든",
    "든",
    "뿐",
    "이고",
    "고",
    "인",
    "이다",
    "엔",
    "서",
    "측",
    "측은",
    "측이",
    "측에",
    "측의",
    "간",
    "간의",
    "발",
    "산",
    "제",
    "식",
    "계",
    "군",
    "군이",
    "군은",
    "군의",
    "군을",
    "인들",
    "들",
    "들이",
    "들은",
    "들의",
    "들을",
    "행",
    "행을",
    "내",
    "전",
    "후",
    "등",
    "등이",
    "등을",
    "등에",
    "등과",
    "의원",
    "씨",
    "당국",
    "정부",
    "정상",
    "해군",
    "공군",
];

/// Titles and offices that are written onto a name or a state without a space.
const TITLES: &[&str] = &[
    "대통령",
    "총리",
    "장관",
    "외무장관",
    "외교장관",
    "외교부장",
    "국방장관",
    "국방부장",
    "부장",
    "국방위원장",
    "국무위원장",
    "총서기",
    "주석",
    "위원장",
    "총비서",
    "비서",
    "특사",
    "대사",
    "보좌관",
    "국가안보보좌관",
    "외상",
    "외무상",
    "국방상",
    "수상",
    "서기",
    "부총리",
    "부주석",
    "정상회담",
    "회담",
    "정상",
    "관계",
];

/// Whether `rest`, what stands after a term within the same word, still leaves the word that term.
pub(crate) fn is_suffix(rest: &str) -> bool {
    if rest.is_empty() || PARTICLES.contains(&rest) {
        return true;
    }
    TITLES.iter().any(|title| {
        rest.strip_prefix(title).is_some_and(|rest| rest.is_empty() || PARTICLES.contains(&rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_and_titles_follow_a_name_but_other_words_do_not() {
        for rest in ["", "이", "과의", "대통령", "대통령이", "국무위원장과", "측은"]
        {
            assert!(is_suffix(rest), "{rest}");
        }
        for rest in ["었다", "었습니다", "징역", "일보", "소", "아"] {
            assert!(!is_suffix(rest), "{rest}");
        }
    }
}
