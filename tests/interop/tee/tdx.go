package tee

import (
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-tdx-guest/abi"
	"github.com/google/go-tdx-guest/pcs"
	"github.com/google/go-tdx-guest/proto/tdx"
	"github.com/google/go-tdx-guest/validate"
	"github.com/google/go-tdx-guest/verify"
)

// What Intel's Provisioning Certification Service says of a platform: documents and chains as text,
// lists of revoked certificates in hexadecimal.
type collateral struct {
	PckCrl                string `json:"pck_crl"`
	PckCrlIssuerChain     string `json:"pck_crl_issuer_chain"`
	RootCaCrl             string `json:"root_ca_crl"`
	TcbInfo               string `json:"tcb_info"`
	TcbInfoSignature      string `json:"tcb_info_signature"`
	TcbInfoIssuerChain    string `json:"tcb_info_issuer_chain"`
	QeIdentity            string `json:"qe_identity"`
	QeIdentitySignature   string `json:"qe_identity_signature"`
	QeIdentityIssuerChain string `json:"qe_identity_issuer_chain"`
}

// Get answers as Intel's service does, from the collateral alone.
func (c collateral) Get(address string) (map[string][]string, []byte, error) {
	signed := func(name, document, signature string) []byte {
		return []byte(`{"` + name + `":` + document + `,"signature":"` + signature + `"}`)
	}
	chain := func(header, content string) map[string][]string {
		return map[string][]string{header: {url.QueryEscape(content)}}
	}
	switch {
	case strings.Contains(address, "/tcb?"):
		return chain("Tcb-Info-Issuer-Chain", c.TcbInfoIssuerChain), signed("tcbInfo", c.TcbInfo, c.TcbInfoSignature), nil
	case strings.HasSuffix(address, "/qe/identity"):
		return chain("Sgx-Enclave-Identity-Issuer-Chain", c.QeIdentityIssuerChain),
			signed("enclaveIdentity", c.QeIdentity, c.QeIdentitySignature), nil
	case strings.Contains(address, "/pckcrl?"):
		list, err := hex.DecodeString(c.PckCrl)
		return chain("Sgx-Pck-Crl-Issuer-Chain", c.PckCrlIssuerChain), list, err
	case strings.HasSuffix(address, ".der"):
		list, err := hex.DecodeString(c.RootCaCrl)
		return nil, list, err
	}
	return nil, nil, fmt.Errorf("no %s", address)
}

// Of the platform's certificate, in lower case.
func fmspcOf(quote *tdx.QuoteV4) (string, error) {
	chain := quote.SignedData.CertificationData.QeReportCertificationData.PckCertificateChainData.PckCertChain
	block, _ := pem.Decode(chain)
	if block == nil {
		return "", errors.New("no certificate of the platform")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	extensions, err := pcs.PckCertificateExtensions(certificate)
	if err != nil {
		return "", err
	}
	return strings.ToLower(extensions.FMSPC), nil
}

func factsOfTDX(quote *tdx.QuoteV4) (map[string]any, error) {
	fmspc, err := fmspcOf(quote)
	if err != nil {
		return nil, err
	}
	body := quote.TdQuoteBody
	attributes := binary.LittleEndian.Uint64(body.TdAttributes)
	bit := func(number int) bool { return attributes>>number&1 == 1 }
	facts := map[string]any{
		"version":       quote.Header.Version,
		"mrtd":          hex.EncodeToString(body.MrTd),
		"mrconfigid":    hex.EncodeToString(body.MrConfigId),
		"mrowner":       hex.EncodeToString(body.MrOwner),
		"mrownerconfig": hex.EncodeToString(body.MrOwnerConfig),
		"mrseam":        hex.EncodeToString(body.MrSeam),
		"xfam":          fmt.Sprintf("%016x", binary.LittleEndian.Uint64(body.Xfam)),
		"tee_tcb_svn":   hex.EncodeToString(body.TeeTcbSvn),
		"fmspc":         fmspc,
		"attributes": map[string]any{
			"debug":           attributes&0xff != 0,
			"sept_ve_disable": bit(28),
			"pks":             bit(30),
			"key_locker":      bit(31),
			"perfmon":         bit(63),
		},
	}
	for i, value := range body.Rtmrs {
		facts[fmt.Sprintf("rtmr%d", i)] = hex.EncodeToString(value)
	}
	return facts, nil
}

func verifyTDX(quote *tdx.QuoteV4, asked Question) error {
	options := &verify.Options{Now: asked.At}
	if asked.Root != nil {
		options.TrustedRoots = x509.NewCertPool()
		if !options.TrustedRoots.AppendCertsFromPEM(asked.Root) {
			return errors.New("root: no certificate")
		}
	}
	if asked.Collateral != nil {
		var known collateral
		if err := json.Unmarshal(asked.Collateral, &known); err != nil {
			return fmt.Errorf("collateral: %w", err)
		}
		options.GetCollateral, options.CheckRevocations, options.Getter = true, true, known
	}
	if err := verify.TdxQuote(quote, options); err != nil {
		return err
	}
	return validate.TdxQuote(quote, &validate.Options{
		TdQuoteBodyOptions: validate.TdQuoteBodyOptions{ReportData: asked.ReportData}})
}

// JudgeTDX knows quotes of version 4. What the TD is open to is its own check: the library's accepts
// debuggable TDs.
func JudgeTDX(asked Question) Verdict {
	read, err := abi.QuoteToProto(asked.Report)
	if err != nil {
		return verdict(err, nil, nil)
	}
	quote, isVersion4 := read.(*tdx.QuoteV4)
	if !isVersion4 {
		return verdict(fmt.Errorf("a quote of type %T", read), nil, nil)
	}
	facts, err := factsOfTDX(quote)
	if err == nil {
		err = verifyTDX(quote, asked)
	}
	if err == nil && quote.TdQuoteBody.TdAttributes[0] != 0 {
		err = errors.New("found debug attributes")
	}
	return verdict(err, facts, quote.TdQuoteBody.ReportData)
}
