// Package tee judges Evidence of confidential VMs without code of atlsd: SEV-SNP on go-sev-guest,
// TDX on go-tdx-guest, Arm CCA on Go's own library.
package tee

import (
	"encoding/hex"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Question is a report, and what it must fit.
type Question struct {
	// As the hardware signed it.
	Report []byte
	// SEV-SNP: the table of certificates that the host adds.
	Certificates []byte
	// In PEM. SEV-SNP: AMD's root (ARK); TDX: Intel's root; nil: those that the libraries have. CCA:
	// the platform's public key.
	Root []byte
	// TDX: what Intel says of its platforms, as type collateral has it; nil: it is not looked at.
	Collateral []byte
	// Nil: any.
	ReportData []byte
	// SEV-SNP: the privilege level that asked for the report.
	VMPL int
	// When certificates have to be valid.
	At time.Time
}

// Verdict on a report.
type Verdict struct {
	Accepted bool `json:"accepted"`
	// Not accepted: the first thing that does not fit.
	Why string `json:"why"`
	// In hexadecimal; empty if it cannot be read.
	ReportData string `json:"report_data"`
	// What it says otherwise, in names and forms of "atls inspect"; null if it cannot be read.
	Facts map[string]any `json:"facts"`
}

func verdict(problem error, facts map[string]any, reportData []byte) Verdict {
	out := Verdict{Accepted: problem == nil, ReportData: hex.EncodeToString(reportData), Facts: facts}
	if problem != nil {
		out.Why = problem.Error()
	}
	return out
}

// Judges by the kind of TEE.
var Judges = map[string]func(Question) Verdict{"snp": JudgeSNP, "tdx": JudgeTDX, "cca": JudgeCCA}

// TSMReport is what configfs-tsm gives for one report (ratsd, docs/tsm-report.cddl).
type TSMReport struct {
	Provider     string `cbor:"provider"`
	Report       []byte `cbor:"outblob"`
	Certificates []byte `cbor:"auxblob,omitempty"`
}

// ParseTSMReport takes its CBOR form; a member that it does not know is an error.
func ParseTSMReport(raw []byte) (TSMReport, error) {
	var out TSMReport
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err == nil {
		err = mode.Unmarshal(raw, &out)
	}
	return out, err
}
