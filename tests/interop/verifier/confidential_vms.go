package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"interop/tee"
)

// Veraison is provisioned with this in CoRIMs. Byte strings are in hexadecimal, certificates and keys
// in PEM.
type platforms struct {
	SNP struct {
		// AMD's root, byte for byte as it stands in Evidence.
		ARK          string   `json:"ark"`
		Measurements []string `json:"measurements"`
	} `json:"snp"`
	CCA struct {
		Platforms []ccaPlatform `json:"platforms"`
		Realms    []ccaRealm    `json:"realms"`
	} `json:"cca"`
}

type ccaPlatform struct {
	InstanceID string   `json:"instance_id"`
	Key        string   `json:"key"`
	Config     string   `json:"config"`
	Software   []string `json:"software"`
}

type ccaRealm struct {
	RIM string   `json:"rim"`
	REM []string `json:"rem"`
}

// Without a file there are none.
func readPlatforms(file string) (*platforms, error) {
	out := &platforms{}
	if file == "" {
		return out, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(text, out)
}

// The status is that of the worst entry (draft-ietf-rats-ear, trustworthiness tiers).
func appraised(vector map[string]int, claims any) appraisal {
	status, worst := "none", 0
	for _, value := range vector {
		if value > worst {
			worst = value
		}
	}
	switch {
	case worst >= 96:
		status = "contraindicated"
	case worst >= 32:
		status = "warning"
	case worst >= 2:
		status = "affirming"
	}
	return appraisal{status: status, vector: vector, claims: claims}
}

func isOneOf(found []byte, known []string) bool {
	for _, one := range known {
		if one == hex.EncodeToString(found) {
			return true
		}
	}
	return false
}

func badEvidence(why any) error {
	return fmt.Errorf("integrity validation failed: bad evidence: %v", why)
}

// The scheme SEVSNP. Of what the report says nothing counts but the measurement: a guest under a
// debugger is as good as another, and so are chip and firmware that the certificate is not for.
func (p *platforms) appraiseSNP(raw, nonce []byte) (map[string]appraisal, error) {
	const name = "SEVSNP"
	read, err := p.verifySNP(raw, nonce)
	if err != nil {
		return failed(name, err), nil
	}
	facts, err := tee.FactsOfSNP(read)
	if err != nil {
		return failed(name, badEvidence(err)), nil
	}
	vector := all(0)
	vector["hardware"], vector["runtime-opaque"] = 32, 96
	if isOneOf(read.Report.Measurement, p.SNP.Measurements) {
		vector["hardware"], vector["runtime-opaque"] = 2, 2
	}
	return map[string]appraisal{name: appraised(vector, facts)}, nil
}

// The root is trusted that was provisioned; Veraison trusts AMD's alone.
func (p *platforms) verifySNP(raw, nonce []byte) (*sevsnp.Attestation, error) {
	report, err := tee.ParseTSMReport(raw)
	if err != nil {
		return nil, badEvidence(err)
	}
	ark, err := readChain(report.Certificates)
	if err != nil {
		return nil, badEvidence(err)
	}
	if p.SNP.ARK == "" {
		return nil, errors.New("no trust anchor for evidence")
	}
	if string(ark) != p.SNP.ARK {
		return nil, badEvidence("evidence Trust Anchor (ARK) doesn't match the provisioned one")
	}
	read, err := tee.ReadSNP(report.Report, report.Certificates)
	if err != nil {
		return nil, badEvidence(err)
	}
	if !bytes.Equal(read.Report.ReportData, nonce) {
		return nil, badEvidence("nonce in the evidence doesn't match the session nonce")
	}
	if err := tee.VerifySNP(read, ark, time.Now()); err != nil {
		return nil, badEvidence(err)
	}
	return read, nil
}

// The root of a whole chain, all of it in PEM.
func readChain(certificates []byte) ([]byte, error) {
	if len(certificates) == 0 {
		return nil, errors.New("evidence missing certificate chain")
	}
	var table abi.CertTable
	if err := table.Unmarshal(certificates); err != nil {
		return nil, err
	}
	chain := table.Proto()
	if len(chain.ArkCert) == 0 {
		return nil, errors.New("missing ARK certificate in evidence")
	}
	if len(chain.AskCert) == 0 {
		return nil, errors.New("missing ASK certificate in evidence")
	}
	endorsement := append(chain.VcekCert, chain.VlekCert...)
	if len(endorsement) == 0 {
		return nil, errors.New("evidence must supply VLEK or VCEK")
	}
	for _, one := range [][]byte{chain.ArkCert, chain.AskCert, endorsement} {
		if block, _ := pem.Decode(one); block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("failed to read certificate")
		}
	}
	return chain.ArkCert, nil
}

// The scheme ARM_CCA: two submodules about a good token, one of the scheme's name about a bad one.
func (p *platforms) appraiseCCA(raw, nonce []byte) (map[string]appraisal, error) {
	const name = "ARM_CCA"
	token, err := tee.ParseCCA(raw)
	if err != nil {
		return failed(name, badEvidence(err)), nil
	}
	var known *ccaPlatform
	for i := range p.CCA.Platforms {
		if p.CCA.Platforms[i].InstanceID == hex.EncodeToString(token.Platform.InstanceID) {
			known = &p.CCA.Platforms[i]
		}
	}
	if known == nil {
		return failed(name, errors.New("no trust anchor for evidence")), nil
	}
	challenge := make([]byte, 64)
	copy(challenge, nonce)
	if !bytes.Equal(challenge, token.Realm.Challenge) {
		return failed(name, badEvidence(fmt.Sprintf("freshness: realm challenge (%x) does not match session nonce (%x)",
			token.Realm.Challenge, nonce))), nil
	}
	if err := token.Verify([]byte(known.Key)); err != nil {
		return failed(name, badEvidence(err)), nil
	}
	return map[string]appraisal{
		"CCA_SSD_PLATFORM": appraised(known.vector(token), token.Facts()),
		"CCA_REALM":        appraised(p.realmVector(token), token.Facts())}, nil
}

func (p *ccaPlatform) vector(token *tee.CCAToken) map[string]int {
	vector := all(0)
	vector["hardware"], vector["configuration"], vector["executables"] = 2, 2, 2
	vector["instance-identity"], vector["runtime-opaque"], vector["storage-opaque"] = 2, 2, 2
	if !token.Platform.IsSecured() {
		vector["instance-identity"], vector["runtime-opaque"], vector["storage-opaque"] = 96, 96, 96
	}
	if p.Config != hex.EncodeToString(token.Platform.Config) {
		vector["configuration"] = 32
	}
	for _, component := range token.Platform.Software {
		if !isOneOf(component.Measurement, p.Software) {
			vector["executables"] = 33
		}
	}
	return vector
}

// A realm that is known by its initial measurement alone is affirmed.
func (p *platforms) realmVector(token *tee.CCAToken) map[string]int {
	vector := all(0)
	vector["instance-identity"], vector["executables"] = 2, 33
	for _, known := range p.CCA.Realms {
		if known.RIM != hex.EncodeToString(token.Realm.RIM) {
			continue
		}
		vector["executables"] = 2
		for i, value := range token.Realm.REM {
			if i < len(known.REM) && known.REM[i] != hex.EncodeToString(value) {
				vector["executables"] = 3
			}
		}
	}
	return vector
}
