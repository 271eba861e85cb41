//! What is wrong where TLS fails.

use std::io;

use rustls::{CertificateError, Error as TlsError};

/// What is wrong and what to do, if it is about TLS: the driver keeps what rustls says within an
/// error of input and output.
pub(super) fn problem(error: &io::Error) -> Option<&'static str> {
    let problem: &TlsError = error.get_ref()?.downcast_ref()?;
    Some(match problem {
        TlsError::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => {
                "TLS failed: its certificate is not signed by an authority that is trusted: name the authority's \
                 in the URL (PostgreSQL: sslrootcert=, MySQL: ssl-ca=)"
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
        TlsError::AlertReceived(_) => {
            "TLS failed: the server does not take this side's certificate, or wants one: name it in the URL"
        }
        TlsError::PeerIncompatible(_) => {
            "TLS failed: the server speaks no version of it that is safe"
        }
        _ => "TLS failed: look at the server's certificate, and at those that the URL names",
    })
}
