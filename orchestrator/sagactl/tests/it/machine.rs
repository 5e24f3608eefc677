//! Machine formats: every command's JSON is whole and carries its version; every error is one JSON object.

use crate::served::{Served, run, sagactl};
use saga_core::codes;
use serde_json::Value;

const LOOKS: [&[&str]; 9] = [
    &["saga", "list"],
    &["saga", "list", "--all", "--limit", "3"],
    &["saga", "list", "--type", "nothing"],
    &["saga", "show", "9f3ac2d1", "--data"],
    &["saga", "history", "client-to-delivery/acme-7"],
    &["saga", "why-stuck", "c41d90e7"],
    &["module", "list"],
    &["definition", "list"],
    &["version"],
];

#[test]
fn every_json_document_is_whole_and_versioned() {
    let served = Served::new();
    for words in LOOKS {
        let (exit, stdout, stderr) = run(served.sagactl(&[words, &["-o", "json"]].concat()));
        assert_eq!((exit, stderr.as_str()), (0, ""), "{words:?}");
        assert_eq!(stdout.lines().count(), 1, "{words:?}");
        let value: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(value["apiVersion"], "saga/v1", "{words:?}");
        assert!(value["kind"].is_string(), "{words:?}");
        let (_, lines, _) = run(served.sagactl(&[words, &["-o", "ndjson"]].concat()));
        for line in lines.lines() {
            let item: Value = serde_json::from_str(line).unwrap();
            assert!(item.is_object(), "{words:?}: {line}");
        }
    }
}

#[test]
fn lists_are_trouble_first_and_say_what_is_missing() {
    let served = Served::new();
    let (_, stdout, _) = run(served.sagactl(&["saga", "list", "--limit", "3", "-o", "json"]));
    let value: Value = serde_json::from_str(&stdout).unwrap();
    let states: Vec<&str> =
        value["items"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["undo-failed", "parked", "retrying"]);
    assert_eq!((&value["page"]["total"], &value["page"]["truncated"]), (&Value::from(7), &Value::from(true)));
    let (_, stdout, stderr) = run(served.sagactl(&["saga", "list", "--limit", "3"]));
    assert_eq!(stdout.lines().count(), 4);
    assert!(stderr.starts_with("3 of 7 shown"), "{stderr}");
    let (_, all, _) = run(served.sagactl(&["saga", "list", "--all", "--limit", "0", "-o", "id"]));
    assert_eq!(all.lines().count(), 10);
    let (exit, empty, _) = run(served.sagactl(&["saga", "list", "--type", "nothing", "-o", "json"]));
    assert_eq!((exit, empty.contains("\"items\":[]")), (0, true));
}

#[test]
fn large_numbers_stay_exact() {
    let served = Served::new();
    let (_, stdout, _) = run(served.sagactl(&["saga", "show", "9f3ac2d1", "--data", "-o", "json"]));
    assert!(stdout.contains("9007199254740993"), "{stdout}");
}

#[test]
fn every_code_is_one_object_on_standard_error_and_its_exit_code() {
    let served = Served::new();
    for code in codes::ALL {
        let (exit, stdout, stderr) = run(served.sagactl(&["saga", "show", code.id, "-o", "json"]));
        assert_eq!((exit, stdout.as_str()), (i32::from(code.exit), ""), "{}", code.id);
        let value: Value = serde_json::from_str(&stderr).unwrap();
        let error = &value["error"];
        assert_eq!(error["code"], code.id);
        assert_eq!(error["retryable"], code.retryable);
        assert_eq!(error["exit"], code.exit);
        assert_eq!(error["docs"], format!("sagactl help {}", code.id));
        assert!(error["hint"].is_array() && error["message"].is_string());
    }
}

#[test]
fn the_body_over_http_is_the_same_json() {
    let served = Served::new();
    let (_, printed, _) = run(served.sagactl(&["saga", "show", "9f3ac2d1", "-o", "json"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = runtime.block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = served.url.strip_prefix("http://").unwrap();
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET /v1/sagas/9f3ac2d1 HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let body = body.split("\r\n\r\n").nth(1).unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(read(&printed), read(body));
}

#[test]
fn nobody_there_is_exit_nine_with_a_way_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("owner.json"), "{\"pid\":1,\"url\":\"http://127.0.0.1:1\"}").unwrap();
    for words in [&["saga", "list", "--url", "http://127.0.0.1:1"][..], &["module", "list", "--data", data]] {
        let (exit, stdout, stderr) = run(sagactl(words));
        assert_eq!((exit, stdout.as_str()), (9, ""), "{stderr}");
        assert!(stderr.contains("SG0302 error:") && stderr.contains("start one  "), "{stderr}");
        if words.contains(&"--data") {
            // It can be typed as it stands: as the program was called, over the same folder.
            let dev = format!("{} --data {data} dev", env!("CARGO_BIN_EXE_sagactl"));
            assert!(stderr.contains(&dev), "{stderr}");
            assert!(stderr.contains("names process 1 at http://127.0.0.1:1, which does not answer"), "{stderr}");
        }
    }
}
