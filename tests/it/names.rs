//! The names of the shipped entities: every form in which real news writes them is found, and what
//! only looks like them is not.

use std::path::Path;
use std::sync::Arc;

use newswatch::diagnostic::SourceFile;
use newswatch::item::{Item, ItemKey};
use newswatch::rules::{self, Origin, RuleSet};

fn files() -> Vec<Arc<SourceFile>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| SourceFile::new(&path, std::fs::read_to_string(&path).unwrap())).collect()
}

struct Names(Vec<Arc<SourceFile>>);

impl Names {
    fn query(&self, query: &str) -> RuleSet {
        let compiled = rules::compile_query(query, &self.0);
        compiled.set.unwrap_or_else(|| panic!("{query}: {:?}", compiled.problems))
    }

    /// Each form, in the place of `_` in a text, is found as that entity.
    #[track_caller]
    fn found(&self, query: &str, text: &str, forms: &str) {
        self.check(query, text, forms, true);
    }

    #[track_caller]
    fn not_found(&self, query: &str, forms: &str) {
        self.check(query, "_", forms, false);
    }

    #[track_caller]
    fn check(&self, query: &str, text: &str, forms: &str, expected: bool) {
        let set = self.query(query);
        let mut matcher = set.matcher();
        for form in forms.split(" | ") {
            let text = text.replace('_', form);
            let item = Item::titled(ItemKey::of("test", &[&text]), text.clone());
            let found = !matcher.matches(&item, Origin::default()).is_empty();
            assert_eq!(found, expected, "{query} in {text}");
        }
    }
}

#[test]
fn russian_names_are_found_in_every_case() {
    let names = Names(files());
    for (query, forms) in [
        ("@lavrov", "Лавров | Лаврова | Лавровым | Лаврову | Лаврове"),
        ("@putin", "Путин | Путина | Путину | Путиным | Путине"),
        ("@wang-yi", "Ван И"),
        (
            "@xi",
            "Си Цзиньпин | Си Цзиньпина | Си Цзиньпином | Си Цзиньпину | Си Цзиньпинем | \
             Си Цзиньпиня | Си\u{a0}Цзиньпина",
        ),
        ("@kim", "Ким Чен Ына | Ким Чен Ын | Ким Чен Ыном | Ким Чен Ыну"),
        ("@patrushev", "Патрушев | Патрушева | Патрушевым | Патрушеву"),
        ("@shoigu", "Шойгу"),
        ("@sullivan", "Салливан | Салливана"),
        ("@blinken", "Блинкен | Блинкена | Блинкеном"),
        (
            "@china",
            "Пекине | Пекин | Пекина | Пекином | Пекинском | Пекинские | Пекину | Пекинскую | \
             Пекинцам | Пекинской | Пекинский | Пекинского | Китая | Китае | Китай | КНР | Китаем | \
             китайской | китайских | китайского | китайские | Поднебесной | китайский | китайском | \
             китайским | Китайские | Китаю | Китайский | Китайской | Китайская | китайская | \
             китайскую | Китайцы | Китайском | китайскими | китайское | китайскому | Китайского | \
             Поднебесную | Китайское | Китайскую",
        ),
        (
            "@north-korea",
            "КНДР | Северной Кореи | Северная Кореи | Северная Корея | Пхеньян | Северной Корее | Пхеньяне | \
             Пхеньяна | северокорейской | Северную Корею | северокорейского | северокорейских | \
             северокорейский | северокорейскими | Пхеньяном | северокорейские | северокорейским | \
             Пхеньяну | Северной Кореей | северокорейскую | северокорейская",
        ),
        (
            "@icc",
            "Международный уголовный суд | МУС | Международного уголовного суда | \
             гаагскому трибуналу | Международном уголовном суде",
        ),
        (
            "@vostochny",
            "космодрома «Восточный | космодром «Восточный | космодрома Восточный | \
             космодроме «Восточный | космодроме Восточный | космодром Восточный",
        ),
        ("Мальта", "Мальты | Мальта | Мальте | Мальту | Мальтой"),
        ("мальтийский", "Мальтийского"),
        ("马耳他", "马耳他"),
        ("$yuan", "юаней | юанях | юаня | юань"),
        (
            "$sanctions",
            "санкций | санкции | санкциями | санкциях | санкцию | санкциям | санкция | санкцией | \
             санкционный | санкционного | санкционное | санкционной | санкционную | санкционным | санкционировал | санкционном | \
             санкционных | санкционная | санкционировали | санкционные | санкционировала | \
             санкционирована | санкционированной | санкционному | санкционированную | санкционирующей | санкционирующая",
        ),
    ] {
        names.found(query, "_", forms);
    }
}

#[test]
fn ukrainian_names_are_found_also_where_they_are_written_small() {
    let names = Names(files());
    names.found("@putin", "_", "Путін | Путінові | Путіна | путіна");
    names.found("@lavrov", "_", "Лаврову | Лавровим | Лаврові");
    names.found("@lavrov", "міністром _", "сергієм лавровим");
    names.found("@china", "_", "Китаю | КНР");
    names.found("@north-korea", "_", "Північній Кореї");
    names.found(
        "@russia-side",
        "_",
        "російської | російською | російських | росіянин | російського | російській | російська | \
         російський | росіянина | росіян | російське | російські | російським | російську | \
         росіяни | російському | російськими | росіянка | росіянину",
    );
}

#[test]
fn chinese_names_are_found_inside_a_sentence() {
    let names = Names(files());
    for (query, forms) in [
        ("@wang-yi", "王毅 | 王毅外长 | 王毅部长"),
        ("@lavrov", "拉夫罗夫 | 拉夫羅夫"),
        ("@putin", "普京 | 普丁 | 普京总统"),
        ("@kim", "金正恩"),
        ("@xi", "习近平 | 习近平总书记 | 习近平主席 | 習近平"),
        ("@north-korea", "朝鲜 | 平壤 | 朝鮮"),
        (
            "@russia-side",
            "俄罗斯 | 中俄 | 俄方 | 莫斯科 | 俄外长 | 俄总统 | 俄中 | 克里姆林宫 | 普京总统",
        ),
        ("@sullivan", "沙利文 | 蘇利文"),
        ("@blinken", "布林肯"),
        ("@shoigu", "绍伊古"),
        ("@icc", "国际刑事法院 | 國際刑事法院"),
        ("@zelensky", "泽连斯基 | 澤連斯基"),
    ] {
        names.found(query, "今天_表示", forms);
    }
}

#[test]
fn korean_names_are_found_with_particles_titles_and_hanja() {
    let names = Names(files());
    let particles = "_ | _과 | _의 | _이 | _은 | _에 | _을 | _과의 | _에게 | _도 | _으로";
    names.found(
        "@kim",
        "_",
        "김정은 | 김정은 국무위원장 | 北김정은 | 北 김정은 | 김정은 위원장 | 김정은 동지",
    );
    names.found("@kim", "_ 방문", &particles.replace('_', "김정은"));
    names.found("@putin", "_ 방문", &particles.replace('_', "푸틴"));
    names.found("@putin", "_", "푸틴 | 푸틴 대통령 | 푸틴대통령이");
    names.found("@lavrov", "_", "라브로프 | 라브로프와");
    names.found("@wang-yi", "_", "왕이 중국 외교부장 | 왕이 외교부장");
    names.found("@wang-yi", "_ 중국 외교부장 방러", "왕이 | 왕이와");
    names.found("@xi", "_", "시진핑 | 習近平 주석 | 시진핑 국가주석 | 시진핑 주석");
    names.found("@russia-side", "_ 정상회담", "러시아 | 북러 | 중러 | 북·러 | 中러 | 러");
    names.found("@north-korea", "_ 미사일 발사", "북한 | 평양 | 北 | 북한의");
    names.found("$arms", "_", "무기 | 미사일 | 탄약 | 포탄");
    names.found("$troops", "_", "파병");
}

#[test]
fn japanese_french_and_english_names_are_found() {
    let names = Names(files());
    names.found("@putin", "_", "プーチン大統領 | Putin | Putin’s | Putin's | Vladimir Poutine");
    names.found("@putin", "_ et Macron au Kremlin", "Poutine");
    names.found("@kim", "_", "キム・ジョンウン | 金正恩 | キム総書記");
    names.found(
        "@kim",
        "_",
        "Kim Jong Un | Kim Jong-un | Kim Jong Un’s | Kim Jong-un’s | Kim Jong-Un | \
         Kim Jong- un's | North Korea’s Kim | North Korean leader Kim | N Korea's Kim | \
         North Korea’s leader Kim | N Korea’s Kim | North Korea's Kim | Kim Jong Un's",
    );
    names.found("@xi", "_", "習近平 | 習主席 | Xi Jinping | Xi Jinping’s | Xi Jinping's");
    names.found("@xi", "China's leader _ meets Putin", "Xi | Xi’s | Xi's");
    names.found(
        "@north-korea",
        "_",
        "北朝鮮 | 朝鮮中央通信 | North Korea | North Korean | Pyongyang | North Korea’s | North Korea's | Pyongyang’s | \
         Pyongyang's | DPRK | \
         N. Korea | nord-coréen | Corée du Nord | nord-coréenne | nord-coréens",
    );
    names.found("@russia-side", "_", "ロシア | 中ロ | Ushakov");
    names.found("@lavrov", "_", "Lavrov | Lavrov’s | Lavrov's");
    names.found("@wang-yi", "_ meets Lavrov", "Wang Yi | Wang Yi’s");
    names.found("@ukraine", "_", "Kyiv | Kiev");
    names.found("@zelensky", "_", "Zelensky | Zelenskyy | Zelenskiy");
    names.found("@icc", "_", "International Criminal Court | Cour pénale internationale");
    names.found("@icc", "_ arrest warrant for Putin", "ICC");
    names.found("@icc", "_ : mandat d'arrêt contre Poutine", "CPI");
    names.found("@sullivan", "White House's _ meets Wang Yi", "Sullivan");
    names.found("@shoigu", "_", "Shoigu");
    names.found("$arms", "_", "munitions | arms sales | arms sale | arms deals | arms deal | arms embargo | arms transfers | \
         artillery shells | munition");
}

#[test]
fn what_only_looks_like_a_name_is_not_found() {
    let names = Names(files());
    for (query, forms) in [
        ("@lavrov", "лавровым листом | лавровый венок | лаврові листя | Лавровой | лавровий"),
        (
            "@putin",
            "осенняя путина на Камчатке | Путиной | Путиных | Poutine au fromage | 라스푸틴",
        ),
        (
            "@wang-yi",
            "ван и кресло | 국왕이 말했다 | 여왕이 | 일왕이 | 그는 왕이었다 | 왕이 되었다 | Professor Wang Yi",
        ),
        ("@icc", "ICC Cricket World Cup final | ICC 전시장 | la hausse du CPI | US CPI rises"),
        ("@xi", "Delta Xi chapter | XI century | XBB variant"),
        ("@kim", "o kim mowa | Kim Kardashian | Kim Novak | z kim rozmawiał"),
        ("@russia-side", "白俄罗斯总统卢卡申科 | 美国俄亥俄州 | 俄勒冈州"),
        ("@north-korea", "조선일보 | 조선소 | 조선비즈 | 北京 | 东北地区 | 朝日新聞"),
        ("@china-side", "集中 | 中東 | 心中"),
        ("$arms", "무기징역 | 무기한 연기"),
        ("@sullivan", "Ed Sullivan show | Andrew Sullivan's column"),
    ] {
        names.not_found(query, forms);
    }
}
