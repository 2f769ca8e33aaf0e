//! TLS for the API: the certificate that clients are shown, and whose certificates clients must show.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use mainstay_domain::Clock;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
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

/// How connections are encrypted: anew when a file has changed.
#[derive(Debug)]
pub struct Encryption {
    files: TlsFiles,
    now: RwLock<Arc<ServerConfig>>,
}

/// How often the files are looked at: certificates are renewed days before they end.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);

/// How long a client may take to agree on encryption.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);

impl Encryption {
    /// Reads the files.
    pub fn read(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        let now = RwLock::new(config(files)?);
        Ok(Arc::new(Self { files: files.clone(), now }))
    }

    /// Agrees on encryption with a client; `None` where that comes to nothing, or takes too long.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        clock: &Clock,
    ) -> Option<TlsStream<S>> {
        let accepting = TlsAcceptor::from(self.now()).accept(stream);
        match clock.timeout(LONGEST_HANDSHAKE, accepting).await {
            Some(Ok(stream)) => return Some(stream),
            Some(Err(error)) => {
                tracing::debug!(%error, "a client and this server did not agree on encryption")
            }
            None => tracing::debug!("a client did not agree on encryption in time"),
        }
        None
    }

    fn now(&self) -> Arc<ServerConfig> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows the files. Those that cannot be used are logged, and the old ones hold on.
    pub async fn follow(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        let mut seen = changed_at(&self.files);
        while stop.run_until_cancelled(clock.sleep(LOOKED_AT_EVERY)).await.is_some() {
            let now = changed_at(&self.files);
            if now == seen {
                continue;
            }
            match config(&self.files) {
                Ok(config) => {
                    *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
                    tracing::info!("the files of server.tls have changed and hold from now on");
                    seen = now;
                }
                // Looked at again: certificate and key may be written one after the other.
                Err(error) => {
                    tracing::warn!(%error, "the changed files of server.tls cannot be used; what held before goes on")
                }
            }
        }
    }
}

/// A connection that is resumed begins with what holds now as well: tickets are of one configuration.
fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need");
    let builder = match &files.client_ca {
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
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified(files)?)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 3] {
    let TlsFiles { certificate, key, client_ca } = files;
    [Some(certificate), Some(key), client_ca.as_ref()]
        .map(|path| path?.metadata().and_then(|metadata| metadata.modified()).ok())
}

fn certified(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let chain = certificates("the TLS certificate", &files.certificate)?;
    let key = read("the TLS key", &files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| unusable("the TLS key", &files.key, "it holds no private key in PEM".to_owned()))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|reason| TlsError::Mismatch {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        reason,
    })
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

    use tokio::io::AsyncWriteExt as _;

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

    #[test]
    fn a_certificate_needs_its_own_key_and_files_that_hold_what_they_should() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (write(folder.path(), "one"), write(folder.path(), "other"));
        assert!(Encryption::read(&one).is_ok());
        let swapped = TlsFiles { key: other.key.clone(), ..one.clone() };
        assert!(matches!(Encryption::read(&swapped), Err(TlsError::Mismatch { .. })));
        let with_clients = TlsFiles { client_ca: Some(other.certificate.clone()), ..one.clone() };
        assert!(Encryption::read(&with_clients).is_ok());
        for (bad, part) in [
            (TlsFiles { certificate: one.key.clone(), ..one.clone() }, "no certificate in PEM"),
            (TlsFiles { key: one.certificate.clone(), ..one.clone() }, "no private key in PEM"),
            (TlsFiles { key: folder.path().join("none"), ..one.clone() }, "none"),
            (TlsFiles { client_ca: Some(one.key.clone()), ..one.clone() }, "client CA"),
        ] {
            let error = Encryption::read(&bad).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_agree_on_encryption_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let encryption = Encryption::read(&write(folder.path(), "now")).unwrap();
        let clock = Clock::system();
        let (mut client, server) = tokio::io::duplex(1_024);
        // The first bytes of a handshake, and no more.
        client.write_all(&[22, 3, 1]).await.unwrap();
        let began = clock.instant();
        assert!(encryption.accept(server, &clock).await.is_none());
        assert_eq!(clock.instant() - began, LONGEST_HANDSHAKE);
        // Who speaks plain is told so at once.
        let (mut client, server) = tokio::io::duplex(1_024);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(encryption.accept(server, &clock).await.is_none());
        assert_eq!(clock.instant() - began, LONGEST_HANDSHAKE);
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_have_changed_hold_for_the_next_connection_and_half_written_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let (files, renewed) = (write(folder.path(), "now"), write(folder.path(), "next"));
        let ca = folder.path().join("clients.pem");
        fs::copy(&files.certificate, &ca).unwrap();
        let encryption =
            Encryption::read(&TlsFiles { client_ca: Some(ca.clone()), ..files.clone() }).unwrap();
        let (clock, stop) = (Clock::system(), CancellationToken::new());
        let following =
            tokio_util::task::TaskTracker::new().spawn(encryption.clone().follow(clock, stop.clone()));
        clock.sleep(Duration::from_secs(1)).await;
        let mut held = encryption.now();
        let mut holds_anew = |expected: bool| {
            let now = encryption.now();
            assert_ne!(Arc::ptr_eq(&held, &now), expected);
            held = now;
        };

        // Its key comes a minute later.
        fs::copy(&renewed.certificate, &files.certificate).unwrap();
        clock.sleep(LOOKED_AT_EVERY).await;
        holds_anew(false);
        fs::copy(&renewed.key, &files.key).unwrap();
        clock.sleep(LOOKED_AT_EVERY).await;
        holds_anew(true);
        clock.sleep(LOOKED_AT_EVERY).await;
        holds_anew(false);
        // Who signs for clients is another.
        fs::copy(&renewed.certificate, &ca).unwrap();
        clock.sleep(LOOKED_AT_EVERY).await;
        holds_anew(true);
        stop.cancel();
        following.await.unwrap();
    }
}
