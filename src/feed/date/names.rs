//! The words of dates, as feeds of many languages write them. All are lower case and whole.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

/// Names of the months, January first, with their short forms: English, Russian, Ukrainian, Polish,
/// German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish and Norwegian, Romanian,
/// Czech, Turkish, Greek and Arabic.
const MONTHS: [&str; 12] = [
    "january jan января январь янв січня січень січ stycznia styczeń sty januar jänner jän \
     janvier janv enero ene gennaio gen janeiro januari ianuarie ian ledna leden led ocak oca \
     ιανουαρίου ιανουάριος ιαν يناير",
    "february feb февраля февраль фев февр лютого лютий лют lutego luty lut februar feber \
     février fevrier févr fevr fév fev febrero febbraio fevereiro februari februarie února únor úno \
     şubat şub φεβρουαρίου φεβρουάριος φεβ فبراير",
    "march mar марта март мар березня березень бер marca marzec märz maerz mär mrz mars marzo \
     março maart mrt marts martie března březen bře mart μαρτίου μάρτιος μαρ مارس",
    "april apr апреля апрель апр квітня квітень кві квіт kwietnia kwiecień kwi avril avr abril abr \
     aprile aprilie dubna duben dub nisan nis απριλίου απρίλιος απρ أبريل ابريل إبريل",
    "may мая май травня травень тра трав maja maj mai mayo maggio mag maio mei května květen kvě \
     mayıs μαΐου μαίου μάιος μαΐ μαι مايو",
    "june jun июня июнь июн червня червень чер черв czerwca czerwiec cze juni juin junio giugno giu \
     junho iunie iun června červen čvn haziran haz ιουνίου ιούνιος ιουν يونيو يونيه",
    "july jul июля июль июл липня липень лип lipca lipiec lip juli juillet juil julio luglio lug \
     julho iulie iul července červenec čvc temmuz tem ιουλίου ιούλιος ιουλ يوليو يوليه",
    "august aug августа август авг серпня серпень сер серп sierpnia sierpień sie août aout aoû \
     agosto ago augustus augusti srpna srpen srp ağustos ağu αυγούστου αύγουστος αυγ أغسطس اغسطس",
    "september sep sept сентября сентябрь сен сент вересня вересень вер вересн września wrzesień wrz \
     septembre septiembre settembre setembro set septembrie září zář eylül eyl σεπτεμβρίου \
     σεπτέμβριος σεπ σεπτ سبتمبر",
    "october oct октября октябрь окт жовтня жовтень жов жовт października październik paź paz \
     oktober okt octobre octubre ottobre ott outubro out octombrie října říjen říj ekim eki \
     οκτωβρίου οκτώβριος οκτ أكتوبر اكتوبر",
    "november nov ноября ноябрь ноя нояб листопада листопад лис лист listopada listopad lis \
     novembre noviembre novembro noiembrie noi listopadu kasım kas νοεμβρίου νοέμβριος νοε نوفمبر",
    "december dec декабря декабрь дек грудня грудень гру груд grudnia grudzień gru dezember dez \
     décembre decembre déc diciembre dic dicembre dezembro desember des decembrie prosince prosinec \
     pro aralık ara δεκεμβρίου δεκέμβριος δεκ ديسمبر",
];

/// Names of weekdays, which say nothing that the date does not.
const WEEKDAYS: &str = "monday mon tuesday tue tues wednesday wed weds thursday thu thur thurs friday \
    fri saturday sat sunday sun \
    понедельник пн пон вторник вт среда ср четверг чт пятница пт суббота сб воскресенье вс вск \
    понеділок вівторок середа четвер п'ятниця субота неділя нд \
    poniedziałek pon pn wtorek wt środa śr czwartek czw cz piątek pią pt sobota sob sb niedziela \
    niedz nie ndz nd \
    montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sonnabend sa sonntag so \
    lundi lun mardi mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim \
    lunes martes miércoles mié jueves jue viernes vie sábado sáb domingo dom \
    lunedì martedì mercoledì giovedì gio venerdì sabato sab segunda terça quarta quinta sexta \
    segunda-feira terça-feira quarta-feira quinta-feira sexta-feira seg ter qua qui sex \
    maandag ma dinsdag woensdag wo donderdag vrijdag vr zaterdag za zondag zo \
    måndag mån tisdag tis onsdag ons torsdag tor tors fredag fre lördag lör söndag sön \
    mandag man tirsdag tir lørdag lør søndag søn \
    luni marți marţi miercuri joi vineri sâmbătă duminică \
    pondělí po úterý út středa st čtvrtek čt pátek pá neděle ne \
    pazartesi pzt salı sal çarşamba çar perşembe per cuma cum cumartesi cmt pazar paz \
    δευτέρα δευ τρίτη τρι τετάρτη τετ πέμπτη πεμ παρασκευή παρ σάββατο σαβ σάβ κυριακή κυρ \
    الاثنين الإثنين الثلاثاء الأربعاء الاربعاء الخميس الجمعة السبت الأحد الاحد \
    星期一 星期二 星期三 星期四 星期五 星期六 星期日 星期天 \
    周一 周二 周三 周四 周五 周六 周日 週一 週二 週三 週四 週五 週六 週日 \
    月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日 \
    월요일 화요일 수요일 목요일 금요일 토요일 일요일";

/// Words that may stand in a date and say nothing.
const FILLERS: &str = "at on of the в во о об г г. р р. року года год um uhr à le de del w dnia \
    t godz - – — | ·";

/// Zones, in minutes east of UTC. Of a name that several zones have the first counts, unless the
/// feed lies in one of the others.
const ZONES: &[(&str, &[i32])] = &[
    ("z", &[0]),
    ("ut", &[0]),
    ("utc", &[0]),
    ("gmt", &[0]),
    ("wet", &[0]),
    ("bst", &[60, 360]),
    ("cet", &[60]),
    ("mez", &[60]),
    ("west", &[60]),
    ("cest", &[120]),
    ("mesz", &[120]),
    ("eet", &[120]),
    ("sast", &[120]),
    ("eest", &[180]),
    ("idt", &[180]),
    ("msk", &[180]),
    ("мск", &[180]),
    ("trt", &[180]),
    ("irst", &[210]),
    ("gst", &[240]),
    ("msd", &[240]),
    ("samt", &[240]),
    ("pkt", &[300]),
    ("yekt", &[300]),
    ("ist", &[330, 120, 60]),
    ("npt", &[345]),
    ("ict", &[420]),
    ("wib", &[420]),
    ("hkt", &[480]),
    ("sgt", &[480]),
    ("pht", &[480]),
    ("awst", &[480]),
    ("jst", &[540]),
    ("kst", &[540]),
    ("acst", &[570]),
    ("aest", &[600]),
    ("vlat", &[600]),
    ("acdt", &[630]),
    ("aedt", &[660]),
    ("nzst", &[720]),
    ("nzdt", &[780]),
    ("nst", &[-210]),
    ("ast", &[-240, 180]),
    ("adt", &[-180]),
    ("brt", &[-180]),
    ("art", &[-180]),
    ("est", &[-300, 600]),
    ("edt", &[-240, 660]),
    ("et", &[-300]),
    ("cst", &[-360, 480]),
    ("cdt", &[-300]),
    ("ct", &[-360]),
    ("mst", &[-420]),
    ("mdt", &[-360]),
    ("mt", &[-420]),
    ("pst", &[-480, 480]),
    ("pdt", &[-420]),
    ("pt", &[-480]),
    ("akst", &[-540]),
    ("akdt", &[-480]),
    ("hst", &[-600]),
];

/// Words for the halves of a day. Those of East Asia may stand before the hour without a space.
const MORNING: &[&str] = &["am", "a.m", "a.m.", "오전", "上午", "午前"];
const AFTERNOON: &[&str] = &["pm", "p.m", "p.m.", "오후", "下午", "午後"];

pub(super) fn month(word: &str) -> Option<i8> {
    static BY_NAME: LazyLock<FxHashMap<&str, i8>> = LazyLock::new(|| {
        let mut by_name = FxHashMap::default();
        for (month, names) in (1..).zip(MONTHS) {
            for name in names.split_whitespace() {
                by_name.entry(name).or_insert(month);
            }
        }
        by_name
    });
    BY_NAME.get(word).copied()
}

pub(super) fn is_weekday(word: &str) -> bool {
    static NAMES: LazyLock<FxHashSet<&str>> =
        LazyLock::new(|| WEEKDAYS.split_whitespace().collect());
    NAMES.contains(word)
}

pub(super) fn is_filler(word: &str) -> bool {
    static WORDS: LazyLock<FxHashSet<&str>> =
        LazyLock::new(|| FILLERS.split_whitespace().collect());
    WORDS.contains(word)
}

/// The seconds east of UTC of a zone, in a feed that lies `home` seconds east of it.
pub(super) fn zone(word: &str, home: Option<i32>) -> Option<i32> {
    let (_, minutes) = ZONES.iter().find(|(name, _)| *name == word)?;
    let mut seconds = minutes.iter().map(|minutes| minutes * 60);
    seconds.clone().find(|seconds| Some(*seconds) == home).or_else(|| seconds.next())
}

/// Whether a word starts with one for the afternoon (true) or the morning, and what follows it.
pub(super) fn half(word: &str) -> Option<(bool, &str)> {
    let of = |names: &[&str], afternoon| {
        names.iter().find_map(|name| {
            let rest = word.strip_prefix(name)?;
            (rest.is_empty() || !name.is_ascii()).then_some((afternoon, rest))
        })
    };
    of(MORNING, false).or_else(|| of(AFTERNOON, true))
}
