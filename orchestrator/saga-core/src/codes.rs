//! The one code space: every error that a person can see has a code, an exit code and a page that works offline.

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `SG` and four digits.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// The exit code of a command that ends with it.
    pub exit: u8,
    /// Whether trying again is sensible.
    pub retryable: bool,
    /// The page.
    pub page: &'static str,
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $id:literal, $exit:literal, $retryable:literal, $title:literal;)+) => {
        $($(#[$meta])* pub const $name: Code = Code {
            id: $id, title: $title, exit: $exit, retryable: $retryable,
            page: include_str!(concat!("../errors/", $id, ".md")),
        };)+
        /// All of them, by number.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    /// The store is written by another process.
    STORE_IN_USE = "SG0001", 5, true, "the store is in use by another process";
    /// The store is newer than the program.
    STORE_NEWER = "SG0002", 1, false, "the store was written by a newer version";
    /// The store cannot be opened or written.
    STORE_UNAVAILABLE = "SG0003", 9, true, "the store cannot be opened or written";
    /// The store would not keep its promises.
    STORE_UNSAFE = "SG0004", 1, false, "a durability setting of the store is wrong";
    /// The store is damaged.
    STORE_CORRUPT = "SG0005", 1, false, "the store is damaged";
    /// A plan uses a name twice.
    PLAN_NAME_TWICE = "SG0006", 1, false, "a plan uses a name twice";
    /// A plan needs an output that nobody produces.
    PLAN_MISSING_OUTPUT = "SG0007", 1, false, "a step needs an output that nobody produces";
    /// A plan needs an output that a path may lack.
    PLAN_MAYBE_OUTPUT = "SG0008", 1, false, "a step needs an output that a path may lack";
    /// A plan has a limit out of bounds.
    PLAN_LIMIT = "SG0009", 1, false, "a limit of a plan is out of bounds";
    /// The same version with another digest.
    PLAN_DIGEST = "SG0010", 1, false, "a version is registered with other content";
    /// A plan has a cycle.
    PLAN_CYCLE = "SG0011", 1, false, "the steps of a plan form a cycle";
    /// An ordinary step has no undo.
    PLAN_NO_UNDO = "SG0012", 1, false, "an ordinary step has no undo";
    /// The order around the pivot is wrong.
    PLAN_PIVOT = "SG0013", 1, false, "steps stand on the wrong side of the pivot";
    /// A plan is empty or its names are malformed.
    PLAN_MALFORMED = "SG0014", 1, false, "a plan is empty or malformed";
    /// The store's sagas are spread over another number of groups.
    STORE_GROUPS = "SG0015", 1, false, "the sagas of the store are spread over another number of groups";
    /// A look at a store that changes too fast.
    STORE_RESTLESS = "SG0016", 9, true, "the store is written faster than it can be copied for a look";
    /// A store is missing, or belongs to another module or installation.
    STORE_STRANGE = "SG0018", 1, false, "a store is missing, or is not the one that belongs here";
    /// A store is behind what is known of it.
    STORE_BEHIND = "SG0019", 1, false, "a store ends before it was known to reach";
    /// Malformed JSON.
    INPUT_MALFORMED = "SG0101", 2, false, "the input is not JSON";
    /// The input does not fit.
    INPUT_REFUSED = "SG0102", 2, false, "the input does not fit";
    /// The input is too large or too deep.
    INPUT_LIMIT = "SG0103", 2, false, "the input breaks a limit";
    /// The input cannot be read.
    INPUT_UNREADABLE = "SG0104", 2, false, "the input cannot be read";
    /// The key is none.
    KEY_REFUSED = "SG0105", 2, false, "the key cannot be used";
    /// The saga is not as it was seen.
    REVISION_CHANGED = "SG0106", 5, false, "the saga has moved on since it was seen";
    /// A fact of the saga cannot be read.
    SAGA_UNREADABLE = "SG0107", 6, false, "the saga's history cannot be read";
    /// No such saga.
    SAGA_NOT_FOUND = "SG0201", 3, false, "there is no such saga";
    /// Several sagas fit.
    SAGA_AMBIGUOUS = "SG0202", 2, false, "several sagas end with these digits";
    /// The key was used with another input.
    KEY_TAKEN = "SG0203", 5, false, "the key was used with another input";
    /// No such definition.
    NO_DEFINITION = "SG0204", 3, false, "there is no such definition";
    /// Not possible in this state.
    WRONG_STATE = "SG0205", 5, false, "not possible in this state";
    /// The point of no return was passed.
    PAST_PIVOT = "SG0206", 5, false, "the point of no return was passed";
    /// A reason is needed.
    REASON_NEEDED = "SG0207", 2, false, "a reason is needed";
    /// No such gate or step.
    NO_SUCH_STEP = "SG0209", 3, false, "the saga has no such step or gate";
    /// The request id was used for another order.
    REQUEST_REUSED = "SG0210", 5, false, "the request id was used for another order";
    /// Too many open sagas or waiting orders.
    OVERLOADED = "SG0211", 9, true, "too much is waiting already";
    /// The gate was decided already.
    ANSWERED = "SG0213", 5, false, "the gate was decided already";
    /// The answer is for another opening of the gate.
    OTHER_OPENING = "SG0214", 5, false, "the answer is for another opening of the gate";
    /// The saga belongs to another group.
    OTHER_GROUP = "SG0215", 5, true, "the saga belongs to another coordinator group";
    /// The definition of a saga's version means something else here.
    OTHER_MEANING = "SG0216", 3, false, "the saga began with another meaning of its definition";
    /// An order was handed over, and what became of it was not heard.
    OUTCOME_UNHEARD = "SG0220", 9, true, "whether the order was carried out is not known";
    /// The caller gave up before its order was begun.
    TOO_LATE = "SG0221", 9, true, "the order came too late and was not begun";
    /// A usage error.
    USAGE = "SG0301", 2, false, "the command line is not understood";
    /// Nobody answers at the address.
    UNREACHABLE = "SG0302", 9, true, "nobody answers";
    /// Waiting ran out of time.
    STILL_PENDING = "SG0303", 8, true, "still pending";
    /// Checks have findings.
    FINDINGS = "SG0304", 6, false, "a check has findings";
    /// Not from there, or not by them.
    NOT_ALLOWED = "SG0305", 4, false, "not allowed from here";
    /// The configuration cannot be used.
    CONFIG = "SG0306", 6, false, "the configuration cannot be used";
    /// The owner of the saga's group has not heard the question.
    UNOWNED = "SG0307", 9, true, "no owner of the saga's group answers";
    /// Asked the wrong process.
    NOT_HERE = "SG0308", 3, false, "this process does not do that";
    /// The bus cannot be reached or used.
    BUS_UNAVAILABLE = "SG0309", 9, true, "the bus cannot be reached or used";
    /// An order, or a wait, on a folder that nobody runs.
    NOBODY_RUNS = "SG0310", 9, true, "nobody runs this folder";
    /// A consumer of events stands where its source's log does not.
    ASTRAY = "SG0313", 6, false, "a consumer has read what its source's log does not have";
    /// A stream of events has what its owner's log does not.
    FOREIGN_EVENT = "SG0314", 6, false, "a stream has an event that its owner's log does not have";
    /// A cursor that does not belong to the list.
    CURSOR = "SG0315", 2, false, "the cursor does not go on with this list";
    /// An address that the API does not have.
    NO_ROUTE = "SG0316", 3, false, "the API has no such address";
    /// A method that an address does not take.
    NO_METHOD = "SG0317", 2, false, "the address does not take this method";
    /// A body of another type.
    NOT_JSON = "SG0318", 2, false, "the body is not JSON in UTF-8";
    /// A backup where it would be part of what it is a copy of, or that is no folder.
    BACKUP_PLACE = "SG0319", 2, false, "a backup cannot be made in this place";
    /// A role of the database may do more than it was given.
    RIGHTS = "SG0321", 6, false, "a role may do more in the database than was given";
    /// The database lets in fewer clients than are needed.
    CROWDED = "SG0322", 9, true, "the database lets in fewer clients than are needed";
    /// A bug.
    INTERNAL = "SG0999", 1, false, "something that must not happen";
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.id)
    }
}
impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        find(&id).ok_or_else(|| serde::de::Error::custom(format!("there is no code {id}")))
    }
}

/// The code with this id.
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}
