//! Operator, accounts and users as `nsc` makes them: signed tokens, a server configuration that holds them, and
//! credentials files.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// When everything was signed, in seconds. Long ago, so that what is revoked later or has expired needs no clock.
const SIGNED_AT: u64 = 1_600_000_000;

/// A signed token about the owner of a public key.
fn token(signer: &KeyPair, subject: &str, expires: Option<u64>, claims: &Value) -> String {
    let mut body =
        json!({ "jti": subject, "iat": SIGNED_AT, "iss": signer.public_key(), "name": "test", "sub": subject });
    body["nats"] = claims.clone();
    if let Some(at) = expires {
        body["exp"] = json!(at);
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" })), part(&body));
    let signature = signer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A user of the account, and its token.
struct User {
    key: KeyPair,
    token: String,
}
impl User {
    fn of(account: &KeyPair, expires: Option<u64>) -> Self {
        let key = KeyPair::new_user();
        let claims =
            json!({ "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 });
        let token = token(account, &key.public_key(), expires, &claims);
        Self { key, token }
    }
    fn credentials(&self, file: PathBuf) -> PathBuf {
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            self.token,
            self.key.seed().unwrap()
        );
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// What a server trusts, and credentials of several fates.
pub(crate) struct Operator {
    /// Lines for the server's configuration.
    pub(crate) config: String,
    /// A user who is let in.
    pub(crate) good: PathBuf,
    /// One that the account has revoked.
    pub(crate) revoked: PathBuf,
    /// One whose token has expired.
    pub(crate) expired: PathBuf,
    /// One of an account that the server does not know.
    pub(crate) stranger: PathBuf,
}

impl Operator {
    pub(crate) fn new(folder: &Path) -> Self {
        let (operator, system, account) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
        let (good, revoked) = (User::of(&account, None), User::of(&account, None));
        let expired = User::of(&account, Some(SIGNED_AT + 1));
        let stranger = User::of(&KeyPair::new_account(), None);
        let claims = json!({ "type": "operator", "version": 2, "system_account": system.public_key() });
        let about = token(&operator, &operator.public_key(), None, &claims);
        let mut limits = json!({ "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1 });
        let plain = json!({ "limits": limits, "type": "account", "version": 2 });
        for stored in ["mem_storage", "disk_storage", "streams", "consumer"] {
            limits[stored] = json!(-1);
        }
        let mut revocations = json!({});
        revocations[revoked.key.public_key()] = json!(SIGNED_AT + 1);
        let ours = json!({ "limits": limits, "revocations": revocations, "type": "account", "version": 2 });
        let config = format!(
            "operator: {about}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{\n{}: {}\n{}: {}\n}}\n",
            system.public_key(),
            system.public_key(),
            token(&operator, &system.public_key(), None, &plain),
            account.public_key(),
            token(&operator, &account.public_key(), None, &ours),
        );
        Self {
            config,
            good: good.credentials(folder.join("good.creds")),
            revoked: revoked.credentials(folder.join("revoked.creds")),
            expired: expired.credentials(folder.join("expired.creds")),
            stranger: stranger.credentials(folder.join("stranger.creds")),
        }
    }
}
