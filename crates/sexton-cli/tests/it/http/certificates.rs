//! Certificates that the tests make, and servers that have them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// An authority, and what it has signed.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority {
            issuer: CertifiedIssuer::self_signed(params, key()).unwrap(),
        }
    }

    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn sign(&self, name: &str) -> (Certificate, KeyPair) {
        let key = key();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes `client.pem` and `client.key`.
    pub(super) fn write_client(&self, folder: &Path) {
        let (certificate, key) = self.sign("client");
        std::fs::write(folder.join("client.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("client.key"), key.serialize_pem()).unwrap();
    }

    /// A server at `127.0.0.1`, which asks for a certificate of `clients`.
    pub(super) fn server(&self, clients: Option<&Authority>) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.issuer.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let (certificate, key) = self.sign("127.0.0.1");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

/// A server of some other protocol that tells of each client whether it has taken its certificate,
/// and hangs up.
pub(super) struct Handshakes {
    pub(super) port: u16,
    taken: Receiver<bool>,
}

impl Handshakes {
    /// `before` is what is said before TLS begins.
    pub(super) fn start(
        config: Arc<ServerConfig>,
        before: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static,
    ) -> Handshakes {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, taken) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                if before(&mut connection).is_err() {
                    continue;
                }
                let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut shaken = Ok((0, 0));
                while tls.is_handshaking() && shaken.is_ok() {
                    shaken = tls.complete_io(&mut connection);
                }
                // A client of TLS 1.3 refuses once the server is through: only what it says behind
                // the handshake shows that it has taken the certificate.
                let said = rustls::Stream::new(&mut tls, &mut connection).read(&mut [0; 1]);
                let is_taken = shaken.is_ok() && said.is_ok_and(|count| count > 0);
                let _ = connection.flush();
                // The test may have seen enough.
                let _ = sender.send(is_taken);
            }
        });
        Handshakes { port, taken }
    }

    /// Whether the next client takes the certificate.
    pub(super) fn is_taken(&self) -> bool {
        self.taken.recv_timeout(crate::program::LIMIT).unwrap()
    }
}
