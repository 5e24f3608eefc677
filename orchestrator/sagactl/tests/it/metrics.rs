//! The numbers of a running process, as a machine reads them: everything that the table has, and nothing else.

use crate::serve::{ends_well, sagactl, start, until};
use saga_core::telemetry::{Kind, Metric};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

/// Where the process that runs this folder answers, once it has said so.
fn address(data: &Path) -> Option<String> {
    let owner: Value = serde_json::from_str(&std::fs::read_to_string(data.join("owner.json")).ok()?).ok()?;
    Some(owner["url"].as_str()?.strip_prefix("http://")?.to_owned())
}

/// The head and the body of an answer.
fn get(address: &str, path: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// A text of metrics, taken apart: what is said of each, and each line with its number.
#[derive(Default)]
struct Exposed {
    help: BTreeMap<String, String>,
    kinds: BTreeMap<String, String>,
    lines: BTreeMap<String, String>,
}

fn read(text: &str) -> Exposed {
    let mut all = Exposed::default();
    for line in text.lines() {
        let (into, rest) = match (line.strip_prefix("# HELP "), line.strip_prefix("# TYPE ")) {
            (Some(rest), _) => (&mut all.help, rest.split_once(' ')),
            (_, Some(rest)) => (&mut all.kinds, rest.split_once(' ')),
            _ => (&mut all.lines, line.rsplit_once(' ')),
        };
        let (name, value) = rest.unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(into.insert(name.to_owned(), value.to_owned()), None, "twice: {line}");
    }
    all
}

/// The metric of a line and the names of its labels.
fn named(line: &str) -> (&str, BTreeSet<&str>) {
    let (name, labels) = line.split_once('{').unwrap_or((line, ""));
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    let histogram = base.filter(|base| Metric::named(base).is_some_and(|metric| metric.kind() == Kind::Histogram));
    let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| Some(pair.split_once('=')?.0));
    (histogram.unwrap_or(name), labels.filter(|label| *label != "le").collect())
}

#[test]
fn the_numbers_of_a_process_are_those_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path(), folder.path().join(".sagactl"));
    let mut child = start(path, &["dev", "--listen", "127.0.0.1:0"]);
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready"]).0 == 0);
    let began = ["saga", "start", "client-to-delivery", "--example", "--key", "acme-7", "-q"];
    let (exit, id, errors) = sagactl(path, &began);
    assert_eq!(exit, 0, "{errors}");
    let id = id.trim();
    until(path, "it waits at its gate", || {
        let (_, said, _) = sagactl(path, &["saga", "list", "--state", "waiting", "-q"]);
        !said.is_empty()
    });
    let address = address(&data).unwrap();
    let (head, text) = get(&address, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    let found = read(&text);
    for metric in Metric::ALL.iter().copied() {
        assert_eq!(found.help.get(metric.name()).map(String::as_str), Some(metric.says()), "{text}");
        assert_eq!(found.kinds.get(metric.name()).map(String::as_str), Some(metric.kind().word()), "{text}");
    }
    assert_eq!(found.help.len(), Metric::ALL.len(), "{text}");
    for line in found.lines.keys() {
        let (name, labels) = named(line);
        let metric = Metric::named(name).unwrap_or_else(|| panic!("{line} is not in the table"));
        assert_eq!(labels, metric.labels().iter().map(|label| label.name()).collect(), "{line}");
    }
    for secret in [id, "acme-7", path.to_str().unwrap()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let number = |line: &str| found.lines.get(line).unwrap_or_else(|| panic!("{line} is not in {text}")).as_str();
    for (line, wanted) in [
        ("saga_ready", "1"),
        ("saga_groups", "1"),
        ("saga_takeovers_total{scope=\"group\"}", "1"),
        ("saga_started_total{type=\"client-to-delivery\",version=\"1\"}", "1"),
        ("saga_in_state{state=\"waiting\",type=\"client-to-delivery\"}", "1"),
        ("saga_in_state{state=\"parked\",type=\"client-to-delivery\"}", "0"),
        ("saga_needs_attention{reason=\"WAITING_SIGNAL\",type=\"client-to-delivery\"}", "1"),
        ("saga_fenced_total{module=\"qc\"}", "0"),
        ("saga_incidents_total{kind=\"fenced\"}", "0"),
        ("saga_dlq_messages{module=\"qc\",reason=\"event\"}", "0"),
    ] {
        assert_eq!(number(line), wanted, "{line}");
    }
    let events: u64 = number("saga_events_appended_total{module=\"strategy\"}").parse().unwrap();
    assert!(events > 0, "{text}");

    assert!(get(&address, "/metrics?module=qc").0.starts_with("HTTP/1.1 400"), "it takes no words");
    ends_well(&mut child);
}
