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
    let url = server.url();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = server.run(Arc::new(Zoo::with_findings()), async move {
        let _ = stopped.await;
    });
    let (served, ()) = tokio::join!(run, async {
        let file = OwnerFile::write(&kept, &url).unwrap();
        match owner::find(&kept, SECOND).await.unwrap() {
            Found::Alive(owner, found) => assert_eq!((owner.pid, found.url()), (std::process::id(), url.as_str())),
            other => panic!("{other:?}"),
        }
        std::mem::forget(file);
        let _ = stop.send(());
    });
    served.unwrap();
    assert!(matches!(owner::find(&path, SECOND).await.unwrap(), Found::Stale(_)));
    let file = OwnerFile::write(&path, "http://127.0.0.1:1").unwrap();
    file.remove().unwrap();
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    std::fs::write(path.join("owner.json"), "{\"pid\":").unwrap();
    assert!(matches!(owner::find(&path, SECOND).await.unwrap(), Found::Nobody));
}
