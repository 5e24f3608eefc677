//! A TCP proxy in front of a server that loses answers: it passes the n-th write on, waits until the server has answered
//! that it is done, swallows this answer and cuts the connection.
//!
//! Invariant: what it counts as cut was executed, and its client cannot know.

use crate::nats::free_port;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

mod nats;
mod postgres;

/// 10 s: a server that has not answered by then is away, and was not seen to execute anything.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The protocol of one connection, as far as it matters here.
trait Wire: Default + Send + 'static {
    /// The first message of a client, if it is there as a whole.
    fn request(&mut self, pending: &[u8]) -> Option<Request>;
    /// The first message of the server, if it is there as a whole.
    fn answer(&mut self, pending: &[u8]) -> Option<Answer>;
}
#[derive(Default)]
struct Request {
    length: usize,
    /// With it the server begins a write.
    write: Option<Deed>,
    /// What the proxy answers itself, instead of the server.
    refused: Option<&'static [u8]>,
}
struct Answer {
    length: usize,
    /// With it the server has answered a write; whether it was done.
    done: Option<(Deed, bool)>,
}
/// A write: its number on this connection, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Deed {
    number: u64,
    what: String,
}

/// What is to be cut, and what was.
#[derive(Debug, Default)]
struct Schedule {
    /// Writes that begin with this count.
    prefix: String,
    /// The connection is cut after this many more; 0 never.
    left: u64,
    cuts: u64,
    done: BTreeMap<String, u64>,
    /// So many answers to such writes are lost, and the connection lives.
    swallows: u64,
    swallowed: u64,
    /// From a cut on nobody is let in.
    then_down: bool,
    down: bool,
}

/// The proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    schedule: Arc<Mutex<Schedule>>,
    ended: Arc<AtomicBool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts it in front of a NATS server on loopback. A write is a publish that is acknowledged; it is called by its
    /// subject.
    pub fn nats(server: u16) -> Self {
        Self::start::<nats::Nats>(server)
    }
    /// Starts it in front of a PostgreSQL server on loopback. A write is `append <name>`, `commit <name>` or
    /// `lease <name>`, where the name is what the client calls itself.
    pub fn postgres(server: u16) -> Self {
        Self::start::<postgres::Postgres>(server)
    }
    fn start<W: Wire>(server: u16) -> Self {
        let (port, schedule) = (free_port(), Arc::new(Mutex::new(Schedule::default())));
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|why| panic!("no proxy: {why}"));
        let ended = Arc::new(AtomicBool::new(false));
        let (shared, over) = (Arc::clone(&schedule), Arc::clone(&ended));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // A client that is dropped here sees a server that went away.
                if !lock(&shared).down {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || carry::<W>(client, server, &shared));
                }
            }
        });
        Self { port, schedule, ended }
    }
    /// Where clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// Where clients of NATS connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
    /// Cuts the connection after the `n`-th write from now on whose name begins with `prefix`; 0 takes it back.
    pub fn cut_after(&self, prefix: &str, n: u64) {
        let mut schedule = lock(&self.schedule);
        (schedule.prefix, schedule.left, schedule.then_down) = (prefix.to_owned(), n, false);
    }
    /// The same, and lets nobody in any more until [`Proxy::up`].
    pub fn cut_after_and_stay_down(&self, prefix: &str, n: u64) {
        self.cut_after(prefix, n);
        lock(&self.schedule).then_down = true;
    }
    /// Loses the answers to the next `n` writes whose name begins with `prefix`, on connections that live.
    pub fn swallow(&self, prefix: &str, n: u64) {
        let mut schedule = lock(&self.schedule);
        (schedule.prefix, schedule.left, schedule.swallows) = (prefix.to_owned(), 0, n);
    }
    /// How many answers it has lost.
    pub fn swallowed(&self) -> u64 {
        lock(&self.schedule).swallowed
    }
    /// Lets clients in again.
    pub fn up(&self) {
        lock(&self.schedule).down = false;
    }
    /// How often it has cut behind a write that was executed.
    pub fn cuts(&self) -> u64 {
        lock(&self.schedule).cuts
    }
    /// How many writes have been executed, by their names.
    pub fn done(&self) -> BTreeMap<String, u64> {
        lock(&self.schedule).done.clone()
    }
}
impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Schedule {
    fn is_target(&mut self, write: &Deed) -> bool {
        let counts = self.left > 0 && write.what.starts_with(&self.prefix);
        self.left -= u64::from(counts);
        counts && self.left == 0
    }
    /// A write that was not done is none: the next one is cut.
    fn done(&mut self, done: bool) {
        if done {
            self.cuts += 1;
            self.down = self.then_down;
        } else {
            self.left = 1;
        }
    }
}

/// What the two directions of a connection share.
struct Channel<W> {
    wire: W,
    /// The write whose answer is awaited. Until it is here, nothing of what the server says is passed on.
    target: Option<Deed>,
}

fn carry<W: Wire>(client: TcpStream, server: u16, schedule: &Arc<Mutex<Schedule>>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { return };
    let _small = (server.set_nodelay(true), client.set_nodelay(true));
    let channel = Arc::new(Mutex::new(Channel { wire: W::default(), target: None }));
    let (tell, told) = mpsc::channel();
    let (other, known) = (Arc::clone(&channel), Arc::clone(schedule));
    thread::spawn(move || {
        bring_back(from_server, &to_client, &other, &known, &tell);
        let _gone = to_client.shutdown(Shutdown::Both);
    });
    pass_on(client, &server, &channel, schedule, &told);
    let _gone = server.shutdown(Shutdown::Both);
}

/// Client to server. Whole messages, so that nothing follows the write behind which it is cut.
fn pass_on<W: Wire>(
    mut client: TcpStream,
    mut server: &TcpStream,
    channel: &Mutex<Channel<W>>,
    schedule: &Mutex<Schedule>,
    told: &mpsc::Receiver<bool>,
) {
    let (mut pending, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        pending.extend_from_slice(&buffer[..count]);
        loop {
            let Some(request) = lock(channel).wire.request(&pending) else { break };
            let target = request.write.filter(|write| lock(schedule).is_target(write));
            let waits = target.is_some();
            if waits {
                // Before it is passed on: its answer must find this.
                lock(channel).target = target;
            }
            let sent = match request.refused {
                Some(answer) => client.write_all(answer),
                None => server.write_all(&pending[..request.length]),
            };
            pending.drain(..request.length);
            if waits {
                match told.recv_timeout(ANSWER_MAX) {
                    Ok(false) => {}
                    Ok(true) => return,
                    // The server went away with it.
                    Err(_) => return lock(schedule).done(false),
                }
            }
            if sent.is_err() {
                return;
            }
        }
    }
}

/// Server to client.
fn bring_back<W: Wire>(
    mut server: TcpStream,
    mut client: &TcpStream,
    channel: &Mutex<Channel<W>>,
    schedule: &Mutex<Schedule>,
    tell: &mpsc::Sender<bool>,
) {
    let (mut pending, mut held, mut buffer) = (Vec::new(), Vec::new(), [0; 16 * 1024]);
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        pending.extend_from_slice(&buffer[..count]);
        loop {
            let mut line = lock(channel);
            let Some(answer) = line.wire.answer(&pending) else { break };
            held.extend(pending.drain(..answer.length));
            if let Some((write, done)) = answer.done {
                let mut schedule = lock(schedule);
                if done && schedule.swallows > 0 && write.what.starts_with(&schedule.prefix) {
                    held.truncate(held.len() - answer.length);
                    (schedule.swallows, schedule.swallowed) = (schedule.swallows - 1, schedule.swallowed + 1);
                }
                if done {
                    *schedule.done.entry(write.what.clone()).or_default() += 1;
                }
                if line.target.as_ref() == Some(&write) {
                    line.target = None;
                    schedule.done(done);
                    let _waiting = tell.send(done);
                    if done {
                        return;
                    }
                }
            }
            if line.target.is_none() && client.write_all(&std::mem::take(&mut held)).is_err() {
                return;
            }
        }
    }
}
