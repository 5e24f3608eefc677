//! A TCP proxy in front of a NATS server that loses answers: it passes the n-th publish on and cuts the connection before
//! its acknowledgement comes back.

use crate::nats::free_port;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is to be cut, and what was.
#[derive(Debug, Default)]
struct Plan {
    /// Publishes to subjects that begin with this count.
    prefix: Mutex<String>,
    /// The connection is cut after this many more; 0 never.
    left: AtomicU64,
    cuts: AtomicU64,
    ended: AtomicBool,
}

/// The proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    plan: Arc<Plan>,
}

impl Proxy {
    /// Starts it in front of a server on loopback.
    pub fn start(server: u16) -> Self {
        let (port, plan) = (free_port(), Arc::new(Plan::default()));
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|why| panic!("no proxy: {why}"));
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || carry(client, server, &shared));
            }
        });
        Self { port, plan }
    }
    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
    /// Cuts the connection after the `n`-th publish from now on to a subject that begins with `prefix`.
    pub fn cut_after(&self, prefix: &str, n: u64) {
        prefix.clone_into(&mut self.plan.prefix.lock().unwrap_or_else(PoisonError::into_inner));
        self.plan.left.store(n, Ordering::SeqCst);
    }
    /// How often it has cut.
    pub fn cuts(&self) -> u64 {
        self.plan.cuts.load(Ordering::SeqCst)
    }
}
impl Drop for Proxy {
    fn drop(&mut self) {
        self.plan.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn carry(client: TcpStream, server: u16, plan: &Arc<Plan>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (Ok(mut answers), Ok(mut back)) = (server.try_clone(), client.try_clone()) else { return };
    let muted = Arc::new(AtomicBool::new(false));
    let mute = Arc::clone(&muted);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = answers.read(&mut buffer) {
            // A connection that is cut is read to its end: otherwise the server would not get what was passed on.
            if !mute.load(Ordering::SeqCst) && back.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _gone = back.shutdown(Shutdown::Both);
    });
    pass_on(client, server, plan, &muted);
}

/// Passes whole operations on, so that the cut falls between two.
fn pass_on(mut client: TcpStream, mut server: TcpStream, plan: &Plan, muted: &AtomicBool) {
    let (mut pending, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        pending.extend_from_slice(&buffer[..count]);
        while let Some(length) = operation(&pending) {
            let cut = plan.is_last(&pending[..length]);
            if cut {
                muted.store(true, Ordering::SeqCst);
            }
            if server.write_all(&pending[..length]).is_err() {
                return;
            }
            pending.drain(..length);
            if cut {
                plan.cuts.fetch_add(1, Ordering::SeqCst);
                let _gone = server.shutdown(Shutdown::Write);
                let _gone = client.shutdown(Shutdown::Both);
                return;
            }
        }
    }
    let _gone = server.shutdown(Shutdown::Write);
}

/// The length of the first operation, if it is there as a whole.
fn operation(pending: &[u8]) -> Option<usize> {
    let line = pending.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let text = std::str::from_utf8(&pending[..line]).unwrap_or_default();
    let verb = text.split_ascii_whitespace().next().unwrap_or_default();
    let body = match verb {
        "PUB" | "HPUB" => text.split_ascii_whitespace().last().and_then(|size| size.parse::<usize>().ok())? + 2,
        _ => 0,
    };
    (pending.len() >= line + body).then_some(line + body)
}

impl Plan {
    fn is_last(&self, operation: &[u8]) -> bool {
        let prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let begins = |verb: &str| operation.starts_with(format!("{verb} {prefix}").as_bytes());
        let counts = !prefix.is_empty() && (begins("PUB") || begins("HPUB"));
        counts && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1)
    }
}
