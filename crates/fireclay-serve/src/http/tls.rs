//! Certificates.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ServeError;
use crate::settings::Tls;

/// The bytes of a certificate with those above it, or of a key.
const MOST_BYTES: u64 = 1 << 20;

/// What makes connections of this certificate.
///
/// # Errors
///
/// If a file cannot be read, or the two do not belong together.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let wrong = |path: &Path, message: String| ServeError::Tls {
        path: path.to_path_buf(),
        message,
    };
    let (certificate, key) = (&tls.certificate, &tls.key);
    let bytes = |path: &Path| {
        let read = fireclay_guard::given(path, MOST_BYTES);
        read.map_err(|error| wrong(path, error.to_string()))
    };
    let read = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if read.is_empty() {
        return Err(wrong(certificate, "it has no certificate in PEM".into()));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?);
    let private = private.map_err(|error| wrong(key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(read, private)
        })
        .map_err(|error| wrong(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
