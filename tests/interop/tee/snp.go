package tee

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

// ReadSNP gives a report with the host's certificates, in DER.
func ReadSNP(report, certificates []byte) (*sevsnp.Attestation, error) {
	if len(report) != abi.ReportSize {
		return nil, fmt.Errorf("a report of %d bytes", len(report))
	}
	read, err := abi.ReportCertsToProto(append(append([]byte{}, report...), certificates...))
	if err != nil {
		return nil, err
	}
	chain := read.CertificateChain
	for _, one := range []*[]byte{&chain.ArkCert, &chain.AskCert, &chain.VcekCert, &chain.VlekCert} {
		if block, _ := pem.Decode(*one); block != nil {
			*one = block.Bytes
		}
	}
	return read, nil
}

// The key that signed the report.
type snpEndorsement struct {
	kind abi.ReportSigner
	// Of the processor that it is for.
	product     string
	certificate *x509.Certificate
}

func endorsementOf(read *sevsnp.Attestation) (*snpEndorsement, error) {
	info, err := abi.ParseSignerInfo(read.Report.SignerInfo)
	if err != nil {
		return nil, err
	}
	der := read.CertificateChain.VcekCert
	if info.SigningKey == abi.VlekReportSigner {
		der = read.CertificateChain.VlekCert
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of the %v: %w", info.SigningKey, err)
	}
	extensions, err := kds.CertificateExtensions(certificate, info.SigningKey)
	if err != nil {
		return nil, err
	}
	return &snpEndorsement{info.SigningKey, kds.ProductLineOfProductName(extensions.ProductName), certificate}, nil
}

// AMD's certificates for VLEKs: the library has them, and does not take them by itself.
var vlekChains = map[string][]byte{
	"Milan": trust.AskArkMilanVlekBytes, "Genoa": trust.AskArkGenoaVlekBytes, "Turin": trust.AskArkTurinVlekBytes}

// What the endorsement key has to be signed by.
func snpRoots(read *sevsnp.Attestation, by *snpEndorsement, root []byte) (*trust.AMDRootCerts, error) {
	if root == nil && by.kind == abi.VcekReportSigner {
		return trust.GetDefaultRootCerts(by.product)
	}
	out := &trust.AMDRootCerts{ProductLine: by.product, ProductCerts: &trust.ProductCerts{}}
	if root == nil {
		return out, out.ProductCerts.FromKDSCertBytes(vlekChains[by.product])
	}
	// The root verifies it before it verifies anything.
	intermediate, err := x509.ParseCertificate(read.CertificateChain.AskCert)
	if err != nil {
		return nil, fmt.Errorf("intermediate certificate: %w", err)
	}
	out.ProductCerts.Ask, out.ProductCerts.Asvk = intermediate, intermediate
	out.ProductCerts.Ark, err = trust.ParseCert(root)
	return out, err
}

// VerifySNP checks the report's signature, and the certificates of the key that made it up to the
// root; nil: AMD's. What the report says is not looked at.
func VerifySNP(read *sevsnp.Attestation, root []byte, at time.Time) error {
	by, err := endorsementOf(read)
	if err != nil {
		return err
	}
	roots, err := snpRoots(read, by, root)
	if err != nil {
		return err
	}
	// Family 19h, models A0h to AFh: Genoa by AMD's certificates. The library does not know them, so
	// that its parts are used.
	if fms := read.Report.Cpuid1EaxFms; fms != 0 && kds.ProductLineFromFms(fms) == "Unknown" {
		if _, err := by.certificate.Verify(*roots.X509Options(at, by.kind)); err != nil {
			return err
		}
		return verify.SnpProtoReportSignature(read.Report, by.certificate)
	}
	return verify.SnpAttestation(read, &verify.Options{DisableCertFetching: true, Now: at,
		TrustedRoots: map[string][]*trust.AMDRootCerts{by.product: {roots}}})
}

// The guest is closed to its host (no debugger, no migration, that privilege level asked), and chip
// and firmware are those of the certificate.
func validateSNP(read *sevsnp.Attestation, asked Question) error {
	return validate.SnpAttestation(read, &validate.Options{
		GuestPolicy:               abi.SnpPolicy{SMT: true, CXLAllowed: true},
		ReportData:                asked.ReportData,
		ReportIDMA:                bytes.Repeat([]byte{0xff}, abi.ReportIDMASize),
		VMPL:                      &asked.VMPL,
		PermitProvisionalFirmware: true,
	})
}

func factsOfTCB(version uint64) map[string]any {
	parts := kds.DecomposeTCBVersion(kds.TCBVersion(version))
	return map[string]any{"bootloader": parts.BlSpl, "tee": parts.TeeSpl, "snp": parts.SnpSpl, "microcode": parts.UcodeSpl}
}

// FactsOfSNP is for Milan and Genoa, whose versions have four parts.
func FactsOfSNP(read *sevsnp.Attestation) (map[string]any, error) {
	report := read.Report
	policy, err := abi.ParseSnpPolicy(report.Policy)
	if err != nil {
		return nil, err
	}
	platform, err := abi.ParseSnpPlatformInfo(report.PlatformInfo)
	if err != nil {
		return nil, err
	}
	by, err := endorsementOf(read)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"version":           report.Version,
		"measurement":       hex.EncodeToString(report.Measurement),
		"host_data":         hex.EncodeToString(report.HostData),
		"vmpl":              report.Vmpl,
		"guest_svn":         report.GuestSvn,
		"family_id":         hex.EncodeToString(report.FamilyId),
		"image_id":          hex.EncodeToString(report.ImageId),
		"id_key_digest":     hex.EncodeToString(report.IdKeyDigest),
		"author_key_digest": hex.EncodeToString(report.AuthorKeyDigest),
		"chip_id":           hex.EncodeToString(report.ChipId),
		"signing_key":       strings.ToLower(by.kind.String()),
		"product":           by.product,
		"tcb":               factsOfTCB(report.ReportedTcb),
		"tcb_current":       factsOfTCB(report.CurrentTcb),
		"policy": map[string]any{
			"debug":           policy.Debug,
			"migrate_ma":      policy.MigrateMA,
			"migration_agent": !bytes.Equal(report.ReportIdMa, bytes.Repeat([]byte{0xff}, abi.ReportIDMASize)),
			"smt":             policy.SMT,
			"single_socket":   policy.SingleSocket,
			"abi":             fmt.Sprintf("%d.%d", policy.ABIMajor, policy.ABIMinor),
		},
		"platform": map[string]any{
			"smt":               platform.SMTEnabled,
			"tsme":              platform.TSMEEnabled,
			"ecc":               platform.ECCEnabled,
			"ciphertext_hiding": platform.CiphertextHidingDRAMEnabled,
			"alias_check":       platform.AliasCheckComplete,
		},
	}, nil
}

// JudgeSNP is VerifySNP and, of what the report says, what no Relying Party must leave to others.
func JudgeSNP(asked Question) Verdict {
	read, err := ReadSNP(asked.Report, asked.Certificates)
	if err != nil {
		return verdict(err, nil, nil)
	}
	facts, err := FactsOfSNP(read)
	if err == nil {
		err = VerifySNP(read, asked.Root, asked.At)
	}
	if err == nil {
		err = validateSNP(read, asked)
	}
	return verdict(err, facts, read.Report.ReportData)
}
