//! The accounts of the broker, from what this program knows of its modules.

use crate::config::Config;
use crate::modules::{Replaced, foreign, modules};
use saga::JOURNAL;
use saga_nats::accounts::{COORDINATORS, Member, Members, OPERATOR, accounts_config};
use saga_nats::subject::Subjects;
use std::collections::{BTreeMap, BTreeSet};

/// What the file says of itself.
const HEAD: &str = "# The accounts of a NATS server: one for each module, for the coordinators (who alone have streams), and for operators.\n\
# Made by `sagactl config nats-accounts`, not by hand. Passwords come from the environment of the server, one\n\
# NATS_PASSWORD_<NAME> for each user, so that this file can be read by anybody. Services need bus.accounts = true.\n";

/// Who else connects, beside the modules that the program knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// They publish events from outside.
    pub publishers: Vec<String>,
    /// They read the events of these modules. The name of a module of another language lets it read them too.
    pub readers: BTreeMap<String, Vec<String>>,
}

/// The accounts, as a NATS server includes them; an error says which name is wrong.
pub fn nats_accounts(config: &Config, others: &Others) -> Result<String, String> {
    let every = modules(&config.files.folder, Replaced::default());
    let strangers = foreign(&every);
    let heard = |module: &saga_core::module::Module| {
        let folded = module.projections.iter().flat_map(|projection| projection.sources());
        let followed = module.reactors.iter().flat_map(|reactor| reactor.sources());
        folded.chain(followed).map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let mut reads: BTreeMap<String, BTreeSet<String>> = every
        .iter()
        .filter(|module| module.name != JOURNAL)
        .map(|module| (module.name.to_owned(), heard(module)))
        .chain(strangers.into_iter().map(|name| (name, BTreeSet::new())))
        .collect();
    let known: BTreeSet<String> = reads.keys().cloned().collect();
    let mut outside = BTreeMap::<String, BTreeSet<String>>::new();
    for (reader, owners) in &others.readers {
        if let Some(unknown) = owners.iter().find(|owner| *owner != JOURNAL && !known.contains(*owner)) {
            return Err(format!("there is no module {unknown:?} to be read by {reader}"));
        }
        let place = match reads.get_mut(reader) {
            Some(module) => module,
            None => outside.entry(reader.clone()).or_default(),
        };
        place.extend(owners.iter().cloned());
    }
    let mut taken: BTreeSet<&str> = known.iter().map(String::as_str).chain([COORDINATORS, OPERATOR]).collect();
    for name in others.publishers.iter().chain(outside.keys()) {
        if !crate::config::is_word(name) || !taken.insert(name) {
            return Err(format!("{name:?} is no name of its own of a-z, 0-9, _ and -"));
        }
    }
    let member = |(name, reads): (String, BTreeSet<String>)| Member {
        name,
        reads: reads.into_iter().collect(),
        asks: Vec::new(),
    };
    let members = Members {
        modules: reads.into_iter().map(member).collect(),
        publishers: others.publishers.clone(),
        readers: outside.into_iter().map(member).collect(),
    };
    let subjects = Subjects::new(&config.prefix).map_err(|why| why.to_string())?;
    Ok(format!("{HEAD}{}", accounts_config(&subjects, &members)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_wrong_or_taken_are_refused() {
        let config = Config::default();
        let others = |publishers: &[&str], readers: &[(&str, &[&str])]| Others {
            publishers: publishers.iter().map(|&name| name.to_owned()).collect(),
            readers: readers
                .iter()
                .map(|(name, owners)| ((*name).to_owned(), owners.iter().map(|&owner| owner.to_owned()).collect()))
                .collect(),
        };
        let text = nats_accounts(&config, &others(&["website"], &[("warehouse", &["delivery"])])).unwrap();
        assert!(text.contains("aicmo.in.website.>") && text.contains("aicmo.ctl.read.delivery.warehouse"), "{text}");
        let text = nats_accounts(&config, &others(&[], &[("courier", &["delivery"])])).unwrap();
        assert!(text.contains("aicmo.ctl.read.delivery.courier"), "{text}");
        for wrong in [
            others(&["qc"], &[]),
            others(&["operator"], &[]),
            others(&["a.b"], &[]),
            others(&[">"], &[]),
            others(&["x", "x"], &[]),
            others(&[], &[("reader", &["nobody"])]),
            others(&[], &[("orchestration", &["qc"])]),
        ] {
            assert!(nats_accounts(&config, &wrong).is_err(), "{wrong:?}");
        }
    }
}
