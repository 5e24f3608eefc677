//! Incidents: what went wrong in a process and was repaired. Each kind has a name under which it is counted, and a
//! meaning.

/// A kind of incident. Everything that is counted is named here, so that no face shows a name without its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// The broker had lost events.
    BrokerLoss,
    /// The clock was set.
    Clock,
    /// Another process took a group over.
    Fenced,
    /// A message in a stream of events is in no log.
    Phantom,
    /// Strange messages that no fact keeps.
    StrangeMessages,
    /// Something panicked or ended.
    TaskEnded,
    /// A history cannot be read.
    UnreadableSaga,
    /// A fact that no store can keep.
    Unstorable,
    /// Answers on another group's subject.
    WrongGroup,
}

impl Incident {
    /// All of them, by their names.
    pub const ALL: [Incident; 9] = [
        Incident::WrongGroup,
        Incident::BrokerLoss,
        Incident::Clock,
        Incident::Fenced,
        Incident::Phantom,
        Incident::StrangeMessages,
        Incident::TaskEnded,
        Incident::UnreadableSaga,
        Incident::Unstorable,
    ];
    /// The name under which it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Incident::BrokerLoss => "broker-loss",
            Incident::Clock => "clock",
            Incident::Fenced => "fenced",
            Incident::Phantom => "phantom",
            Incident::StrangeMessages => "strange messages that were only counted",
            Incident::TaskEnded => "task-ended",
            Incident::UnreadableSaga => "unreadable-saga",
            Incident::Unstorable => "unstorable",
            Incident::WrongGroup => "answers that came to the wrong group",
        }
    }
    /// What happened, what became of it, and whether anybody is needed.
    pub fn meaning(self) -> &'static str {
        match self {
            Incident::BrokerLoss => {
                "the broker had lost events that it had acknowledged; they were published again, in order; what it had lost beside \
                 them that no log has, events from outside and dead letters, is gone"
            }
            Incident::Clock => "the clock of this machine was set, and deadlines moved by as much",
            Incident::Fenced => "a coordinator group was taken over by another process; this one stepped down from it",
            Incident::Phantom => "the broker had an event that the log does not know; the relay of that module stopped",
            Incident::StrangeMessages => {
                "a saga was told more that it had not asked for than its history keeps; the log of the process has the last"
            }
            Incident::TaskEnded => {
                "something that should run for ever panicked or ended, and was begun anew; the log of the process has its words"
            }
            Incident::UnreadableSaga => "the history of a saga cannot be read; it stands still, and nothing else does",
            Incident::Unstorable => "a fact could be kept by no store; its saga waits for a person",
            Incident::WrongGroup => {
                "each was handed on to the group of its saga, and nothing is lost; the module sends its answers to \
                 another subject than the command names"
            }
        }
    }
    /// The one that is counted under this name. `None`: another version of the program counts it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|incident| incident.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incident_is_found_by_its_name_and_says_what_it_means() {
        for incident in Incident::ALL {
            assert_eq!(Incident::named(incident.name()), Some(incident));
            assert!(incident.meaning().split(' ').count() > 5, "{incident:?}");
        }
        let names = Incident::ALL.map(Incident::name);
        assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert_eq!(Incident::named("what a newer program counts"), None);
    }
}
