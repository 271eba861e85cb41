//! How a request's server is connected to: `ca`, `certificate`, `key` and `proxy`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::fields::{Field, Fields};
use super::http_url::read_url;
use crate::secret::Secret;
use crate::tasks::{Connection, Proxy};
use crate::tls::{Authorities, Identity, PemError};

const PEM_FORM: &str = "the path of a file of certificates in PEM, relative to this file's folder";
const KEY_FORM: &str = "the path of a file with a private key in PEM, without a passphrase, relative to this file's folder";
const PROXY_FORM: &str = "an http:// or https:// URL, or \"none\" for no proxy";
/// The longest file of certificates that is read: 4 MiB, ten times what machines have.
const PEM_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads the fields; the files that they name are read here and now, so that a run needs none.
pub(super) fn read(fields: &mut Fields<'_>, is_https: bool, folder: &Path) -> Option<Connection> {
    let ca = fields.get("ca");
    let certificate = fields.get("certificate");
    let key = fields.get("key");
    let proxy = match fields.get("proxy") {
        Some(proxy) => read_proxy(&proxy)?,
        None => Proxy::OfEnvironment,
    };
    let is_secured = is_https || matches!(&proxy, Proxy::At(url) if url.scheme() == "https");
    if !is_secured {
        for field in [&ca, &certificate, &key].into_iter().flatten() {
            let detail = "this means nothing without TLS";
            field.reject(
                detail,
                "`ca`, `certificate` and `key` go with an https:// URL",
            );
        }
    }
    let authorities = match &ca {
        Some(field) => Some(read_authorities(field, folder)?),
        None => None,
    };
    let identity = match (&certificate, &key) {
        (Some(certificate), Some(key)) => Some(read_identity(certificate, key, folder)?),
        (None, None) => None,
        (Some(alone), None) | (None, Some(alone)) => {
            let detail = "`certificate` and `key` go together";
            alone.reject(detail, "both, or neither");
            return None;
        }
    };
    Some(Connection {
        is_secured,
        authorities,
        identity,
        proxy,
    })
}

fn read_authorities(field: &Field<'_>, folder: &Path) -> Option<Authorities> {
    let (path, pem) = read_file(field, PEM_FORM, folder)?;
    let read = Authorities::from_pem(&pem);
    read.map_err(|error| reject_pem(field, &path, &error, PEM_FORM))
        .ok()
}

fn read_identity(certificate: &Field<'_>, key: &Field<'_>, folder: &Path) -> Option<Identity> {
    let chain = read_file(certificate, PEM_FORM, folder);
    let (key_path, key_pem) = read_file(key, KEY_FORM, folder)?;
    let (chain_path, chain) = chain?;
    let rejected = match Identity::from_pem(&chain, &key_pem) {
        Ok(identity) => return Some(identity),
        Err(error) => error,
    };
    match rejected {
        PemError::NoKey | PemError::Key(_) | PemError::MalformedKey(_) => {
            reject_pem(key, &key_path, &rejected, KEY_FORM);
        }
        _ => reject_pem(certificate, &chain_path, &rejected, PEM_FORM),
    }
    None
}

/// The file that a field names, and what is in it.
fn read_file(field: &Field<'_>, form: &str, folder: &Path) -> Option<(Secret, Vec<u8>)> {
    let path = field.text(form)?;
    if path.expose().is_empty() {
        field.reject("the path is empty", form);
        return None;
    }
    match bytes_of(&folder.join(path.expose())) {
        Ok(bytes) => Some((path, bytes)),
        Err(error) => {
            field.reject(format!("the file `{path}` cannot be read: {error}"), form);
            None
        }
    }
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    // To open a pipe that nobody writes to would never end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        let problem = format!("it is longer than the {PEM_BYTES_MAX} bytes that are allowed");
        return Err(io::Error::other(problem));
    }
    Ok(bytes)
}

fn reject_pem(field: &Field<'_>, path: &Secret, error: &PemError, form: &str) {
    field.reject(format!("the file `{path}` cannot be used: {error}"), form);
}

fn read_proxy(field: &Field<'_>) -> Option<Proxy> {
    let text = field.text(PROXY_FORM)?;
    if matches!(text.expose(), "" | "none") {
        return Some(Proxy::Direct);
    }
    let (url, _) = read_url(field)?;
    Some(Proxy::At(url))
}
