//! Sentences in every language that the lists know, in texts of every other, and names that belong to none.

use super::super::parts::parts_of;
use super::*;

#[test]
fn sentences_of_another_language_are_told_and_names_are_not() {
    let table = [
        ("de", "Mehlbrief: ground on the day of delivery. Alles beginnt mit einem Gespräch.", "en"),
        ("en", "Flour: gemahlen und nach Hause gebracht. It is with you in a day.", "de"),
        ("fr", "Pain : baked by those who know you. Tout commence par vos besoins.", "en"),
        ("es", "Pan: boulangerie où nous travaillons avec vous. Todo empieza con una visita.", "fr"),
        ("no", "Brød: ekmek ve çok daha fazlası için. Alt begynner med en samtale.", "tr"),
        ("en", "Loaf: испечена в четыре утра и привезена. It is with you by seven.", "Cyrl"),
        ("ja", "「Tidewell」は、closes the month in one evening。", "Latn"),
        ("en", "The hall: 二日目の昼食まで畑の料理が付く. It is with you.", "Hani"),
        // Names, slogans and addresses.
        ("en", "Our offer: غرفة جلوس بالمقاس.", ""),
        ("en", "ज्ञान सेतु पुस्तकालय presents it", ""),
        ("en", "Meet 平日二泊の湯治プラン by 星川温泉旅館", ""),
        ("ja", "株式会社 Nordlys Rederi の船", ""),
        ("ru", "Смотрите https://x.example/and/the/this/that", ""),
        ("de", "The North Face, Made in Germany", ""),
        ("de", "Alles aus einer Hand: what you need", ""),
        ("und", "Anything und alles", ""),
        ("vi", "„What you need“", ""),
        ("en", "Maria de los Santos, Casa de la Abuela", ""),
        ("en", "Peter von der Heide, Hotel an der Isar", ""),
        ("zh", "お茶の水女子大学附属小学校提供", ""),
        ("ja", "平日二泊湯治計画", ""),
        ("ja", "我们为您准备，还给您送到。", "zh"),
        ("zh", "朝四時に焼いて、七時までにお届けします。", "ja"),
    ];
    for (language, text, found) in table {
        let told: Vec<_> = mixed(&parts_of(text, language), language, &[]).into_iter().map(|told| told.found).collect();
        let wanted: Vec<&str> = if found.is_empty() { vec![] } else { vec![found] };
        assert_eq!(told, wanted, "{language}: {text}");
    }
}

#[test]
fn what_was_demanded_in_one_language_is_told_in_a_piece_of_another() {
    let demanded = ["ohne Vertrag".to_owned(), "https://x.example".to_owned(), "24/7".to_owned()];
    for (language, count) in [("en", 1), ("de", 0), ("de-AT", 0), ("no", 1)] {
        let told = mixed(&parts_of("https://x.example 24/7 ohne  VERTRAG.", language), "de", &demanded);
        assert_eq!(told.len(), count, "{told:?}");
    }
    assert_eq!(mixed(&parts_of("30 dager gratis", "nb"), "no", &["30 dager gratis".to_owned()]), []);
    assert_eq!(mixed(&parts_of("30 dager gratis", "en"), "und", &["30 dager gratis".to_owned()]), []);
}

#[test]
fn what_was_demanded_is_in_the_language_of_its_letters() {
    let table = [
        ("en", "en", "سريع وآمن للجميع", "Arab"),
        ("en", "ar", "سريع وآمن للجميع", ""),
        ("en", "de", "株式会社", ""),
        ("en", "en", "朝四時に焼いてお届けします", "Hira"),
        ("ar", "en", "no contract at all", ""),
        ("de", "ja", "ohne Vertrag", "de"),
    ];
    for (own, language, text, found) in table {
        let told = mixed(&parts_of(&format!("“{text}”"), language), own, &[text.to_owned()]);
        let told: Vec<_> = told.into_iter().map(|told| told.found).collect();
        let wanted: Vec<&str> = if found.is_empty() { vec![] } else { vec![found] };
        assert_eq!(told, wanted, "{text} of {own} in {language}");
    }
}

#[test]
fn the_rest_of_a_sentence_with_what_was_demanded_is_looked_at() {
    let text = "Ohne Vertrag: which is what you get from us.";
    let told = mixed(&parts_of(text, "fr"), "de", &["ohne Vertrag".to_owned()]);
    assert_eq!(told.into_iter().map(|told| told.found).collect::<Vec<_>>(), ["de", "en"]);
}

/// Short texts as they are sold with, and slogans that are lent everywhere.
#[test]
fn most_short_texts_are_told_in_every_other_language_and_none_is_told_wrong() {
    let (mut told, mut all) = (0, 0);
    for (language, texts) in SHORT {
        for text in *texts {
            for (own, _) in SMALL {
                let found = other_language(&folded(text), own);
                if own == language {
                    assert_eq!(found, None, "{text} is {own}");
                    continue;
                }
                all += 1;
                if let Some(found) = found {
                    assert!(found.split(" or ").any(|one| one == *language), "{text} is no {found}");
                    told += 1;
                }
            }
        }
    }
    assert!(told * 10 >= all * 7, "{told} of {all}");
    for name in NAMES {
        for (own, _) in SMALL {
            assert_eq!(other_language(&folded(name), own), None, "{name} in {own}");
        }
    }
}

#[test]
fn small_words_are_written_as_they_are_compared_and_each_list_has_one_once() {
    for (language, small) in SMALL {
        let seen: BTreeSet<_> = small.iter().collect();
        assert_eq!(seen.len(), small.len(), "{language}");
        small.iter().for_each(|word| assert_eq!(folded(word), *word, "{language}"));
    }
}

const SHORT: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "Fresh bread on your doorstep before seven.",
            "Book a free tasting today.",
            "We repair what others throw away.",
            "Your first month costs nothing.",
            "Made by hand in our workshop in Leeds.",
            "No contract, no hidden fees.",
            "Every loaf is baked at four in the morning.",
            "Talk to a person, not to a machine.",
            "Tents that last for years.",
            "Sleep better from the first night.",
            "A calm place for busy people.",
            "Ground on the day of delivery.",
            "Save two hours a week.",
        ],
    ),
    (
        "de",
        &[
            "Gemahlen am Tag der Lieferung.",
            "Vor der Tür, bevor der Wecker klingelt.",
            "Jede Woche frisch vom Hof.",
            "Das kann jede Familie selbst.",
            "Die Buchhaltung, die von allein läuft.",
            "Kein Vertrag, keine versteckten Kosten.",
            "Reparieren statt wegwerfen.",
            "Jetzt kostenlos testen.",
            "Wir kommen zu Ihnen nach Hause.",
            "Unsere Zelte halten ein Leben lang.",
            "Der erste Monat ist geschenkt.",
            "Handgemacht in Bremen, geliefert in ganz Deutschland.",
            "So schläft man besser.",
        ],
    ),
    (
        "fr",
        &[
            "Du pain frais devant votre porte avant sept heures.",
            "Réservez votre dégustation gratuite.",
            "Le premier mois est offert.",
            "Fabriqué à la main dans notre atelier.",
            "Sans engagement ni frais cachés.",
            "Chaque semaine, des légumes de saison.",
            "Dormez mieux dès la première nuit.",
            "Nous réparons ce que les autres jettent.",
            "Parlez à une personne, pas à une machine.",
            "La comptabilité qui se fait toute seule.",
            "Livraison gratuite le jour même.",
            "Un lieu calme pour les gens pressés.",
        ],
    ),
    (
        "es",
        &[
            "Pan recién hecho en la puerta de su casa.",
            "Se puede reservar en dos minutos.",
            "Hecho a mano para toda la familia.",
            "Sin contrato y sin costes ocultos.",
            "El primer mes es gratis.",
            "Reparamos lo que otros tiran.",
            "Cada semana, verduras de temporada.",
            "Duerma mejor desde la primera noche.",
            "La contabilidad que se hace sola.",
            "Hable con una persona, no con una máquina.",
            "Envío gratuito el mismo día.",
            "Un lugar tranquilo para gente ocupada.",
        ],
    ),
    (
        "pt",
        &[
            "Pão fresco à sua porta antes das sete.",
            "Reserve hoje a sua prova gratuita.",
            "O primeiro mês é grátis.",
            "Feito à mão na nossa oficina.",
            "Sem contrato e sem custos escondidos.",
            "Toda semana, legumes da estação.",
            "Durma melhor desde a primeira noite.",
            "Consertamos o que os outros jogam fora.",
            "Fale com uma pessoa, não com uma máquina.",
            "A contabilidade que se faz sozinha.",
            "Entrega gratuita no mesmo dia.",
            "Um lugar calmo para quem tem pressa.",
        ],
    ),
    (
        "tr",
        &[
            "Sabah yediden önce kapınızda taze ekmek.",
            "Bugün ücretsiz tadım için yer ayırtın.",
            "İlk ay bizden hediye.",
            "Atölyemizde elle yapılır.",
            "Sözleşme yok, gizli ücret yok.",
            "Her hafta mevsim sebzeleri.",
            "İlk geceden itibaren daha iyi uyuyun.",
            "Başkalarının attığını biz onarıyoruz.",
            "Makineyle değil, bir insanla konuşun.",
            "Kendi kendine yürüyen muhasebe.",
            "Aynı gün ücretsiz teslimat.",
            "Yoğun insanlar için sakin bir yer.",
        ],
    ),
    (
        "no",
        &[
            "Ferskt brød på døren før klokken sju.",
            "Bestill en gratis smaksprøve i dag.",
            "Den første måneden er gratis.",
            "Laget for hånd i verkstedet vårt.",
            "Ingen binding og ingen skjulte gebyrer.",
            "Hver uke grønnsaker i sesong.",
            "Sov bedre fra første natt.",
            "Vi reparerer det andre kaster.",
            "Snakk med et menneske, ikke med en maskin.",
            "Regnskapet som går av seg selv.",
            "Gratis levering samme dag.",
            "Et rolig sted for travle mennesker.",
        ],
    ),
];
const NAMES: &[&str] = &[
    "The North Face",
    "Made in Germany",
    "Vorsprung durch Technik",
    "Nordlys Rederi AS, Tromsø",
    "Café de la Paix",
    "La Casa del Pan",
    "Tidewell Pro Plus",
    "Savoir-faire",
    "São Paulo Fashion Week",
    "Bäckerei Müller & Söhne",
    "El Corte Inglés",
    "Rua das Flores 12, Lisboa",
    "Ekmek Evi İstanbul",
    "Das Auto",
    "Die Zeit",
    "Le Creuset Cocotte",
    "Häagen-Dazs",
    "Customer Relationship Management",
    "Search Engine Optimization",
    "Content-Marketing und SEO",
    "Brød & Co. Bergen",
    "Por Fin Viernes",
    "Uno Mas Tapas Bar",
    "KPI, ROI, CAC",
    "Peter von der Heide",
    "Maria de los Santos",
    "Van der Valk Hotels",
    "Software as a Service",
    "Ground Control to Major Tom",
];
