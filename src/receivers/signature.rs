//! Signatures of Standard Webhooks, symmetric: HMAC-SHA256 over id, time and body
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

use crate::secret::Secret;

/// What a secret starts with.
const PREFIX: &str = "whsec_";
/// How long a secret is, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets that sign one message: more than a rotation needs.
const MOST_SECRETS: usize = 4;

/// The value of `webhook-signature`: a signature by each secret, so that a receiver finds one that
/// it knows while the secret is being changed.
pub(super) fn signatures(
    secrets: &[Secret],
    id: &str,
    seconds: i64,
    body: &str,
) -> Result<String, String> {
    if secrets.len() > MOST_SECRETS {
        return Err(format!("there are more than {MOST_SECRETS} secrets to sign with"));
    }
    let signed = secrets.iter().map(|secret| {
        let mut context = hmac::Context::with_key(&key(secret)?);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body.as_bytes());
        Ok(format!("v1,{}", BASE64_STANDARD.encode(context.sign())))
    });
    signed.collect::<Result<Vec<_>, String>>().map(|signatures| signatures.join(" "))
}

fn key(secret: &Secret) -> Result<hmac::Key, String> {
    let text = secret.expose();
    let bytes = BASE64_STANDARD
        .decode(text.strip_prefix(PREFIX).unwrap_or(text))
        .ok()
        .filter(|bytes| LENGTH.contains(&bytes.len()))
        .ok_or_else(|| {
            format!(
                "a secret to sign with must be {PREFIX} and {} to {} bytes in base64; \
                 make one with: echo {PREFIX}$(openssl rand -base64 24)",
                LENGTH.start(),
                LENGTH.end()
            )
        })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretSource;
    use crate::secret;

    fn secrets(text: &str) -> Vec<Secret> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, text).unwrap();
        secret::read_lines(&SecretSource::File(path)).unwrap()
    }

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &str = r#"{"test": 2432232314}"#;
    // Both computed with Python's hmac module; the first is the example of the specification.
    const KNOWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const KNOWN_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    const OTHER_SIGNATURE: &str = "v1,/485aUtxlie+TIScVpHggMfqOB4so2KWb7+Gf727B44=";

    #[test]
    fn a_signature_is_that_of_the_specification() {
        let signed = signatures(&secrets(KNOWN), ID, 1_614_265_330, BODY);
        assert_eq!(signed.as_deref(), Ok(KNOWN_SIGNATURE));
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let both = secrets(&format!("{KNOWN}\n{OTHER}\n"));
        assert_eq!(
            signatures(&both, ID, 1_614_265_330, BODY),
            Ok(format!("{KNOWN_SIGNATURE} {OTHER_SIGNATURE}"))
        );
    }

    #[test]
    fn a_secret_that_is_none_signs_nothing() {
        for bad in ["whsec_AAEC", "whsec_*", "password"] {
            let refused = signatures(&secrets(bad), ID, 0, BODY).unwrap_err();
            assert!(refused.contains("openssl rand") && !refused.contains(bad), "{refused}");
        }
    }
}
