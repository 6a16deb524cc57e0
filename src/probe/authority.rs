//! Certificates judged by an authority that the manifest names.
//!
//! `openssl req -x509` and many appliances make one certificate that is its own authority, and serve it. For a verifier
//! that follows RFC 5280 an authority's certificate is no server's. Whoever names exactly this certificate as what is to be
//! trusted means it, as `curl --cacert` takes it: then its name and its validity are checked, and nobody has to have signed
//! it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// A configuration that trusts the certificates of this PEM, and nobody else.
///
/// # Errors
/// There is none in it, or one of them is damaged.
pub(super) fn trusting(pem: &str) -> Result<ClientConfig, String> {
    let given = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let given = given.map_err(|error| format!("the authority's PEM cannot be read: {error}"))?;
    if given.is_empty() {
        return Err("the authority's PEM contains no certificate".to_owned());
    }
    let wrong = |error: &dyn std::fmt::Display| format!("the authority's certificate cannot be used: {error}");
    let mut roots = RootCertStore::empty();
    for certificate in &given {
        roots.add(certificate.clone()).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = Arc::new(Given { chain: chain.map_err(|error| wrong(&error))?, given });
    config(provider, verifier)
}

fn config(provider: Arc<CryptoProvider>, verifier: Arc<Given>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("the request could not be created: {error}"))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// What is signed by these certificates, or is one of them.
#[derive(Debug)]
struct Given {
    chain: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // The chain judges how long it is valid before it judges what it is for.
            Err(error) if is_authority(&error) && self.given.iter().any(|given| given == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// The server has shown the certificate of an authority. The library keeps its own error inside.
fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other)) if format!("{other:?}").contains(AS_SERVER))
}

/// What the verifier calls an authority's certificate that a server shows.
pub(super) const AS_SERVER: &str = "CaUsedAsEndEntity";

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use rustls::pki_types::PrivateKeyDer;

    use super::*;
    use crate::model::{HttpRequest, Reach, Tls};
    use crate::ports::{HttpAnswer, NoHttpAnswer, Probes as _};
    use crate::probe::Network;

    /// What `openssl req -x509` makes: a certificate that is its own authority. The key is nobody's.
    const OWN: &str = include_str!("test/own.pem");
    const KEY: &str = include_str!("test/own.key.pem");
    const OTHER: &str = include_str!("test/other.pem");

    /// A server with this certificate, which answers once.
    fn server() -> u16 {
        let certificates = CertificateDer::pem_slice_iter(OWN.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let builder = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(builder.with_single_cert(certificates, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(config).unwrap(), stream);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.flush();
        });
        port
    }

    async fn ask(host: &str, tls: Tls) -> Result<HttpAnswer, NoHttpAnswer> {
        let url = format!("https://{host}:{}/", server());
        let request = HttpRequest { url, expect: 200, body: None, tls, timeout: Duration::from_secs(5) };
        Network::default().get(&request, &Reach { local: true, ..Reach::default() }).await
    }

    #[tokio::test]
    async fn a_certificate_that_is_its_own_authority_is_taken_if_exactly_it_is_named() {
        assert_eq!(ask("localhost", Tls::Authority(OWN.into())).await.unwrap().status, 200);
        let both = format!("{OTHER}{OWN}");
        assert_eq!(ask("localhost", Tls::Authority(both.into())).await.unwrap().status, 200);
        for tls in [Tls::Authority(OTHER.into()), Tls::Verify] {
            let Err(NoHttpAnswer::Server(why)) = ask("localhost", tls).await else { panic!("it was taken") };
            assert!(why.starts_with("certificate "), "{why}");
        }
        let Err(NoHttpAnswer::Server(why)) = ask("127.0.0.1", Tls::Authority(OWN.into())).await else {
            panic!("it was taken for another name");
        };
        assert_eq!(why, "certificate is for another name");
    }

    #[test]
    fn a_certificate_that_is_named_is_taken_only_while_it_is_valid() {
        let given = CertificateDer::pem_slice_iter(OWN.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(given[0].clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let verifier = Given { chain, given };
        let at = |year: u64| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
            let name = ServerName::try_from("localhost").unwrap();
            verifier.verify_server_cert(&verifier.given[0], &[], &name, &[], now)
        };
        assert!(at(2080).is_ok());
        for (year, why) in [(2020, "NotValidYet"), (2300, "Expired")] {
            let error = at(year).unwrap_err();
            assert!(format!("{error:?}").contains(why), "{year}: {error:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        assert!(trusting("nonsense").unwrap_err().contains("no certificate"));
        assert!(trusting("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
