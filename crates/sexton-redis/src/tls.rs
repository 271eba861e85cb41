//! What is wrong where TLS fails.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::RedisError;
use rustls::{CertificateError, Error as TlsError};

/// What is wrong and what to do, if it is about TLS.
pub(crate) fn problem(error: &RedisError) -> Option<&'static str> {
    Some(match cause(error)? {
        TlsError::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => {
                "TLS failed: its certificate is not signed by an authority that is trusted: name the authority's by ca_file"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "TLS failed: its certificate is for another host: write the URL with a name that it has"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "TLS failed: its certificate has expired: renew it, or set this machine's clock"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "TLS failed: its certificate is not valid yet: look at this machine's clock"
            }
            _ => "TLS failed: its certificate cannot be used",
        },
        TlsError::InvalidMessage(_) => {
            "TLS failed: the server speaks no TLS on this port: write redis://"
        }
        TlsError::AlertReceived(_) => {
            "TLS failed: the server does not take this side's certificate, or wants one: name it by cert_file and key_file"
        }
        TlsError::PeerIncompatible(_) => {
            "TLS failed: the server speaks no version of TLS that is safe"
        }
        _ => "TLS failed: look at the server's certificate, and at ca_file, cert_file and key_file",
    })
}

/// The driver keeps what rustls says within an error of input and output.
fn cause(error: &RedisError) -> Option<&TlsError> {
    type Shared = Arc<dyn StdError + Send + Sync>;
    let mut cause: &(dyn StdError + 'static) = error.source()?;
    if let Some(shared) = cause.downcast_ref::<Shared>() {
        cause = &**shared;
    }
    cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}
