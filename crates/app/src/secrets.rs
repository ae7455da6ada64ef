//! Secrets at rest: sealing, keyed derivation and random tokens, all from the one secret of the installation.
//! Nothing here logs, shows or stores a secret; passwords have their own room.

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evenhand_domain::error::{Error, Result};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Random bytes of a token: 256 bits, so that guessing is hopeless and a plain hash protects it.
const TOKEN_BYTES: usize = 32;
/// Bytes of the nonce of AES-GCM-SIV. A repeated nonce would only show that two texts are equal.
const NONCE_BYTES: usize = 12;
/// How sealed texts begin; another cipher would take another prefix.
const SEALED_PREFIX: &str = "v1.";

/// Seals texts for storage and derives keys. One secret gives two independent keys.
#[derive(Clone)]
pub struct Sealer {
    cipher: Aes256GcmSiv,
    mac_key: [u8; 32],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer for the secret of this installation; another secret opens nothing sealed by this one.
    ///
    /// # Errors
    /// [`Error::Internal`] when the cipher refuses the key, which never happens.
    pub fn new(secret: &str) -> Result<Self> {
        let seal_key = keyed(secret.as_bytes(), "evenhand/seal/v1", b"")?;
        let cipher = Aes256GcmSiv::new_from_slice(&seal_key).map_err(internal("cipher key"))?;
        Ok(Self { cipher, mac_key: keyed(secret.as_bytes(), "evenhand/mac/v1", b"")? })
    }

    /// Encrypts and signs `plaintext`. It opens only under the same `context`, which names its place
    /// (such as table and row), so that a sealed text cannot be moved elsewhere.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system gives no random bytes.
    pub fn seal(&self, context: &str, plaintext: &[u8]) -> Result<String> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload { msg: plaintext, aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&nonce.into(), payload).map_err(internal("sealing"))?;
        Ok(format!("{SEALED_PREFIX}{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// What [`Self::seal`] was given.
    ///
    /// # Errors
    /// [`Error::Internal`] when the text was altered, or sealed under another secret or context.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>> {
        let unopened = || {
            Error::Internal(format!(
                "the sealed text of {context} does not open: it was altered, or auth.secret is another one"
            ))
        };
        let encoded = sealed.strip_prefix(SEALED_PREFIX).ok_or_else(unopened)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| unopened())?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(unopened)?;
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        self.cipher.decrypt(&(*nonce).into(), payload).map_err(|_| unopened())
    }

    /// A keyed fingerprint of `data`: the same for the same input, unpredictable without the secret.
    ///
    /// # Errors
    /// [`Error::Internal`] when HMAC refuses the key, which never happens.
    pub fn mac(&self, context: &str, data: &[u8]) -> Result<[u8; 32]> {
        keyed(&self.mac_key, context, data)
    }

    /// Whether `tag` is what [`Self::mac`] gives, compared in a time that tells nothing.
    ///
    /// # Errors
    /// As [`Self::mac`].
    pub fn verify(&self, context: &str, data: &[u8], tag: &[u8]) -> Result<bool> {
        Ok(hasher(&self.mac_key, context, data)?.verify_slice(tag).is_ok())
    }
}

/// A new random token of 256 bits, in URL-safe letters.
///
/// # Errors
/// [`Error::Internal`] when the operating system gives no random bytes.
pub fn random_token() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?))
}

/// What is stored of a token. Without salt or cost: only for tokens of [`random_token`], never for passwords.
pub fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Random bytes of the operating system.
///
/// # Errors
/// [`Error::Internal`] when it gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(internal("random bytes"))?;
    Ok(bytes)
}

fn keyed(key: &[u8], context: &str, data: &[u8]) -> Result<[u8; 32]> {
    Ok(hasher(key, context, data)?.finalize().into_bytes().into())
}

fn hasher(key: &[u8], context: &str, data: &[u8]) -> Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(internal("MAC key"))?;
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    mac.update(&(context.len() as u64).to_be_bytes());
    mac.update(context.as_bytes());
    mac.update(data);
    Ok(mac)
}

fn internal<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::Internal(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "q7Vn2xKf9Lw4Zt8RbY3mHc6Jd1Ps5GaE";

    #[test]
    fn a_sealed_text_opens_only_unaltered_in_its_context_and_with_its_secret() {
        let sealer = Sealer::new(SECRET).expect("a sealer");
        let sealed = sealer.seal("signing_keys/1", b"key").expect("sealed");
        assert_eq!(sealer.open("signing_keys/1", &sealed).expect("opened"), b"key");
        assert_ne!(sealer.seal("signing_keys/1", b"key").expect("sealed"), sealed, "nonces are random");

        let other = Sealer::new("another secret").expect("a sealer");
        assert!(other.open("signing_keys/1", &sealed).is_err());
        assert!(sealer.open("signing_keys/2", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut altered = sealed.clone().into_bytes();
            altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
            assert!(sealer.open("signing_keys/1", &String::from_utf8(altered).expect("ASCII")).is_err());
            assert!(sealer.open("signing_keys/1", &sealed[..index]).is_err());
        }
    }

    #[test]
    fn derivation_repeats_itself_and_separates_context_from_data() {
        let sealer = Sealer::new(SECRET).expect("a sealer");
        let mac = |context, data: &[u8]| sealer.mac(context, data).expect("a MAC");
        assert_eq!(
            mac("ab", b"c"),
            Sealer::new(SECRET).and_then(|same| same.mac("ab", b"c")).expect("a MAC")
        );
        assert_ne!(mac("ab", b"c"), mac("a", b"bc"));
        let fits = |data: &[u8]| sealer.verify("ab", data, &mac("ab", b"c")).expect("compared");
        assert_eq!((fits(b"c"), fits(b"d")), (true, false));
    }

    #[test]
    fn tokens_are_random_and_their_hash_is_sha256() {
        let token = random_token().expect("a token");
        assert_eq!(token.len(), 43);
        assert_ne!(token, random_token().expect("a token"));
        assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
