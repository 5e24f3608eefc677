//! What the parts of a strategy are called, in every language that content is delivered in.

use crate::api::languages::written;

/// The words of one language.
pub(super) struct Headings {
    pub(super) language: &'static str,
    /// The document itself.
    pub(super) strategy: &'static str,
    pub(super) summary: &'static str,
    /// In the order of `Layer::ALL`.
    pub(super) layers: [&'static str; 8],
    /// When what is done.
    pub(super) weeks: &'static str,
}

/// The words for a language tag. What began before languages were checked at the door may have another one: English then.
pub(super) fn of(tag: &str) -> &'static Headings {
    let language = written(tag).unwrap_or("en");
    HEADINGS.iter().find(|headings| headings.language == language).unwrap_or(&HEADINGS[0])
}

/// The language in which the summary is called so: each calls it by a word of its own.
pub(crate) fn language_of_summary(heading: &str) -> Option<&'static str> {
    HEADINGS.iter().find(|headings| headings.summary == heading).map(|headings| headings.language)
}

const fn words(
    language: &'static str,
    strategy: &'static str,
    summary: &'static str,
    weeks: &'static str,
    layers: [&'static str; 8],
) -> Headings {
    Headings { language, strategy, summary, layers, weeks }
}

static HEADINGS: [Headings; 14] = [
    words(
        "en",
        "Strategy",
        "Summary",
        "Timeline (weeks)",
        [
            "Where the business stands",
            "The market",
            "The audience",
            "What is offered",
            "The story",
            "Channels",
            "Rules",
            "How success is measured",
        ],
    ),
    words(
        "de",
        "Strategie",
        "Zusammenfassung",
        "Zeitplan (Wochen)",
        [
            "Ausgangslage",
            "Der Markt",
            "Die Zielgruppe",
            "Das Angebot",
            "Die Erzählung",
            "Kanäle",
            "Regeln",
            "Woran Erfolg gemessen wird",
        ],
    ),
    words(
        "fr",
        "Stratégie",
        "Résumé",
        "Calendrier (semaines)",
        [
            "Situation de départ",
            "Le marché",
            "Le public",
            "L’offre",
            "Le récit",
            "Canaux",
            "Règles",
            "Mesure du succès",
        ],
    ),
    words(
        "es",
        "Estrategia",
        "Resumen",
        "Calendario (semanas)",
        [
            "Punto de partida",
            "El mercado",
            "El público",
            "La oferta",
            "El relato",
            "Canales",
            "Reglas",
            "Cómo se mide el éxito",
        ],
    ),
    words(
        "pt",
        "Estratégia",
        "Resumo",
        "Cronograma (semanas)",
        [
            "Ponto de partida",
            "O mercado",
            "O público",
            "A oferta",
            "A narrativa",
            "Canais",
            "Regras",
            "Como se mede o sucesso",
        ],
    ),
    words(
        "ja",
        "戦略",
        "概要",
        "日程（週）",
        ["事業の現状", "市場", "届けたい相手", "提供する価値", "伝える物語", "媒体", "決まりごと", "成果の測り方"],
    ),
    words(
        "zh",
        "策略",
        "摘要",
        "时间表（周）",
        ["业务现状", "市场", "受众", "产品与价值", "故事主线", "渠道", "规则", "成效衡量"],
    ),
    words(
        "ar",
        "الاستراتيجية",
        "الخلاصة",
        "الجدول الزمني (بالأسابيع)",
        ["واقع العمل", "السوق", "الجمهور", "العرض", "الرواية", "القنوات", "القواعد", "قياس النجاح"],
    ),
    words(
        "hi",
        "रणनीति",
        "सारांश",
        "समय-सारणी (सप्ताह)",
        ["व्यवसाय की स्थिति", "बाज़ार", "श्रोता", "पेशकश", "कहानी", "माध्यम", "नियम", "सफलता का माप"],
    ),
    words(
        "ru",
        "Стратегия",
        "Кратко",
        "Сроки (недели)",
        ["Положение дел", "Рынок", "Аудитория", "Предложение", "История", "Каналы", "Правила", "Как измеряется успех"],
    ),
    words(
        "el",
        "Στρατηγική",
        "Σύνοψη",
        "Χρονοδιάγραμμα (εβδομάδες)",
        [
            "Η κατάσταση της επιχείρησης",
            "Η αγορά",
            "Το κοινό",
            "Η προσφορά",
            "Η αφήγηση",
            "Κανάλια",
            "Κανόνες",
            "Πώς μετριέται η επιτυχία",
        ],
    ),
    words(
        "ko",
        "전략",
        "요약",
        "일정 (주)",
        ["사업 현황", "시장", "고객", "제안", "이야기", "채널", "규칙", "성과 측정"],
    ),
    words(
        "tr",
        "Strateji",
        "Özet",
        "Takvim (hafta)",
        [
            "İşin durumu",
            "Pazar",
            "Hedef kitle",
            "Sunulan değer",
            "Anlatı",
            "Kanallar",
            "Kurallar",
            "Başarının ölçülmesi",
        ],
    ),
    words(
        "no",
        "Strategi",
        "Sammendrag",
        "Tidsplan (uker)",
        ["Utgangspunktet", "Markedet", "Målgruppen", "Tilbudet", "Fortellingen", "Kanaler", "Regler", "Slik måles det"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::languages::LANGUAGES;
    use std::collections::BTreeSet;

    #[test]
    fn every_language_has_headings_of_its_own_and_no_two_are_the_same() {
        for (language, _) in LANGUAGES {
            let headings = of(language);
            assert_eq!(headings.language, language);
            assert_eq!(language_of_summary(headings.summary), Some(language));
            let all: BTreeSet<_> = headings.layers.into_iter().chain([headings.summary, headings.weeks]).collect();
            assert_eq!(all.len(), 10, "{language}: a document has no section twice");
            // A heading is the name of a piece, and such a name is no path.
            assert!(all.iter().all(|text| !text.is_empty() && !text.contains(['/', '\\'])), "{language}");
        }
        assert_eq!(of("pt-BR").language, "pt");
        assert_eq!(of("he").language, "en", "only what began before the door knew its languages");
    }
}
