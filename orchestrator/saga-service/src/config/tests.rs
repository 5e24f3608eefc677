//! What a configuration may say, and what is said about one that may not be.

use super::*;
use crate::hidden::tests::{SECRET, forms};

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<ConfigFault>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sagactl.toml");
    std::fs::write(&file, text).unwrap();
    let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(&file, pairs.collect::<Vec<_>>().into_iter())
}
fn fault(text: &str, environment: &[(&str, &str)]) -> String {
    let faults = load(text, environment).unwrap_err();
    let words = |fault: &ConfigFault| format!("{} {}", fault.says, fault.hint.clone().unwrap_or_default());
    faults.iter().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_empty_file_is_the_defaults_and_the_environment_is_above_the_file() {
    assert_eq!(load("", &[]).unwrap(), Config::default());
    let text = "[coordinator]\ngroups = 4\n[store]\nurl = 'sqlite:./one'\n";
    let environment = [("SAGACTL__COORDINATOR__GROUPS", "8"), ("SAGACTL__STORE__URL", "sqlite:./two"), ("HOME", "/")];
    let config = load(text, &environment).unwrap();
    assert_eq!((config.coordinator.groups, config.store.url.shown()), (8, "sqlite:./two"));
}

#[test]
fn faults_name_their_place_and_the_next_step() {
    for (text, environment, wanted) in [
        ("[stor]\nurl = 'x'", vec![], "did you mean store?"),
        ("[store]\nurll = 'x'", vec![], "did you mean url?"),
        ("[coordinator]\ngroups = 'many'", vec![], "line 2"),
        ("", vec![("SAGACTL__BUS__URLL", "x")], "did you mean url?"),
        ("[store]\nurl = 'mysql://x'", vec![], "store.url: mysql://x is neither"),
        ("[store]\nurl = 'postgres://x/y'", vec![], "bus.url: local: cannot connect"),
        ("[store]\nurl = 'sqlite:postgres://u:w@h'", vec![], "is neither sqlite:FOLDER nor"),
        ("[coordinator]\ngroups = 0\nlease_ms = 5", vec![], "coordinator.lease_ms: 5 is not from 1000"),
        ("[admin]\nlisten = '0.0.0.0:1'", vec![], "not a loopback address"),
        ("[bus]\nurl = 'nats://a'\npassword_file = '/does/not/exist'", vec![], "bus.password_file"),
        ("prefix = 'a b'", vec![], "prefix"),
        ("[bus]\nuser='a'\nnkey_file='b'", vec![], "choose one"),
        ("[store]\nurl='postgres://a/b?sslrootcert=/not/there'", vec![], "sslrootcert=…"),
        ("[store]\nurl='postgres://a/b?sslmode=maybe'", vec![], "modes are disable"),
        ("[bus]\nuser='a'", vec![], "bus.password_file"),
        ("[bus]\nurl='nats://a:b@c'", vec![], "name the user as bus.user"),
    ] {
        let says = fault(text, &environment);
        assert!(says.contains(wanted), "{text:?}: {says}");
    }
}

/// Every form of a secret in every place of a configuration: in what is shown of a good one, in every fault of a bad one,
/// and in whatever is printed of either.
#[test]
fn no_secret_is_shown_in_any_place() {
    for form in forms() {
        let (single, double) = (form.replace('\'', ""), form.replace(['\\', '"'], ""));
        let texts = [
            format!("[store]\nurl = '{single}'"),
            format!("[store]\nurl = \"{double}\""),
            format!("[store]\nurl = '{single}' x"),
            format!("[store]\nurl = {form}"),
            format!("[store]\nurl = ['{single}']"),
            format!("store = '{single}'"),
            format!("[bus]\nurl = '{single}'"),
            format!("[bus]\nurl = '{single}' x"),
            format!("[coordinator]\ngroups = '{single}'"),
            format!("[admin]\nlisten = '{single}'"),
            format!("[store]\naccept_unsafe = '{single}'"),
        ];
        let variables = ["STORE", "STORE__URL", "BUS", "BUS__URL", "BUS__TLS", "COORDINATOR__GROUPS", "ADMIN__LISTEN"];
        let texts = texts.iter().map(|text| load(text, &[]));
        let variables = variables.iter().map(|name| load("", &[(&format!("SAGACTL__{name}"), &form)]));
        for loaded in texts.chain(variables) {
            let shown = match &loaded {
                Ok(config) => format!("{config:?} {:?} {:?}", config.lines(), config.store_kind()),
                Err(faults) => format!("{faults:?}"),
            };
            assert!(!shown.contains(SECRET) && !shown.contains("fish"), "{form}: {shown}");
        }
    }
}

#[test]
fn a_login_reaches_the_client_and_nobody_else() {
    let url = "postgres://u:swordfish@[::1]:21200/d";
    let config = load(&format!("[store]\nurl = '{url}'\n[bus]\nurl = 'nats://[::1]:4222'"), &[]).unwrap();
    assert_eq!((config.store_place().as_str(), config.store.url.expose()), ("postgres://***@[::1]:21200/d", url));
    assert_eq!(config.bus_kind(), Ok(BusKind::Nats(vec!["nats://[::1]:4222".to_owned()])));
    for bus in ["nats://h?token=swordfish", "nats://h#swordfish", "nats://h/swordfish", "http://h", "h:4222", "nats://"]
    {
        let says = fault(&format!("[bus]\nurl = '{bus}'"), &[]);
        assert!(says.contains("bus.url") && !says.contains("swordfish"), "{says}");
    }
}

#[test]
fn the_shipped_file_has_every_key_with_its_default() {
    let text = include_str!("../../../../deploy/sagactl.toml");
    assert_eq!(load(text, &[]).unwrap(), Config::default());
    for key in ["password_folder", "accept_unsafe", "credentials_file", "tls_key_file", "repair", "folder"] {
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
}
