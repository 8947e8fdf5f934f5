//! interop-ear KEY.pem: an Attestation Result as a CWT, made and signed (ES256) by Veraison's library.
use ear::{Algorithm, Appraisal, Ear, Nonce, TrustTier, VerifierID, EAR_PROFILE};
use std::io::Write;

fn main() {
    let key = std::fs::read(std::env::args().nth(1).expect("KEY.pem")).expect("the key's file");
    let mut appraisal = Appraisal::new();
    appraisal.trust_vector.hardware.set(2);
    appraisal.trust_vector.executables.set(2);
    appraisal.status = TrustTier::Affirming;
    appraisal.policy_ids = vec!["policy:PARSEC_TPM".to_string()];

    let mut result = Ear::new_with_profile(EAR_PROFILE).unwrap_or_else(|_| Ear::new());
    result.profile = EAR_PROFILE.to_string();
    result.vid = VerifierID { build: "1".to_string(), developer: "interop".to_string() };
    result.nonce = Some(Nonce::try_from(&[7u8; 32][..]).expect("nonce"));
    result.submods.insert("PARSEC_TPM".to_string(), appraisal);
    let token = result.sign_cose_pem(Algorithm::ES256, &key).expect("signed");
    std::io::stdout().write_all(&token).expect("written");
}
