//! What is wrong where TLS fails.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mongodb::error::{Error, ErrorKind};
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use rustls::{CertificateError, Error as TlsError};

/// What is wrong and what to do, if it is about TLS: the driver keeps what rustls says within an
/// error of input and output.
pub(crate) fn problem(error: &Error) -> Option<&'static str> {
    let ErrorKind::Io(error) = &*error.kind else {
        return None;
    };
    if is_cut_short(error) {
        return Some(
            "TLS failed: the server speaks none on this port, or does not take this side's certificate",
        );
    }
    let problem: &TlsError = error.get_ref()?.downcast_ref()?;
    Some(match problem {
        TlsError::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => {
                "TLS failed: its certificate is not signed by an authority that is trusted: name the authority's by tlsCAFile"
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
        TlsError::InvalidMessage(_) => "TLS failed: the server speaks none on this port",
        TlsError::AlertReceived(_) => {
            "TLS failed: the server does not take this side's certificate, or wants one: name it by tlsCertificateKeyFile"
        }
        TlsError::PeerIncompatible(_) => {
            "TLS failed: the server speaks no version of it that is safe"
        }
        _ => "TLS failed: look at the server's certificate, and at those that the URL names",
    })
}

/// A connection that ends within the handshake; tokio-rustls has no type for it.
fn is_cut_short(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
        && error
            .get_ref()
            .is_some_and(|said| said.to_string() == "tls handshake eof")
}

/// What TLS made of the latest looks at servers: where none can be selected the driver tells the
/// cause as text alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastProblem(Arc<Mutex<Option<&'static str>>>);

impl LastProblem {
    pub(crate) fn get(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, problem: Option<&'static str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Hears of each look at a server.
    pub(crate) fn handler(&self) -> EventHandler<SdamEvent> {
        let last = self.clone();
        EventHandler::callback(move |event| match event {
            SdamEvent::ServerHeartbeatFailed(event) => last.set(problem(&event.failure)),
            SdamEvent::ServerHeartbeatSucceeded(_) => last.set(None),
            _ => {}
        })
    }
}
