//! TLS, with certificates that the tests make.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use sexton_core::lock::Verdict;
use sexton_redis::ConnectError;

use crate::asking::{ask, claim, quick};
use crate::server::{Server, free_port, is_declared_absent};

/// A CA's certificate, and a certificate and key for `127.0.0.1` that it has signed.
fn write_certificates(folder: &Path) {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "a CA of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, key()).unwrap();
    let own = key();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let signed = params.signed_by(&own, &ca).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("ca.pem", ca.pem());
    write("cert.pem", signed.pem());
    write("key.pem", own.serialize_pem());
}

#[tokio::test]
async fn a_server_is_reached_through_tls_and_only_with_the_right_certificates() {
    if is_declared_absent() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (ca, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    let port = free_port();
    let server = Server::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--appendonly",
        "no",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}/");
    let trusting = format!("{url}?ca_file={ca}");
    let known = format!("{trusting}&cert_file={certificate}&key_file={key}");
    let manager = quick().connect(&known).await.unwrap();
    let granted = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
    // Nobody vouches for the server; the server does not know us.
    for stranger in [&url, &trusting] {
        let error = quick().connect(stranger).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Unreachable { .. }),
            "{error:?}"
        );
    }
    let error = quick()
        .connect(&format!("{url}?ca_file={}", file("none.pem")))
        .await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, ConnectError::Certificate { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("none.pem"), "{error}");
    drop(server);
}
