//! What the server keeps of a password (RFC 5803): computed here, so that the password itself never travels in a
//! statement, where logs, statistics and extensions of the server would see it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// 16 bytes: what PostgreSQL itself takes.
pub(super) const SALT_BYTES: usize = 16;
/// 4,096 rounds: what PostgreSQL itself takes; our passwords are random, and no rounds would be enough for one that is not.
const ROUNDS: u32 = 4_096;
const HASH_BYTES: usize = 32;

/// The verifier of a password, as `ALTER ROLE … PASSWORD` takes it.
pub(super) fn verifier(password: &str, salt: &[u8; SALT_BYTES]) -> Option<String> {
    // The client prepares it in the same way; what cannot be prepared is taken as it is, by both.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let salted = salted(prepared.as_bytes(), salt)?;
    let stored = Sha256::digest(hmac(&salted, &[b"Client Key"])?);
    let server = hmac(&salted, &[b"Server Key"])?;
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    Some(format!("SCRAM-SHA-256${ROUNDS}:{}${}:{}", text(salt), text(&stored), text(&server)))
}

/// Whether a verifier is that of a password, as it would be made here. Pure.
pub(super) fn is_of(kept: &str, password: &str) -> bool {
    let salt = kept.split([':', '$']).nth(2).and_then(|salt| STANDARD.decode(salt).ok());
    let salt = salt.and_then(|salt| <[u8; SALT_BYTES]>::try_from(salt).ok());
    salt.and_then(|salt| verifier(password, &salt)).is_some_and(|verifier| verifier == kept)
}

fn salted(password: &[u8], salt: &[u8]) -> Option<[u8; HASH_BYTES]> {
    let mut round = hmac(password, &[salt, &1_u32.to_be_bytes()])?;
    let mut salted = round;
    for _ in 1..ROUNDS {
        round = hmac(password, &[&round])?;
        salted.iter_mut().zip(round).for_each(|(byte, with)| *byte ^= with);
    }
    Some(salted)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; HASH_BYTES]> {
    // A key may have any length: this never fails.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conversation_of_the_standard_is_proven_with_it() {
        // RFC 7677, section 3.
        let salt: [u8; SALT_BYTES] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = verifier("pencil", &salt).unwrap();
        let server = verifier.rsplit(':').next().unwrap();
        let said = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = hmac(&STANDARD.decode(server).unwrap(), &[said.as_bytes()]).unwrap();
        assert_eq!(STANDARD.encode(proof), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{verifier}");
        assert!(is_of(&verifier, "pencil") && !is_of(&verifier, "pencils"));
        for other in
            ["", "md5d41d8cd98f00b204e9800998ecf8427e", &verifier.replace("4096", "8192"), "SCRAM-SHA-256$4096:x$y:z"]
        {
            assert!(!is_of(other, "pencil"), "{other}");
        }
    }
}
