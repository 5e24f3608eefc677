//! Who owns a folder is found by asking the address that its file names.

use saga_admin::client::AdminClient;
use saga_admin::owner::{self, Found, OwnerFile};
use saga_admin::server::Server;
use saga_core::control::{Control, Look, ask};
use saga_core::envelope::Actor;
use saga_testkit::fixtures::Zoo;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn nobody_there_is_said_with_a_way_on() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = AdminClient::new(&format!("http://{free}"), SECOND).unwrap();
    let error = client.look(&Actor::operator("ann"), Look::Status(ask::WhoIsThere {})).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), ("SG0302", true));
    assert!(error.hint.iter().any(|hint| hint.contains("sagactl dev")), "{error:?}");
}

#[tokio::test]
async fn an_owner_is_found_while_it_answers_and_stale_after() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_owned();
    assert!(matches!(owner::find(&path, SECOND).await.unwrap(), Found::Nobody));
    let kept = path.clone();
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (url, process) = (server.url(), server.process().to_owned());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = server.run(Arc::new(Zoo::with_findings()), async move {
        let _ = stopped.await;
    });
    let (served, ()) = tokio::join!(run, async {
        let file = OwnerFile::write(&kept, &url, &process).unwrap();
        match owner::find(&kept, SECOND).await.unwrap() {
            Found::Alive(owner, found) => assert_eq!((owner.pid, found.url()), (std::process::id(), url.as_str())),
            other => panic!("{other:?}"),
        }
        // What was found there means this process: another one that has its address refuses.
        let meant = AdminClient::new(&url, SECOND).unwrap().of_process(Some("another".to_owned()));
        assert!(!meant.is_alive().await);
        let refused = meant.look(&Actor::operator("ann"), Look::Status(ask::WhoIsThere {})).await.unwrap_err();
        assert_eq!(refused.code, "SG0310");
        // A copy of the folder is another one.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(kept.join("owner.json"), copy.path().join("owner.json")).unwrap();
        assert!(matches!(owner::find(copy.path(), SECOND).await.unwrap(), Found::Stale(_)));
        std::mem::forget(file);
        let _ = stop.send(());
    });
    served.unwrap();
    assert!(matches!(owner::find(&path, SECOND).await.unwrap(), Found::Stale(_)));
    let file = OwnerFile::write(&path, "http://127.0.0.1:1", "p").unwrap();
    file.remove().unwrap();
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    std::fs::write(path.join("owner.json"), "{\"pid\":").unwrap();
    assert!(matches!(owner::find(&path, SECOND).await.unwrap(), Found::Nobody));
    // What is no file is not waited for.
    std::fs::remove_file(path.join("owner.json")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, path.join("owner.json"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(owner::find(&path, SECOND).await.unwrap(), Found::Nobody));
}
