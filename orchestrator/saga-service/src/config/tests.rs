//! What a configuration may say, and what is said about one that may not be.

use super::*;

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
    assert_eq!((config.coordinator.groups, config.store.url.as_str()), (8, "sqlite:./two"));
}

#[test]
fn faults_name_their_place_and_the_next_step() {
    for (text, environment, wanted) in [
        ("[stor]\nurl = 'x'", vec![], "did you mean store?"),
        ("[store]\nurll = 'x'", vec![], "did you mean url?"),
        ("[coordinator]\ngroups = 'many'", vec![], "line 2"),
        ("", vec![("SAGACTL__BUS__URLL", "x")], "did you mean url?"),
        ("[store]\nurl = 'mysql://x'", vec![], "store.url: \"mysql://x\" is neither"),
        ("[store]\nurl = 'postgres://x/y'", vec![], "bus.url: local: cannot connect"),
        ("[coordinator]\ngroups = 0\nlease_ms = 5", vec![], "coordinator.lease_ms: 5 is not from 1000"),
        ("[admin]\nlisten = '0.0.0.0:1'", vec![], "not a loopback address"),
        ("[bus]\nurl = 'nats://a'\npassword_file = '/does/not/exist'", vec![], "bus.password_file"),
        ("prefix = 'a b'", vec![], "prefix"),
        ("[bus]\nuser='a'\nnkey_file='b'", vec![], "choose one"),
        ("[store]\nurl='postgres://a/b?sslrootcert=/not/there'", vec![], "sslrootcert=/not/there"),
        ("[store]\nurl='postgres://a/b?sslmode=maybe'", vec![], "maybe"),
        ("[bus]\nuser='a'", vec![], "bus.password_file"),
        ("[bus]\nurl='nats://a:b@c'", vec![], "name the user as bus.user"),
    ] {
        let says = fault(text, &environment);
        assert!(says.contains(wanted), "{text:?}: {says}");
    }
}

#[test]
fn no_password_is_shown() {
    let url = "postgres://u:swordfish@h/d?password=swordfish";
    for (text, environment) in [
        (format!("[store]\nurl = '{url}' x"), vec![]),
        (format!("[store]\nurl = '{}'", url.replace("postgres", "mysql")), vec![]),
        (format!("[store]\nurl = '{url}'"), vec![]),
        ("[bus]\nurl = 'nats://u:swordfish@h'".to_owned(), vec![]),
        (String::new(), vec![("SAGACTL__STORE", url)]),
    ] {
        let says = fault(&text, &environment);
        assert!(!says.contains("swordfish") && !says.is_empty(), "{says}");
    }
    let config = load(&format!("[store]\nurl = '{url}'\n[bus]\nurl = 'nats://h'"), &[]).unwrap();
    assert_eq!(config.store_place(), "postgres://u:***@h/d?password=***");
    assert!(config.store.url.contains("swordfish") && !format!("{:?}", config.lines()).contains("swordfish"));
}

#[test]
fn the_shipped_file_has_every_key_with_its_default() {
    let text = include_str!("../../../../deploy/sagactl.toml");
    assert_eq!(load(text, &[]).unwrap(), Config::default());
    for key in ["password_folder", "accept_unsafe", "credentials_file", "tls_key_file", "repair", "folder"] {
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
}
