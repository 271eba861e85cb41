//! Servers that are not reached, and what is said of it.

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::doc;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use sexton_core::lock::{ClaimLead, LockManager};
use sexton_testkit::fixtures::claim;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::trouble::told;
use super::wire::Wire;
use crate::{MongoOptions, OpenError};

async fn refusal(url: &str) -> OpenError {
    let options = MongoOptions::new().wait_max(Duration::from_secs(2));
    options.connect(url).await.unwrap_err()
}

#[tokio::test]
async fn a_port_that_is_refused_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refusal(&format!("mongodb://{address}/app")).await;
    assert!(error.is_transient(), "{error:?}");
    let said = told(&error);
    assert!(said.contains("Connection refused"), "{said}");
}

#[tokio::test]
async fn a_replica_set_of_another_name_is_told() {
    let address = Wire::new(doc! {}).listen().await;
    let error = refusal(&format!("mongodb://{address}/app?replicaSet=elsewhere")).await;
    assert!(error.is_transient(), "{error:?}");
    let said = told(&error);
    assert!(
        said.contains("elsewhere") && said.contains("replicaSet"),
        "{said}"
    );
}

/// As after a server has gone for ever: a call is told the cause, too, and not only its own limit.
#[tokio::test]
async fn a_call_is_told_why_there_is_no_server() {
    let wire = Wire::new(doc! {});
    let (address, server) = wire.listen_until_aborted().await;
    let options = MongoOptions::new().wait_max(Duration::from_secs(2));
    let manager = options.connect(&format!("mongodb://{address}/app")).await;
    let manager = manager.unwrap();
    server.abort();
    let batch = [claim("t", 0, "one")];
    let answer = manager.claim(ClaimLead::default(), &batch).await;
    let said = told(&answer.unwrap_err());
    assert!(said.contains("Connection refused"), "{said}");
}

/// A server that speaks TLS, and nothing else, by a certificate for `localhost`.
struct TlsServer {
    folder: TempDir,
    port: u16,
}

impl TlsServer {
    fn start(year: i32) -> TlsServer {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let signed = params.signed_by(&key, &ca).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let certificate = CertificateDer::from(signed.der().to_vec());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let config = Arc::new(config.unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                while connection
                    .complete_io(&mut stream)
                    .is_ok_and(|(read, _)| read > 0)
                {}
            }
        });
        TlsServer { folder, port }
    }

    fn trusted(&self) -> String {
        let ca = self.folder.path().join("ca.pem");
        format!("&tlsCAFile={}", ca.display())
    }

    async fn refused(&self, host: &str, trusted: &str) -> String {
        let url = format!("mongodb://{host}:{}/app?tls=true{trusted}", self.port);
        let error = refusal(&url).await;
        assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("TLS failed"), "{said}");
        said
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told() {
    let server = TlsServer::start(4_000);
    let said = server.refused("localhost", "").await;
    assert!(said.contains("not signed by an authority"), "{said}");
    let said = server.refused("127.0.0.1", &server.trusted()).await;
    assert!(said.contains("is for another host"), "{said}");
    let server = TlsServer::start(2020);
    let said = server.refused("localhost", &server.trusted()).await;
    assert!(said.contains("has expired"), "{said}");
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // A server hangs up: the greeting is no message of its protocol.
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let error = refusal(&format!("mongodb://{address}/app?tls=true")).await;
    let said = told(&error);
    assert!(said.contains("TLS"), "{said}");
}

/// SecantusDB and others that speak the protocol say it so.
#[tokio::test]
async fn a_clock_may_be_a_number() {
    let address = Wire::with_clock(doc! { "localTime": 1_700_000_000_123_i64 })
        .listen()
        .await;
    let manager = MongoOptions::new()
        .connect(&format!("mongodb://{address}/app"))
        .await;
    let now = manager.unwrap().now().await.unwrap();
    assert_eq!(now.as_millisecond(), 1_700_000_000_123);
}
