//! Tests: one form of address in everything that is written in a language.

/// Words of the form of address that the house does not use, by language: German, French, Turkish, Greek, Russian and Hindi
/// are formal here, Spanish is familiar, Portuguese says você, Arabic speaks to one person.
const OTHERS: [(&str, &[&str]); 9] = [
    (
        "de",
        &[
            "du",
            "dich",
            "dir",
            "dein",
            "deine",
            "deinem",
            "deinen",
            "deiner",
            "euch",
            "euer",
            "eure",
            "euren",
            "schreib",
            "frag",
            "ruf",
            "hol",
            "komm",
            "schau",
            "probier",
            "melde",
            "vergleich",
            "entscheide",
            "nimm",
            "lies",
            "sag",
            "bestell",
            "buch",
        ],
    ),
    ("fr", &["tu", "te", "toi", "ta", "tes", "contacte", "écris", "demande", "prends", "choisis", "compare"]),
    ("es", &["usted", "ustedes", "contáctenos", "escríbanos", "agende", "pregunte", "compare", "decida"]),
    ("pt", &["tu", "te", "teu", "tua", "teus", "tuas", "contigo"]),
    ("tr", &["sen", "seni", "sana", "senin", "yaz", "sor", "iste"]),
    ("el", &["εσύ", "σου", "γράψε", "ρώτησε", "ζήτησε", "σύγκρινε"]),
    ("ru", &["ты", "тебя", "тебе", "твой", "твоя", "напиши", "спроси", "сравни"]),
    ("hi", &["तू", "तुम", "तुम्हें", "तुम्हारा", "करो", "लिखो"]),
    ("ar", &["لكم", "منكم", "إليكم", "أسئلتكم", "تواصلوا", "راسلونا"]),
];

/// The first word of a text that speaks to its reader in the other way.
pub(super) fn other_address(language: &str, text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let words: Vec<_> = lower.split(|c: char| !(c.is_alphanumeric() || is_mark(c))).collect();
    let others = OTHERS.iter().find(|(tag, _)| *tag == language)?.1;
    others.iter().find(|other| words.contains(other)).copied()
}

/// Signs of vowels that are parts of words.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[test]
fn the_other_form_of_address_is_noticed() {
    assert_eq!(other_address("de", "Vereinbaren Sie. Schreib uns!"), Some("schreib"));
    assert_eq!(other_address("de", "Schreiben Sie uns, Buchweizen ist da."), None);
    assert_eq!(other_address("ar", "نقدم لكم: خبز"), Some("لكم"));
    assert_eq!(other_address("ja", "du"), None);
}
