//! Fills the streams of modules again from their logs, where they hold messages that no log has: `sagactl events
//! republish`, and a part of `sagactl store recover`. A stream is only a copy of a log; messages that no log has are
//! removed.

use crate::backends::{Backends, Weather};
use crate::config::Config;
use crate::modules::{Replaced, modules};
use saga::{Error, SystemClock};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::Clock;
use saga_nats::{Compared, Nats};
use std::sync::Arc;

/// Streams of modules beside their logs, before anything is ordered.
pub struct Refill {
    broker: Nats,
    found: Vec<(String, Compared)>,
}

impl Refill {
    /// Compares the stream of this module, or of every module that has a store here, with its log. Changes nothing, and may be
    /// asked while everything runs. `None` where the bus is the one inside the process, which has no streams.
    ///
    /// # Errors
    /// There is no such module, or stores or broker cannot be read, with the next step.
    pub async fn of(config: &Config, module: Option<&str>) -> Result<Option<Self>, ControlError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let names: Vec<&str> = modules(&config.files.folder, Replaced::default()).iter().map(|one| one.name).collect();
        if let Some(strange) = module.filter(|module| !names.contains(module)) {
            let error = ControlError::new(codes::USAGE, format!("no module of this program is named {strange:?}"));
            return Err(error.hint(format!("name one of these: {}", names.join(", "))));
        }
        let backends = Backends::look(config, &clock).await.map_err(Weather::error)?;
        let found =
            compare(&backends, names.into_iter().filter(|name| module.is_none_or(|module| module == *name))).await;
        backends.close().await;
        let (found, broker) = (found?, Backends::maker(config).await.map_err(Weather::error)?);
        Ok(broker.map(|broker| Self { broker, found }))
    }
    /// Whether some stream holds what no log has.
    pub fn is_due(&self) -> bool {
        self.found.iter().any(|(_, compared)| compared.is_strange())
    }
    /// What was found, and what would be done about it, a line for each stream.
    pub fn says(&self) -> Vec<String> {
        self.found.iter().map(|(module, compared)| says(module, compared)).collect()
    }
    /// Removes the streams that hold what no log has, and makes them anew: the process that relays the module fills
    /// them, at once or when it starts. Repeating it is harmless.
    ///
    /// # Errors
    /// The broker does not do it, with the next step; what was done stays.
    pub async fn order(self) -> Result<Vec<String>, ControlError> {
        let mut lines = Vec::new();
        for (module, compared) in self.found.iter().filter(|(_, compared)| compared.is_strange()) {
            self.broker.remake_events(module).await.map_err(|why| {
                let error = ControlError::new(codes::BUS_UNAVAILABLE, format!("{}: {why}", compared.stream));
                error.hint("run it again: what was done stays done")
            })?;
            let stream = &compared.stream;
            lines.push(format!(
                "{stream}: made anew; it is filled from the log of {module} by the process that runs the module"
            ));
        }
        Ok(lines)
    }
}

async fn compare(
    backends: &Backends,
    names: impl Iterator<Item = &'static str>,
) -> Result<Vec<(String, Compared)>, ControlError> {
    let (opener, mut found) = (backends.stores(), Vec::new());
    let failed = |why| ControlError::from(Error::Open(why));
    for name in names {
        // A module that was never started has nothing on the bus, and a look makes no store.
        if !opener.has(name).await.map_err(failed)? {
            continue;
        }
        let store = opener.open(name).await.map_err(failed)?;
        let compared = backends.compared(name, &store).await;
        let compared = compared.map_err(|why| ControlError::new(codes::BUS_UNAVAILABLE, why.to_string()))?;
        found.extend(compared.map(|compared| (name.to_owned(), compared)));
    }
    Ok(found)
}

fn says(module: &str, Compared { stream, head, last, same, strange }: &Compared) -> String {
    if same == last {
        return match last < head {
            true => {
                format!("{stream}: a copy of the log of {module} up to {last}; what follows up to {head} is on its way")
            }
            false => format!("{stream}: a copy of the log of {module}, which ends at {head}; nothing is to be done"),
        };
    }
    let (from, gone) = (same + 1, last - same);
    let them = if gone == 1 { format!("message {from} is") } else { format!("messages {from} to {last} are") };
    format!(
        "{stream}: {them} not in the log of {module}, which ends at {head}, and will be gone; {from} {strange}. The stream is \
         removed, made anew, and filled with the {head} events of the log"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_be_gone_is_told_before_it_is_ordered() {
        for (head, last, same, part) in [
            (
                47,
                56,
                47,
                "messages 48 to 56 are not in the log of strategy, which ends at 47, and will be gone; 48 is x. ",
            ),
            (47, 48, 47, "message 48 is not in the log"),
            // Another log stands under the same numbers.
            (60, 56, 40, "messages 41 to 56 are not in the log of strategy, which ends at 60, and will be gone"),
            (0, 3, 0, "messages 1 to 3 are not in the log of strategy, which ends at 0"),
            (47, 47, 47, "nothing is to be done"),
            (47, 40, 40, "up to 40; what follows up to 47 is on its way"),
            (0, 0, 0, "nothing is to be done"),
        ] {
            let compared = Compared { stream: "EVT_strategy".to_owned(), head, last, same, strange: "is x".to_owned() };
            let says = says("strategy", &compared);
            assert!(says.starts_with("EVT_strategy: ") && says.contains(part), "{says}");
        }
    }
}
