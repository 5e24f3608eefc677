//! A consumer of events: it reads a source behind its cursor, folds or reacts, and moves the cursor in the commit of that.
//!
//! Invariant: the cursor and what follows from the events up to it are one commit. Where an answer is lost, the store is
//! asked where it stands before anything is read again; a page that comes twice is passed over.

mod kept;

use super::Machine;
use super::projector::{BEHIND, Page, Parked, fold, marks, public_place};
use crate::host::Served;
use crate::panics::caught;
pub use kept::DOCUMENTS_KEPT;
use kept::Kept;
use saga_core::batch::{Batch, Commit, DOCUMENTS_PER_BATCH_MAX, Fence};
use saga_core::bus::Delivered;
use saga_core::envelope::{Actor, Recorded};
use saga_core::id::{Position, StreamId};
use saga_core::json::Payload;
use saga_core::module::Reactor;
use saga_core::outcome::Answer;
use saga_core::ports::{Document, ReadError};
use saga_core::projection::{At, ProjectionDef};
use saga_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uuid::Uuid;

/// 2,000 events a page: what begins and ends within it is written once. What one commit cannot hold waits for the next.
pub const PROJECTION_PAGE: usize = 2_000;
/// 100 events a page of a reactor: what a crash asks for again, and what is answered then from the inbox.
pub const REACTION_PAGE: usize = 100;
/// A page of 250 events is worth a commit of its own; behind it nobody waits for more to gather.
const LONG_PAGE: usize = 250;

/// What can happen to a consumer.
#[derive(Debug)]
pub enum In {
    /// It begins, after a start or a crash.
    Begin,
    /// What its store says.
    Stands {
        /// The last event of the source that it has had.
        at: Position,
        /// The streams of which something is parked.
        blocked: BTreeSet<StreamId>,
    },
    /// The source cannot be read, or it is not known where the consumer stands.
    Unheard {
        /// In words.
        why: String,
        /// Whether only a person can put it right: the source's log is not the one that was read.
        astray: bool,
    },
    /// Public events of the source, in order.
    Page(Vec<Recorded>),
    /// The documents that were asked for, as far as there are some.
    Loaded(Result<Vec<Document>, ReadError>),
    /// What became of a command.
    Served(Served),
    /// What became of the commit.
    Committed(Commit),
}

/// What a consumer wants done. All but reports and pauses are answered with one [`In`].
#[derive(Debug)]
pub enum Out {
    /// Look up where it stands.
    Find,
    /// Read public events of the source behind this one, and wait if there are none.
    Read {
        /// The public place.
        after: Position,
        /// As many at most.
        max: usize,
    },
    /// Read these documents. Until the commit that follows, nobody else may change them.
    Load {
        /// Of this projection,
        projection: String,
        /// in this version,
        version: u16,
        /// under these keys; perhaps none.
        keys: Vec<String>,
    },
    /// Let the module serve this command. Asked for again after a crash, it has the same keys.
    Serve(Box<Delivered>),
    /// Write this.
    Commit(Box<Batch>),
    /// It works.
    Well,
    /// It does not work, for this reason.
    Trouble(String),
    /// Wait before anything else is done.
    Wait(Pause),
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Until weather may be over.
    Weather,
    /// Until a person may have put right where the consumer stands.
    Person,
    /// Until more events may have gathered: more of them in one page are fewer commits.
    Gather,
}

enum What {
    /// Folds into documents. Those of several sources are written by several consumers: only of one they are kept.
    Fold {
        def: ProjectionDef,
        kept: Option<Kept>,
    },
    React {
        reactor: Reactor,
    },
}

/// Where it is in its round.
enum State {
    /// Asks where it stands; anew after something failed.
    Finding {
        anew: bool,
    },
    Reading,
    Folding {
        page: Page,
        more: bool,
    },
    Reacting(Reactions),
    Committing(Committing),
}

/// A page of events, and how far it is reacted to.
#[derive(Default)]
struct Reactions {
    page: Vec<Recorded>,
    /// So many of its events are done.
    done: usize,
    /// Whether one of them concerned the reactor.
    concerned: bool,
    /// What the next event still asks for, once that is known.
    open: Option<VecDeque<Delivered>>,
    /// Why the next event is parked, once that is known.
    breaks: Option<String>,
    parked: Vec<Parked>,
    blocked: BTreeSet<StreamId>,
}

/// What is true once the commit is durable.
struct Committing {
    at: Position,
    blocked: BTreeSet<StreamId>,
    documents: Vec<(String, Option<Payload>)>,
    /// Whether more events are there.
    more: bool,
    /// Why the rest of the page is not done.
    broken_off: Option<String>,
}

/// One projection or reactor, and one of its sources.
pub struct Consumer {
    cursor: String,
    source: String,
    /// Whether the source is the log of the consumer's own module.
    own: bool,
    what: What,
    fence: Option<Fence>,
    at: Position,
    blocked: BTreeSet<StreamId>,
    state: State,
}

impl Consumer {
    /// Folds a source into a projection.
    pub fn folding(def: ProjectionDef, source: &str, fence: Option<Fence>) -> Self {
        let (cursor, own) = (def.consumer(source), def.owner() == source);
        let kept = (def.sources().len() <= 1).then(Kept::default);
        Self::new(cursor, (source, own), What::Fold { def, kept }, fence)
    }
    /// Turns the events of a source into commands of `module`.
    pub fn reacting(reactor: Reactor, module: &str, source: &str, fence: Option<Fence>) -> Self {
        let cursor = reactor.consumer(module, source);
        Self::new(cursor, (source, module == source), What::React { reactor }, fence)
    }
    fn new(cursor: String, (source, own): (&str, bool), what: What, fence: Option<Fence>) -> Self {
        let state = State::Finding { anew: false };
        let (at, blocked) = (Position::ZERO, BTreeSet::new());
        Self { cursor, source: source.to_owned(), own, what, fence, at, blocked, state }
    }
    /// The last event that it has had.
    pub fn at(&self) -> Position {
        self.at
    }
    fn find(&mut self, anew: bool, out: &mut Vec<Out>) {
        self.state = State::Finding { anew };
        out.push(Out::Find);
    }
    fn read(&mut self, out: &mut Vec<Out>) {
        self.state = State::Reading;
        let max = match self.what {
            What::Fold { .. } => PROJECTION_PAGE,
            What::React { .. } => REACTION_PAGE,
        };
        out.push(Out::Read { after: self.at, max });
    }
    /// Perhaps it was written, and folding the same page over its own documents would count it twice: where it goes on is
    /// what the store says.
    fn failed(&mut self, why: String, out: &mut Vec<Out>) {
        if let What::Fold { kept: Some(kept), .. } = &mut self.what {
            kept.forget();
        }
        out.extend([Out::Trouble(why), Out::Wait(Pause::Weather)]);
        self.find(true, out);
    }
    fn stands(&mut self, anew: bool, at: Position, blocked: BTreeSet<StreamId>, out: &mut Vec<Out>) {
        if !anew || at > self.at {
            out.push(Out::Well);
        }
        (self.at, self.blocked) = (at, blocked);
        self.read(out);
    }
    fn page(&mut self, mut page: Vec<Recorded>, out: &mut Vec<Out>) {
        page.retain(|recorded| public_place(recorded) > self.at);
        if page.is_empty() {
            return self.read(out);
        }
        match &self.what {
            What::Fold { def, kept } => {
                let more = cut(def, &self.source, &mut page) || page.len() >= LONG_PAGE;
                let page = Page::of(def, &self.source, page);
                let unknown = |key: &String| kept.as_ref().is_none_or(|kept| kept.document(key).is_none());
                let keys = page.keys(def).into_iter().filter(unknown).collect();
                out.push(Out::Load { projection: def.name.clone(), version: def.version, keys });
                self.state = State::Folding { page, more };
            }
            What::React { .. } => {
                let blocked = self.blocked.clone();
                self.react(Reactions { page, blocked, ..Reactions::default() }, out);
            }
        }
    }
    fn fold(&mut self, page: &Page, more: bool, loaded: Vec<Document>, out: &mut Vec<Out>) {
        let What::Fold { def, kept } = &self.what else { return self.read(out) };
        let mut documents: BTreeMap<_, _> = loaded.into_iter().map(|document| (document.key, document.body)).collect();
        if let Some(kept) = kept {
            for key in page.keys(def) {
                documents.extend(kept.document(&key).flatten().map(|body| (key, body)));
            }
        }
        let folded = fold(def, &self.source, page, documents, self.blocked.clone());
        let own = folded.batch.documents.iter().filter(|write| write.projection == def.name);
        let documents = own.map(|write| (write.key.clone(), write.body.clone())).collect();
        let at = page.last().map_or(self.at, public_place);
        let committing = Committing { at, blocked: folded.blocked, documents, more, broken_off: None };
        self.commit(committing, folded.batch, out);
    }
    fn commit(&mut self, committing: Committing, batch: Batch, out: &mut Vec<Out>) {
        self.state = State::Committing(committing);
        out.push(Out::Commit(Box::new(Batch { fence: self.fence.clone(), ..batch })));
    }
    fn committed(&mut self, committing: Committing, commit: &Commit, out: &mut Vec<Out>) {
        if let Some(why) = not_written(commit) {
            return self.failed(why, out);
        }
        (self.at, self.blocked) = (committing.at, committing.blocked);
        if let Some(why) = committing.broken_off {
            return self.failed(why, out);
        }
        out.push(Out::Well);
        if let What::Fold { kept, .. } = &mut self.what {
            if let Some(kept) = kept {
                kept.written(committing.documents);
            }
            if !committing.more {
                // Nobody reads a read model every millisecond.
                out.push(Out::Wait(Pause::Gather));
            }
        }
        self.read(out);
    }
    /// Goes on to the next command that follows from the page. Where a reaction breaks, what comes later in the same story
    /// waits behind it.
    fn react(&mut self, mut work: Reactions, out: &mut Vec<Out>) {
        let What::React { reactor } = &self.what else { return self.read(out) };
        loop {
            if let Some(delivered) = work.open.as_mut().and_then(VecDeque::pop_front) {
                out.push(Out::Serve(Box::new(delivered)));
                self.state = State::Reacting(work);
                return;
            }
            let Some(recorded) = work.page.get(work.done) else { return self.reacted(work, None, out) };
            if work.open.take().is_some() {
                if let Some(reason) = work.breaks.take() {
                    work.blocked.insert(recorded.stream.clone());
                    work.parked.push(Parked::of(self.cursor.clone(), &self.source, recorded, reason));
                }
                (work.done, work.concerned) = (work.done + 1, true);
                continue;
            }
            let listens = |(module, event, _): &(&str, &str, _)| *module == self.source && *event == recorded.name;
            if !reactor.reactions.iter().any(listens) {
                work.done += 1;
                continue;
            }
            let (todo, breaks) = match work.blocked.contains(&recorded.stream) {
                true => (VecDeque::new(), Some(BEHIND.to_owned())),
                false => reactions(reactor, &self.source, recorded),
            };
            (work.open, work.breaks) = (Some(todo), breaks);
        }
    }
    fn served(&mut self, mut work: Reactions, served: Served, out: &mut Vec<Out>) {
        match served {
            Served::Answered(Answer::Done { .. } | Answer::Refused(_)) | Served::Stale { .. } => {}
            Served::Answered(Answer::Retry { reason, .. }) => return self.reacted(work, Some(reason), out),
            Served::Park(why) => {
                (work.open, work.breaks) = (Some(VecDeque::new()), Some(format!("{}: {}", why.code, why.reason)));
            }
        }
        self.react(work, out);
    }
    /// Keeps what is done of a page, all of it or up to where it was broken off.
    fn reacted(&mut self, work: Reactions, broken_off: Option<String>, out: &mut Vec<Out>) {
        let last = work.page.get(..work.done).and_then(<[_]>::last);
        let at = last.map_or(self.at, public_place);
        match last {
            Some(last) if work.concerned => {
                let marks = marks(self.cursor.clone(), self.own, last);
                let documents = work.parked.iter().map(Parked::write).collect();
                let batch = Batch { marks, documents, ..Batch::default() };
                let committing =
                    Committing { at, blocked: work.blocked, documents: Vec::new(), more: false, broken_off };
                self.commit(committing, batch, out);
            }
            // Events that do not concern it move its cursor with the next one that does.
            Some(_) | None => match broken_off {
                Some(why) => self.failed(why, out),
                None => {
                    self.at = at;
                    out.push(Out::Well);
                    self.read(out);
                }
            },
        }
    }
}

impl Machine for Consumer {
    type In = In;
    type Out = Out;
    fn step(&mut self, _: Timestamp, input: In, out: &mut Vec<Out>) {
        let state = std::mem::replace(&mut self.state, State::Reading);
        match (state, input) {
            (_, In::Begin) => self.find(false, out),
            (State::Finding { anew }, In::Stands { at, blocked }) => self.stands(anew, at, blocked, out),
            (state @ (State::Finding { .. } | State::Reading), In::Unheard { why, astray }) => {
                out.extend([Out::Trouble(why), Out::Wait(if astray { Pause::Person } else { Pause::Weather })]);
                if let State::Finding { anew } = state { self.find(anew, out) } else { self.read(out) }
            }
            (State::Reading, In::Page(page)) => self.page(page, out),
            (State::Folding { page, more }, In::Loaded(Ok(loaded))) => self.fold(&page, more, loaded, out),
            (State::Folding { .. }, In::Loaded(Err(why))) => self.failed(why.to_string(), out),
            (State::Reacting(work), In::Served(served)) => self.served(work, served, out),
            (State::Committing(committing), In::Committed(commit)) => self.committed(committing, &commit, out),
            // An answer to nothing that was asked.
            (state, _) => self.state = state,
        }
    }
}

/// Why it is not known that a commit of documents and cursors has happened; `None` where it has.
pub fn not_written(commit: &Commit) -> Option<String> {
    let why = match commit {
        Commit::Ok(_) => return None,
        Commit::Conflict(conflict) => conflict.to_string(),
        Commit::Fenced { current } => format!("fenced by epoch {current}"),
        Commit::Rejected(limit) => limit.to_string(),
        Commit::Retryable(why) | Commit::Unknown(why) => why.to_string(),
    };
    Some(format!("the documents could not be written: {why}"))
}

/// Cuts a page to what one commit can hold: each folding writes one document at most. Whether something was left over,
/// or may follow.
fn cut(def: &ProjectionDef, source: &str, page: &mut Vec<Recorded>) -> bool {
    let mut room = DOCUMENTS_PER_BATCH_MAX;
    let fits = page.iter().take_while(|recorded| {
        let folds = def.folds.iter().filter(|fold| fold.module == source && fold.event == recorded.name).count();
        let left = room.checked_sub(folds);
        room = left.unwrap_or(room);
        left.is_some()
    });
    let fits = fits.count().max(1);
    let more = page.len() >= PROJECTION_PAGE.min(fits + 1);
    page.truncate(fits);
    more
}

/// The commands that follow from an event, in order, up to what breaks: the words of that, or `None`.
fn reactions(reactor: &Reactor, source: &str, recorded: &Recorded) -> (VecDeque<Delivered>, Option<String>) {
    let (at, mut todo) = (At::of(source, recorded), VecDeque::new());
    for (module, event, react) in &reactor.reactions {
        if *module != source || *event != recorded.name {
            continue;
        }
        match caught(|| react(recorded, &at)).map(|reactions| reactions.map_err(|why| why.to_string())) {
            Ok(Ok(reactions)) => {
                for reaction in reactions {
                    let request = request_of(recorded, reactor.name, todo.len());
                    let actor = Actor::system(format!("reactor:{}", reactor.name));
                    let (command, version) = (reaction.command, reaction.version);
                    todo.push_back(Delivered::direct(command, version, reaction.payload, request, actor));
                }
            }
            Ok(Err(why)) => return (todo, Some(why)),
            Err(panicked) => return (todo, Some(format!("the reactor panicked: {panicked}"))),
        }
    }
    (todo, None)
}

/// The request id of a reaction: the same event again is the same deed, and two commands that follow from it are two.
fn request_of(recorded: &Recorded, reactor: &str, number: usize) -> Uuid {
    let first = Uuid::new_v5(&recorded.id.0, reactor.as_bytes());
    match u32::try_from(number).unwrap_or(u32::MAX) {
        0 => first,
        number => Uuid::new_v5(&first, &number.to_be_bytes()),
    }
}
