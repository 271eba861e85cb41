//! TLS, with certificates that the tests make.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use sexton_core::lock::Verdict;
use sexton_redis::ConnectError;
use sexton_testkit::process::free_port;
use sexton_testkit::redis::{Server, is_declared_absent};
use tempfile::TempDir;

use crate::asking::{ask, claim, patient, quick, told};

/// A CA's certificate, and a certificate and key for `127.0.0.1` that it has signed, valid until
/// the end of a year.
fn write_certificates(folder: &Path, year: i32) {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "a CA of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, key()).unwrap();
    let own = key();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let signed = params.signed_by(&own, &ca).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("ca.pem", ca.pem());
    write("cert.pem", signed.pem());
    write("key.pem", own.serialize_pem());
}

struct TlsServer {
    folder: TempDir,
    port: u16,
    server: Server,
}

impl TlsServer {
    async fn start(year: i32) -> TlsServer {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(folder.path(), year);
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let port = free_port();
        let server = Server::start_with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &file("cert.pem"),
            "--tls-key-file",
            &file("key.pem"),
            "--tls-ca-cert-file",
            &file("ca.pem"),
            "--appendonly",
            "no",
        ])
        .await;
        TlsServer {
            folder,
            port,
            server,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// With a CA that is trusted, and a certificate of ours.
    fn known(&self) -> String {
        let (certificate, key) = (self.file("cert.pem"), self.file("key.pem"));
        format!(
            "ca_file={}&cert_file={certificate}&key_file={key}",
            self.file("ca.pem")
        )
    }
}

const VALID: i32 = 4_000;

#[tokio::test]
async fn a_server_is_reached_through_tls_and_only_with_the_right_certificates() {
    if is_declared_absent() {
        return;
    }
    let server = TlsServer::start(VALID).await;
    let url = format!("rediss://127.0.0.1:{}/", server.port);
    let known = format!("{url}?{}", server.known());
    let manager = quick().connect(&known).await.unwrap();
    let granted = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
    let missing = format!("{url}?ca_file={}", server.file("none.pem"));
    let error = quick().connect(&missing).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Certificate { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("none.pem"), "{error}");
}

/// What is said of a server that a URL does not get through to.
async fn refused(url: &str) -> String {
    let error = patient().connect(url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert!(error.to_string().contains("TLS failed"), "{error}");
    told(&error)
}

#[tokio::test]
async fn what_is_wrong_with_certificates_is_told() {
    if is_declared_absent() {
        return;
    }
    let server = TlsServer::start(VALID).await;
    let (port, known) = (server.port, server.known());
    for scheme in ["rediss", "rediss+cluster"] {
        let said = refused(&format!("{scheme}://127.0.0.1:{port}/")).await;
        assert!(said.contains("not signed by an authority"), "{said}");
    }
    let said = refused(&format!("rediss+sentinel://127.0.0.1:{port}/mymaster")).await;
    assert!(said.contains("not signed by an authority"), "{said}");
    let said = refused(&format!("rediss://localhost:{port}/?{known}")).await;
    assert!(said.contains("is for another host"), "{said}");
    // It does not know us.
    let trusting = format!("ca_file={}", server.file("ca.pem"));
    let said = refused(&format!("rediss://127.0.0.1:{port}/?{trusting}")).await;
    assert!(said.contains("cert_file"), "{said}");
    let expired = TlsServer::start(2020).await;
    let url = format!("rediss://127.0.0.1:{}/?{}", expired.port, expired.known());
    let said = refused(&url).await;
    assert!(said.contains("has expired"), "{said}");
}

#[tokio::test]
async fn a_port_that_speaks_tls_and_one_that_does_not_are_told_apart() {
    if is_declared_absent() {
        return;
    }
    let server = TlsServer::start(VALID).await;
    let plain = format!(
        "rediss://127.0.0.1:{}/?{}",
        server.server.port(),
        server.known()
    );
    let error = quick().connect(&plain).await.unwrap_err();
    let said = told(&error);
    assert!(said.contains("speaks TLS"), "{said}");
    let error = quick()
        .connect(&format!("redis://127.0.0.1:{}/", server.port))
        .await;
    let said = told(&error.unwrap_err());
    assert!(said.contains("rediss://"), "{said}");
}
