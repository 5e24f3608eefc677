//! What metrics are told apart by: each label with where its values come from, which is a closed list or what was registered.

macro_rules! labels {
    ($($label:ident = $name:literal: $says:literal;)+) => {
        /// A label of a metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Label {
            $(#[doc = $says] $label,)+
        }
        impl Label {
            /// All of them.
            pub const ALL: &[Label] = &[$(Label::$label),+];
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Label::$label => $name,)+ }
            }
            /// Where its values come from.
            pub const fn says(self) -> &'static str {
                match self { $(Label::$label => $says,)+ }
            }
        }
    };
}

labels! {
    Consumer = "consumer": "The name of a reactor.";
    Direction = "direction": "do or undo.";
    Kind = "kind": "The name of an incident, as doctor shows it.";
    Module = "module": "The name of a module.";
    Outcome = "outcome": "Of a saga: the state that it ended in. Of a try: done, refused, retry, unknown or failed. Of a query: answered or refused.";
    Projection = "projection": "The name of a read model, with its version.";
    Reason = "reason": "Of a wait: its code. Of what lies aside: message or event.";
    Scope = "scope": "What a lease is of: group or lead.";
    State = "state": "The state of a saga, as lists show it.";
    Type = "type": "The name of a saga's definition.";
    Version = "version": "Of a saga: the version of its definition. Of the build: that of the program.";
}
