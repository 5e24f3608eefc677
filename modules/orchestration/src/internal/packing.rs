//! What a client is handed: texts ready to be used, the whole strategy, and the pictures.

use super::client_to_delivery::judged;
use super::headings::{self, Headings};
use delivery::api::dtos::{ArtifactItem, ArtifactSpec, ItemContent, STAND_INS};
use delivery::api::print::is_printable;
use onboarding::api::dtos::NormalizedBrief;
use production::api::dtos::{AssetMade, AssetSpec, BundleMade, DraftWritten};
use qc::api::{Mixed, not_of_one_language};
use strategy::api::dtos::StrategyDoc;
use strategy::api::events::Layer;

/// Mail, in the vocabulary of formats.
const EMAIL: &str = "email";

/// The three artifacts of a package. Headings are in the language of the brief; names of files are the house's.
pub(super) fn artifacts(
    brief: &NormalizedBrief,
    strategy: &StrategyDoc,
    draft: DraftWritten,
    bundle: &BundleMade,
    assets: &[AssetMade],
) -> Vec<ArtifactSpec> {
    let artifact = |name: &str, title: &str, items: Vec<ArtifactItem>| ArtifactSpec {
        name: name.to_owned(),
        title: title.to_owned(),
        items,
    };
    let headings = headings::of(&brief.language);
    let looked_at = not_of_one_language(
        &judged(&draft.body, assets.iter().map(|asset| (&asset.spec, &asset.copy))),
        &draft.language,
        &brief.must_include,
    );
    let mut pack = vec![text("draft.txt", draft.body)];
    pack.extend(assets.iter().map(piece));
    pack.extend(checklist(&brief.other_constraints, &looked_at));
    let pictures = assets.iter().filter(|asset| bundle.asset_ids.contains(&asset.asset_id)).filter_map(picture);
    let title = format!("{}: {}", brief.client_name, headings.strategy);
    let document = document(strategy, headings);
    vec![
        artifact("content_pack.zip", &brief.client_name, pack),
        artifact(document_of(&title, &document), &title, document),
        artifact("assets_bundle.zip", &brief.client_name, pictures.collect()),
    ]
}

fn text(name: &str, text: String) -> ArtifactItem {
    ArtifactItem { name: name.to_owned(), content: ItemContent::Text { text } }
}

/// The name of a piece's files, without what comes behind the dot.
pub(super) fn name_of(spec: &AssetSpec) -> String {
    let AssetSpec { platform, format, language, variant } = spec;
    format!("{platform}-{format}-{language}-{variant}")
}

/// A piece as it is used: mail as a message that mail programs open, everything else as a text.
fn piece(asset: &AssetMade) -> ArtifactItem {
    let copy = &asset.copy;
    let caption = copy.caption.clone().unwrap_or_default();
    // Some formats have their call in the midst.
    let call = copy.cta.clone().filter(|call| !caption.contains(call.as_str()));
    let body: Vec<_> = [Some(caption), call].into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let (name, body) = (name_of(&asset.spec), body.join("\n\n"));
    if asset.spec.format == EMAIL {
        return text(&format!("{name}.eml"), message(&copy.hook, &asset.spec.language, &body));
    }
    let words: Vec<_> = [copy.hook.clone(), body].into_iter().filter(|part| !part.is_empty()).collect();
    text(&format!("{name}.txt"), words.join("\n\n"))
}

/// A message without sender and receiver (RFC 5322, with the letters of RFC 6532): the person who opens it fills these
/// in.
fn message(subject: &str, language: &str, body: &str) -> String {
    let line = |text: &str| text.split(|c: char| c.is_control()).collect::<Vec<_>>().join(" ");
    let head = [
        ("Subject", line(subject)),
        ("X-Unsent", "1".to_owned()),
        ("Content-Language", line(language)),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "8bit".to_owned()),
    ];
    let head: String = head.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{head}\r\n{}\r\n", body.lines().collect::<Vec<_>>().join("\r\n"))
}

/// What is left to do before the texts are used: the rules that no program can judge, in the client's own words, and what is
/// not in the language of its piece: its name, the words, and from which language into which. Without a sentence of ours, it
/// needs no language of its own.
fn checklist(rules: &[String], looked_at: &[Mixed]) -> Option<ArtifactItem> {
    let rules = rules.iter().filter(|rule| !rule.trim().is_empty()).map(|rule| format!("[ ] {rule}"));
    let looked_at = looked_at
        .iter()
        .map(|Mixed { part, sentence, found, wanted }| format!("[ ] {part}: {sentence} ({found} → {wanted})"));
    let lines: Vec<_> = rules.chain(looked_at).collect();
    (!lines.is_empty()).then(|| text("checklist.txt", lines.join("\n")))
}

/// The picture of a piece, called like its text.
fn picture(asset: &AssetMade) -> Option<ArtifactItem> {
    let media = asset.media.as_ref()?;
    let ending = match media.url.split([';', ',']).next().unwrap_or_default() {
        "data:image/svg+xml" => ".svg",
        "data:image/png" => ".png",
        "data:image/jpeg" => ".jpg",
        "data:application/pdf" => ".pdf",
        "data:video/mp4" => ".mp4",
        _ => "",
    };
    let content = ItemContent::Link { url: media.url.clone(), sha256: Some(media.sha256.clone()) };
    Some(ArtifactItem { name: format!("{}{ending}", name_of(&asset.spec)), content })
}

/// A document where every reader of one has all of its letters, and a page of the web otherwise.
fn document_of(title: &str, sections: &[ArtifactItem]) -> &'static str {
    let (document, page, _) = STAND_INS[0];
    let prints = |section: &ArtifactItem| match &section.content {
        ItemContent::Text { text } => is_printable(&section.name) && is_printable(text),
        ItemContent::Link { .. } | ItemContent::File { .. } => true,
    };
    if is_printable(title) && sections.iter().all(prints) { document } else { page }
}

/// The whole strategy: the summary, the eight layers in the order in which they are read, and when what is done.
fn document(strategy: &StrategyDoc, headings: &Headings) -> Vec<ArtifactItem> {
    let mut sections = vec![text(headings.summary, strategy.summary.head().to_owned())];
    let layers = Layer::ALL.into_iter().zip(headings.layers);
    let said = layers.filter_map(|(layer, heading)| Some((heading, strategy.layers.get(&layer)?)));
    sections.extend(said.map(|(heading, layer)| text(heading, layer.clone())));
    let phases: Vec<_> = strategy
        .timeline
        .phases
        .iter()
        .map(|phase| match (phase.week_from, phase.week_to) {
            (week, to) if week == to => format!("{week}: {}", phase.name),
            (from, to) => format!("{from}–{to}: {}", phase.name),
        })
        .collect();
    if !phases.is_empty() {
        sections.push(text(headings.weeks, phases.join("\n")));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::ids::{AssetId, BriefId, BundleId, DraftId, StrategyId};
    use events::values::Text;
    use onboarding::api::events::BriefNormalized;
    use production::api::dtos::AssetCopy;
    use production::api::events::Media;
    use strategy::api::dtos::StrategyStatus;
    use strategy::api::events::{Phase, Timeline, Writer};
    use uuid::Uuid;

    fn made(id: u128, format: &str, copy: AssetCopy, url: &str) -> AssetMade {
        let media = Media { asset_type: "image".to_owned(), url: url.to_owned(), sha256: "ab".repeat(32) };
        let platform = if format == EMAIL { EMAIL } else { "instagram" }.to_owned();
        AssetMade {
            asset_id: AssetId(Uuid::from_u128(id)),
            version: 1,
            spec: AssetSpec { platform, format: format.to_owned(), language: "de".to_owned(), variant: 1 },
            copy,
            content_hash: String::new(),
            media: Some(media),
        }
    }
    fn copy(hook: &str, caption: &str, cta: &str) -> AssetCopy {
        let (caption, cta) = (Some(caption.to_owned()), Some(cta.to_owned()));
        AssetCopy { hook: hook.to_owned(), caption, cta, tone: Some("ruhig".to_owned()) }
    }
    fn strategy() -> StrategyDoc {
        let layers = Layer::ALL.into_iter().map(|layer| (layer, format!("what is said of {}", layer.word())));
        let phase = |name: &str, week_from, week_to| Phase { name: name.to_owned(), week_from, week_to };
        StrategyDoc {
            strategy_id: StrategyId(Uuid::from_u128(1)),
            brief_id: BriefId(Uuid::from_u128(2)),
            version: 1,
            status: StrategyStatus::Approved,
            summary: Text::of("Alles in einem Satz.").0,
            channels: Vec::new(),
            kpis: Vec::new(),
            layers: layers.collect(),
            timeline: Timeline { phases: vec![phase("Vorbereiten", 1, 1), phase("Auswerten", 2, 8)] },
            writer: Writer { provider: "template".to_owned(), prompt_hash: String::new() },
            content_hash: String::new(),
            author: None,
            amends: None,
            reviewers: Vec::new(),
            decided_by: None,
            note: Some("ein Wort unter uns".to_owned()),
            superseded_by: None,
            stale: false,
        }
    }
    fn packed() -> Vec<ArtifactSpec> {
        let mut brief = NormalizedBrief::from(&BriefNormalized::example());
        brief.language = "de".to_owned();
        brief.client_name = "Kornhof Uhl".to_owned();
        brief.other_constraints = vec!["Preise immer mit Steuer".to_owned(), " ".to_owned()];
        let draft = DraftWritten {
            draft_id: DraftId(Uuid::from_u128(3)),
            revision: 1,
            content_type: "content_pack".to_owned(),
            language: "de".to_owned(),
            body: "Der Entwurf.".to_owned(),
        };
        let assets = [
            made(10, "post", copy("Mehlbrief", "Gemahlen heute.", "Jetzt anfragen."), "data:image/svg+xml;base64,AA=="),
            made(
                11,
                EMAIL,
                copy("Neu:\r\nMehl", "Guten Tag,\n\nJetzt anfragen.\n\nGruß", "Jetzt anfragen."),
                "https://x.example/a",
            ),
            made(12, "story", copy("Nur ein Satz", "", ""), "data:image/png;base64,AA=="),
        ];
        let bundle = BundleMade {
            bundle_id: BundleId(Uuid::from_u128(4)),
            draft_id: draft.draft_id,
            asset_ids: assets[..2].iter().map(|asset| asset.asset_id).collect(),
            media: Vec::new(),
        };
        artifacts(&brief, &strategy(), draft, &bundle, &assets)
    }
    fn texts(artifact: &ArtifactSpec) -> Vec<(&str, &str)> {
        let of = |item: &'_ ArtifactItem| match &item.content {
            ItemContent::Text { text } => text.clone(),
            ItemContent::Link { url, .. } => url.clone(),
            ItemContent::File { sha256 } => sha256.clone(),
        };
        artifact.items.iter().map(|item| (item.name.as_str(), &*of(item).leak())).collect()
    }

    #[test]
    fn each_format_is_laid_out_as_it_is_used() {
        let [pack, _, pictures] = packed().try_into().unwrap();
        assert_eq!(pack.title, "Kornhof Uhl");
        let mail = "Subject: Neu:  Mehl\r\nX-Unsent: 1\r\nContent-Language: de\r\nMIME-Version: 1.0\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
                    Guten Tag,\r\n\r\nJetzt anfragen.\r\n\r\nGruß\r\n";
        let wanted = [
            ("draft.txt", "Der Entwurf."),
            ("instagram-post-de-1.txt", "Mehlbrief\n\nGemahlen heute.\n\nJetzt anfragen."),
            ("email-email-de-1.eml", mail),
            ("instagram-story-de-1.txt", "Nur ein Satz"),
            ("checklist.txt", "[ ] Preise immer mit Steuer"),
        ];
        assert_eq!(texts(&pack), wanted);
        let wanted = [
            ("instagram-post-de-1.svg", "data:image/svg+xml;base64,AA=="),
            ("email-email-de-1", "https://x.example/a"),
        ];
        assert_eq!(texts(&pictures), wanted, "the third is not in the bundle");
    }

    #[test]
    fn a_document_with_a_letter_that_no_reader_has_is_a_page() {
        let section = |name: &str, said: &str| text(name, said.to_owned());
        for (title, name, said, document) in [
            ("Kornhof Uhl: Strategie", "Märkte", "1–2: „Größe“\nca. 5 €", "strategy_doc.pdf"),
            ("Kornhof Şahin: Strategie", "Märkte", "Größe", "strategy_doc.html"),
            ("Kornhof Uhl: Strategie", "Αγορά", "Größe", "strategy_doc.html"),
            ("Kornhof Uhl: Strategie", "Märkte", "für 松本", "strategy_doc.html"),
        ] {
            assert_eq!(
                document_of(title, &[section("Ziel", "x"), section(name, said)]),
                document,
                "{title} {name} {said}"
            );
        }
        assert_eq!(packed()[1].name, "strategy_doc.pdf");
    }

    #[test]
    fn what_is_not_in_the_language_of_its_piece_is_on_the_list() {
        let mixed = |part: &str, sentence: &str| Mixed {
            part: part.to_owned(),
            sentence: sentence.to_owned(),
            found: "ar".to_owned(),
            wanted: "en".to_owned(),
        };
        let list =
            checklist(&["Prices with tax".to_owned()], &[mixed("linkedin-post-en-1", "ضمان خمس سنوات")]).unwrap();
        let ItemContent::Text { text } = list.content else { panic!("{list:?}") };
        assert_eq!(text, "[ ] Prices with tax\n[ ] linkedin-post-en-1: ضمان خمس سنوات (ar → en)");
        assert_eq!(checklist(&[" ".to_owned()], &[]), None);
    }

    #[test]
    fn the_document_holds_the_summary_all_eight_layers_and_the_weeks() {
        let [_, document, _] = packed().try_into().unwrap();
        assert_eq!(document.title, "Kornhof Uhl: Strategie");
        let sections = texts(&document);
        assert_eq!(sections.len(), 10);
        assert_eq!(sections[0], ("Zusammenfassung", "Alles in einem Satz."));
        for (layer, (_, said)) in Layer::ALL.into_iter().zip(&sections[1..]) {
            assert_eq!(*said, format!("what is said of {}", layer.word()));
        }
        assert_eq!(sections[9], ("Zeitplan (Wochen)", "1: Vorbereiten\n2–8: Auswerten"));
        assert!(!format!("{document:?}").contains("unter uns"), "the note of a decision is nobody else's");
    }
}
