//! Bad input files: each gives its code, exit code 2, and a message that names the place; nothing is sent.

use crate::served::{Served, run};

fn table() -> Vec<(&'static str, Option<Vec<u8>>, &'static str, &'static str)> {
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    vec![
        ("missing.json", None, "SG0104", "missing.json: there is no such file"),
        ("malformed.json", Some(b"{\n  \"client\": \"acme\",\n  \"budget\": }".to_vec()), "SG0101", "(line 3, column"),
        ("cut.json", Some(b"{\"a\": [1, 2".to_vec()), "SG0101", "EOF"),
        ("empty.json", Some(Vec::new()), "SG0101", "EOF"),
        ("two.json", Some(b"1 2".to_vec()), "SG0101", "trailing characters"),
        ("twice.json", Some(b"{\"a\":{\"b\":1,\n\"b\":2}}".to_vec()), "SG0101", "duplicate key \"b\" at /a/b (line 2"),
        ("nul.json", Some(b"{\"a\":\"x\\u0000\"}".to_vec()), "SG0101", "NUL character in a text at /a (line 1"),
        ("raw-nul.json", Some(b"{\"a\":\"\0\"}".to_vec()), "SG0101", "/a"),
        ("latin1.json", Some(b"{\"a\":\n\"caf\xe9\"}".to_vec()), "SG0101", "not UTF-8 at byte 10 (line 2)"),
        (
            "deep.json",
            Some(format!("{}1{}", "[".repeat(1000), "]".repeat(1000)).into_bytes()),
            "SG0103",
            "deeper than 64",
        ),
        ("large.json", Some(large.into_bytes()), "SG0103", "large.json: more than 1048576 bytes"),
        (".", None, "SG0104", "is a directory"),
    ]
}

#[test]
fn every_bad_file_is_refused_with_its_place() {
    let served = Served::new();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, code, place) in table() {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        for prefix in ["", "@"] {
            let input = format!("{prefix}{}", path.display());
            let (exit, stdout, stderr) = run(served.sagactl(&["saga", "start", "renewal", "--input", &input]));
            assert_eq!((exit, stdout.as_str()), (2, ""), "{name}: {stderr}");
            assert!(stderr.starts_with(&format!("{code} error:")) && stderr.contains(place), "{name}: {stderr}");
        }
    }
    assert!(served.fixtures.ordered().is_empty());
}

#[test]
fn good_input_is_sent_as_it_came() {
    let served = Served::new();
    let text = "{\"n\":9007199254740993,  \"e\":1E2}";
    let mut command = served.sagactl(&["s", "start", "client-to-delivery", "--key", "acme-7", "--input", "-"]);
    command.write_stdin(format!("\u{feff}{text}\n"));
    let (exit, stdout, stderr) = run(command);
    assert_eq!(exit, 0, "{stderr}");
    assert!(stdout.starts_with("accepted  0193a1c7-55e2-7c1f-b0aa-41d89f3ac2d1  started"), "{stdout}");
    assert!(stderr.starts_with("request "), "{stderr}");
    let ordered = served.fixtures.ordered();
    let (by, order) = ordered.first().unwrap();
    assert_eq!(by.id, "ann");
    assert!(format!("{order:?}").contains(text), "{order:?}");
}
