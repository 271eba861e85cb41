//! TLS, with certificates that the tests make.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use sexton_testkit::process::{Disk, own};
use tempfile::TempDir;

use super::{Options, TestServer, on_each_server};

on_each_server!(
    what_is_wrong_with_certificates_is_told,
    a_server_without_tls_is_told,
);

/// A CA's certificate, and a certificate and key for `localhost` that it has signed, valid until
/// the end of a year.
fn certificates(year: i32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, key()).unwrap();
    let own_key = key();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let signed = params.signed_by(&own_key, &ca).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        private(&path);
    };
    write("ca.pem", ca.pem());
    write("cert.pem", signed.pem());
    write("key.pem", own_key.serialize_pem());
    own(folder.path());
    folder
}

/// Servers take no key that others may read.
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    own(path);
}

fn start<S: TestServer>(year: i32) -> Option<(S, TempDir)> {
    let folder = certificates(year);
    let settings = S::TLS
        .iter()
        .map(|setting| setting.replace("FOLDER", folder.path().to_str().unwrap()));
    let settings: Vec<String> = settings.collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Some((S::start_with(Disk::Lazy, &settings)?, folder))
}

/// A URL that trusts a certificate or none, and goes by a host's name.
fn url<S: TestServer>(server: &S, host: &str, mode: &str, ca: Option<&Path>) -> String {
    let url = server.url();
    let (url, _) = url.split_once('?').unwrap();
    let url = format!("{}?{mode}", url.replace("127.0.0.1", host));
    match ca {
        Some(ca) => format!("{url}&{}={}", S::TLS_CA, ca.display()),
        None => url,
    }
}

async fn refused<S: TestServer>(url: &str) -> String {
    let error = Options::<S>::new().connect(url).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("TLS"), "{said}");
    said
}

async fn what_is_wrong_with_certificates_is_told<S: TestServer>() {
    let Some((server, folder)) = start::<S>(4_000) else {
        return;
    };
    let ca = folder.path().join("ca.pem");
    let mode = S::TLS_VERIFIED;
    let good = url(&server, "localhost", mode, Some(&ca));
    Options::<S>::new().connect(&good).await.unwrap();
    let said = refused::<S>(&url(&server, "localhost", mode, None)).await;
    assert!(said.contains("not signed by an authority"), "{said}");
    let said = refused::<S>(&url(&server, "127.0.0.1", mode, Some(&ca))).await;
    assert!(said.contains("is for another host"), "{said}");
    let (server, folder) = start::<S>(2020).unwrap();
    let ca = folder.path().join("ca.pem");
    let said = refused::<S>(&url(&server, "localhost", mode, Some(&ca))).await;
    assert!(said.contains("has expired"), "{said}");
}

async fn a_server_without_tls_is_told<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, S::without_tls()) else {
        return;
    };
    let said = refused::<S>(&url(&server, "127.0.0.1", S::TLS_VERIFIED, None)).await;
    assert!(said.contains("speaks none"), "{said}");
}
