//! Certificates for tests: authorities of their own, and what they issue, as PEM files in a folder.
//!
//! Invariant: validity is written in fixed years, so that no test depends on the clock more than the servers do.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Certificates are valid from here ...
const FIRST_YEAR: i32 = 2020;
/// ... to here ...
const LAST_YEAR: i32 = 2400;
/// ... and what has expired did so at the beginning of this year.
const PAST_YEAR: i32 = 2021;

/// An authority that issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    file: PathBuf,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one, with its certificate at `<folder>/<name>.pem`. All that it issues lies beside it.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = parameters(name, &[], LAST_YEAR);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, certificate.pem()).expect("a folder that can be written");
        Self { issuer: Issuer::new(params, key), folder: folder.to_owned(), file }
    }
    /// The file of its certificate, for clients that trust it.
    pub fn file(&self) -> &Path {
        &self.file
    }
    /// A server's certificate for these names and addresses.
    ///
    /// # Panics
    /// When the folder cannot be written, or a name is none.
    pub fn server(&self, name: &str, hosts: &[&str]) -> Identity {
        self.issue(name, parameters(name, hosts, LAST_YEAR), ExtendedKeyUsagePurpose::ServerAuth)
    }
    /// A server's certificate that was good once.
    ///
    /// # Panics
    /// Like [`Authority::server`].
    pub fn expired_server(&self, name: &str, hosts: &[&str]) -> Identity {
        self.issue(name, parameters(name, hosts, PAST_YEAR), ExtendedKeyUsagePurpose::ServerAuth)
    }
    /// A client's certificate; its common name is `name`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn client(&self, name: &str) -> Identity {
        self.issue(name, parameters(name, &[], LAST_YEAR), ExtendedKeyUsagePurpose::ClientAuth)
    }
    fn issue(&self, name: &str, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Identity {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let file = |extension: &str| self.folder.join(format!("{name}.{extension}"));
        let identity = Identity { certificate: file("pem"), key: file("key") };
        fs::write(&identity.certificate, certificate.pem()).expect("a folder that can be written");
        fs::write(&identity.key, key.serialize_pem()).expect("a folder that can be written");
        identity
    }
}

fn parameters(name: &str, hosts: &[&str], last_year: i32) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    // One without a name of its own could be taken for its issuer.
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    params
}
