//! TLS for the API: the certificate that clients are shown, and whose certificates clients must show.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use mainstay_domain::Clock;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

/// Where the certificate and its key are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// PEM: the server's certificate, then those that lead from it to one that clients know.
    pub certificate: PathBuf,
    /// PEM: the key of the certificate.
    pub key: PathBuf,
    /// PEM: who signs the certificates that clients have to show; without it, they show none.
    pub client_ca: Option<PathBuf>,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of what it should.
    #[error("{what} {path} cannot be used: {reason}")]
    File {
        /// What it should be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate and the key do not belong together, or the key is of an unknown kind.
    #[error("the certificate {certificate} and the key {key} cannot be used together: {reason}")]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
}

/// The certificate that is shown now: replaced on the way when its file is.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    shown: RwLock<Arc<CertifiedKey>>,
}

/// How often the files are looked at: certificates are renewed days before they end.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);

impl Certificate {
    /// Reads the files.
    pub fn read(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        let shown = RwLock::new(certified(files)?);
        Ok(Arc::new(Self { files: files.clone(), shown }))
    }

    /// How connections are accepted with it.
    pub fn config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has what TLS 1.2 and 1.3 need");
        let builder = match &self.files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let unusable = |reason: String| unusable("the client CA", path, reason);
                let mut roots = RootCertStore::empty();
                for certificate in certificates("the client CA", path)? {
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| unusable(error.to_string()))?)
            }
        };
        let mut config = builder.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Shows the new certificate when the files have changed. One that cannot be used is logged, and the old one goes on.
    pub async fn follow(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        let mut seen = changed_at(&self.files);
        while stop.run_until_cancelled(clock.sleep(LOOKED_AT_EVERY)).await.is_some() {
            let now = changed_at(&self.files);
            if now == seen {
                continue;
            }
            match certified(&self.files) {
                Ok(certified) => {
                    *self.shown.write().unwrap_or_else(PoisonError::into_inner) = certified;
                    tracing::info!("the TLS certificate was replaced");
                    seen = now;
                }
                // Looked at again: certificate and key may be written one after the other.
                Err(error) => {
                    tracing::warn!(%error, "the new TLS certificate cannot be used; the old one goes on")
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    [&files.certificate, &files.key].map(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())
}

fn certified(files: &TlsFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates("the TLS certificate", &files.certificate)?;
    let key = read("the TLS key", &files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| unusable("the TLS key", &files.key, "it holds no private key in PEM".to_owned()))?;
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|reason| TlsError::Mismatch {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        reason,
    })?;
    Ok(Arc::new(certified))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unusable(what, path, "it holds no certificate in PEM".to_owned())),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error: io::Error| unusable(what, path, error.to_string()))
}

fn unusable(what: &'static str, path: &Path, reason: String) -> TlsError {
    TlsError::File { what, path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(folder: &Path, name: &str) -> TlsFiles {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let files = TlsFiles {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
            client_ca: None,
        };
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    fn shown(certificate: &Certificate) -> Vec<u8> {
        certificate.shown.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_certificate_needs_its_own_key_and_files_that_hold_what_they_should() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (write(folder.path(), "one"), write(folder.path(), "other"));
        assert!(Certificate::read(&one).unwrap().config().is_ok());
        let swapped = TlsFiles { key: other.key.clone(), ..one.clone() };
        assert!(matches!(Certificate::read(&swapped), Err(TlsError::Mismatch { .. })));
        let with_clients = TlsFiles { client_ca: Some(other.certificate.clone()), ..one.clone() };
        assert!(Certificate::read(&with_clients).unwrap().config().is_ok());
        for (bad, part) in [
            (TlsFiles { certificate: one.key.clone(), ..one.clone() }, "no certificate in PEM"),
            (TlsFiles { key: one.certificate.clone(), ..one.clone() }, "no private key in PEM"),
            (TlsFiles { key: folder.path().join("none"), ..one.clone() }, "none"),
        ] {
            let error = Certificate::read(&bad).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let no_ca = TlsFiles { client_ca: Some(one.key.clone()), ..one };
        assert!(Certificate::read(&no_ca).unwrap().config().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_shown_and_one_that_is_half_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (files, renewed) = (write(folder.path(), "now"), write(folder.path(), "next"));
        let certificate = Certificate::read(&files).unwrap();
        let (clock, stop) = (Clock::system(), CancellationToken::new());
        let following =
            tokio_util::task::TaskTracker::new().spawn(certificate.clone().follow(clock, stop.clone()));
        clock.sleep(Duration::from_secs(1)).await;
        let first = shown(&certificate);

        // Its key comes a minute later.
        fs::copy(&renewed.certificate, &files.certificate).unwrap();
        clock.sleep(LOOKED_AT_EVERY).await;
        assert_eq!(shown(&certificate), first);
        fs::copy(&renewed.key, &files.key).unwrap();
        clock.sleep(LOOKED_AT_EVERY).await;
        assert_ne!(shown(&certificate), first);
        stop.cancel();
        following.await.unwrap();
    }
}
