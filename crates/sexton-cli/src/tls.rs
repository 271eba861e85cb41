//! Whom the program's own TLS connections trust, and by which certificate they say who they are.
//!
//! The machine's authorities are those of `rustls-native-certs`, as for the drivers of the stores:
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` count for all of them.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// Certificates of authorities, at least one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Authorities(Arc<[CertificateDer<'static>]>);

/// A client's certificate, with those that lead to its authority, and its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    chain: Arc<[CertificateDer<'static>]>,
    key_pem: Arc<[u8]>,
}

/// What is wrong with a file of certificates or keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is none.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// There is none that can be used without a passphrase.
    #[error("there is no private key in it, or only an encrypted one")]
    NoKey,
    /// The file is damaged.
    #[error("it is not PEM that can be read: {0}")]
    Malformed(pem::Error),
    /// The file of the key is damaged.
    #[error("it is not PEM that can be read: {0}")]
    MalformedKey(pem::Error),
    /// A certificate that is none.
    #[error("certificate {place} in it cannot be used: {source}")]
    Certificate {
        /// Which one, from 1.
        place: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The key is another's, or of a kind that is not known.
    #[error("the key does not go with the certificate: {0}")]
    Key(rustls::Error),
    /// What the files say cannot be done.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl Authorities {
    /// Reads PEM.
    ///
    /// # Errors
    /// [`PemError`] unless every certificate in it can be used, and there is one.
    pub fn from_pem(pem: &[u8]) -> Result<Authorities, PemError> {
        let certificates = certificates(pem)?;
        let mut store = RootCertStore::empty();
        for (place, certificate) in (1..).zip(&certificates) {
            store
                .add(certificate.clone())
                .map_err(|source| PemError::Certificate { place, source })?;
        }
        Ok(Authorities(certificates.into()))
    }

    /// The machine's, of which those count that can be used. `None` if there is none.
    pub(crate) fn of_machine() -> Option<Authorities> {
        let mut usable = rustls_native_certs::load_native_certs().certs;
        usable.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        (!usable.is_empty()).then(|| Authorities(usable.into()))
    }
}

/// The machine's authorities as one file, for drivers that take no other: `SSL_CERT_FILE`, or where
/// this system has them.
#[cfg(feature = "mongodb")]
pub(crate) fn machine_file() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(Into::into);
    named.or_else(|| openssl_probe::probe().cert_file)
}

impl Identity {
    /// Reads a certificate, with those that lead to its authority, and its key, both PEM.
    ///
    /// # Errors
    /// [`PemError`], also if the key is another's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, PemError> {
        let identity = Identity {
            chain: certificates(chain)?.into(),
            key_pem: key.into(),
        };
        let provider = rustls::crypto::ring::default_provider();
        let (chain, key) = (identity.chain.to_vec(), identity.key()?);
        rustls::sign::CertifiedKey::from_der(chain, key, &provider).map_err(PemError::Key)?;
        Ok(identity)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(&self.key_pem).map_err(|error| match error {
            pem::Error::NoItemsFound => PemError::NoKey,
            other => PemError::MalformedKey(other),
        })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(PemError::Malformed)?;
    if found.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(found)
}

/// What a client of HTTP says and takes within TLS.
///
/// # Errors
/// If the cryptography lacks what TLS needs.
pub(crate) fn client_config(
    authorities: Option<&Authorities>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, PemError> {
    let mut roots = RootCertStore::empty();
    let trusted = authorities.map(|Authorities(trusted)| trusted.iter().cloned());
    roots.add_parsable_certificates(trusted.into_iter().flatten());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(PemError::Setup)?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.to_vec(), identity.key()?)
            .map_err(PemError::Setup)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.chain.len())
    }
}
