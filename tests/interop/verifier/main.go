// A Verifier that shares no code with atlsd: Veraison's challenge-response and provisioning APIs and
// its appraisals (PARSEC_TPM; SEVSNP and ARM_CCA in confidential_vms.go), as in one of its releases
// (-release), on go-tpm and go-sev-guest, which Veraison uses itself. Of TPM evidence it compares no
// nonce, requires no PCR, and says "none" where PCRs do not match: what a Relying Party must be able
// to live with. It takes endorsements in the form of its release only, and a trust anchor that comes
// in two CoRIMs is two trust anchors.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/uuid"
)

const (
	tpmType       = "application/vnd.parallaxsecond.key-attestation.tpm"
	snpType       = "application/vnd.veraison.tsm-report+cbor"
	ccaType       = `application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0"`
	sessionType   = "application/vnd.veraison.challenge-response-session+json"
	discoveryType = "application/vnd.veraison.discovery+json"
	corimProfile  = "tag:github.com/parallaxsecond,2023-03-03:tpm"
)

// What the releases do not agree about.
type dialect struct {
	comidTaggedOutside bool // 506(bstr); otherwise a bstr that holds 506(...)
	profileTagged      bool // 32(tstr); otherwise tstr
	kidTag             uint64
	corimType          string
	nonceIsURL         bool // base64url in the session, taken without padding too
	mismatchFails      bool // PCRs that match nothing: 500
	knowsSNP           bool
}

var dialects = map[string]dialect{
	"veraison-main": {true, true, 560, "application/rim+cbor", true, false, true},
	"veraison-2608": {true, false, 560, "application/rim+cbor", false, false, true},
	"veraison-2602": {true, false, 550, "application/corim-unsigned+cbor", false, true, true},
	"veraison-2511": {false, false, 550, "application/corim-unsigned+cbor", false, false, false},
}

// Of the chosen release.
var release dialect

// Endorsements.

type anchor struct {
	class string
	key   *ecdsa.PublicKey
}

type store struct {
	sync.Mutex
	anchors    map[string][]anchor            // by kid
	references map[string][]map[uint64][]byte // by class: PCR to SHA-256 digest
	submitted  map[[32]byte]bool
}

func newStore() *store {
	return &store{anchors: map[string][]anchor{}, references: map[string][]map[uint64][]byte{}, submitted: map[[32]byte]bool{}}
}

type environment struct {
	Class struct {
		ID cbor.Tag `cbor:"0,keyasint"`
	} `cbor:"0,keyasint"`
	Instance cbor.Tag `cbor:"1,keyasint,omitempty"`
}

// All of a CoRIM or nothing.
func (s *store) submit(raw []byte) error {
	read := newStore()
	if err := read.read(raw); err != nil {
		return err
	}
	digest := sha256.Sum256(raw)
	if s.submitted[digest] {
		return errors.New("token already in store")
	}
	s.submitted[digest] = true
	for kid, anchors := range read.anchors {
		s.anchors[kid] = append(s.anchors[kid], anchors...)
	}
	for class, references := range read.references {
		s.references[class] = append(s.references[class], references...)
	}
	return nil
}

func checkProfile(raw cbor.RawMessage) error {
	var profile any
	if err := cbor.Unmarshal(raw, &profile); err != nil {
		return err
	}
	tag, isTagged := profile.(cbor.Tag)
	if isTagged != release.profileTagged || isTagged && tag.Number != 32 {
		return fmt.Errorf("invalid profile data: %T", profile)
	}
	if isTagged {
		profile = tag.Content
	}
	if profile != corimProfile {
		return fmt.Errorf("profile %v", profile)
	}
	return nil
}

// The CoMID of an element of the tags.
func unwrap(element cbor.RawMessage) ([]byte, error) {
	var encoded, inner []byte
	if !release.comidTaggedOutside {
		if err := cbor.Unmarshal(element, &encoded); err != nil {
			return nil, fmt.Errorf("a tag is no byte string: %w", err)
		}
		element = encoded
	}
	var tag cbor.RawTag
	if err := cbor.Unmarshal(element, &tag); err != nil || tag.Number != 506 {
		return nil, errors.New("not a CoMID")
	}
	if !release.comidTaggedOutside {
		return tag.Content, nil
	}
	err := cbor.Unmarshal(tag.Content, &inner)
	return inner, err
}

func (s *store) read(raw []byte) error {
	var outer cbor.RawTag
	if err := cbor.Unmarshal(raw, &outer); err != nil || outer.Number != 501 {
		return errors.New("not an unsigned CoRIM")
	}
	var rim struct {
		Tags    []cbor.RawMessage `cbor:"1,keyasint"`
		Profile cbor.RawMessage   `cbor:"3,keyasint"`
	}
	if err := cbor.Unmarshal(outer.Content, &rim); err != nil {
		return err
	}
	if err := checkProfile(rim.Profile); err != nil {
		return err
	}
	for _, tag := range rim.Tags {
		inner, err := unwrap(tag)
		if err != nil {
			return err
		}
		var comid struct {
			Triples struct {
				References [][]cbor.RawMessage `cbor:"0,keyasint,omitempty"`
				Keys       [][]cbor.RawMessage `cbor:"3,keyasint,omitempty"`
			} `cbor:"4,keyasint"`
		}
		if err := cbor.Unmarshal(inner, &comid); err != nil {
			return err
		}
		for _, triple := range comid.Triples.Keys {
			if err := s.addAnchor(triple); err != nil {
				return err
			}
		}
		for _, triple := range comid.Triples.References {
			if err := s.addReferences(triple); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) addAnchor(triple []cbor.RawMessage) error {
	var env environment
	var keys []cbor.Tag
	if err := cbor.Unmarshal(triple[0], &env); err != nil {
		return err
	}
	if err := cbor.Unmarshal(triple[1], &keys); err != nil || len(keys) != 1 || keys[0].Number != 554 {
		return errors.New("expected one PEM key")
	}
	if env.Instance.Number != release.kidTag {
		return fmt.Errorf("instance of tag %d", env.Instance.Number)
	}
	block, _ := pem.Decode([]byte(keys[0].Content.(string)))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	kid := hex.EncodeToString(env.Instance.Content.([]byte))
	s.anchors[kid] = append(s.anchors[kid], anchor{fmt.Sprint(env.Class.ID.Content), parsed.(*ecdsa.PublicKey)})
	return nil
}

func (s *store) addReferences(triple []cbor.RawMessage) error {
	var env environment
	var measurements []struct {
		Key   uint64 `cbor:"0,keyasint"`
		Value struct {
			Digests [][]any `cbor:"2,keyasint"`
		} `cbor:"1,keyasint"`
	}
	if err := cbor.Unmarshal(triple[0], &env); err != nil {
		return err
	}
	if err := cbor.Unmarshal(triple[1], &measurements); err != nil {
		return err
	}
	pcrs := map[uint64][]byte{}
	for _, m := range measurements {
		for _, digest := range m.Value.Digests {
			if digest[0].(uint64) == 1 {
				pcrs[m.Key] = digest[1].([]byte)
			}
		}
	}
	class := fmt.Sprint(env.Class.ID.Content)
	s.references[class] = append(s.references[class], pcrs)
	return nil
}

// Appraisal: the order and the words of Veraison's scheme.

type evidence struct {
	Kat struct {
		TpmVer   string `cbor:"tpmVer"`
		Kid      []byte `cbor:"kid"`
		Sig      []byte `cbor:"sig"`
		PubArea  []byte `cbor:"pubArea"`
		CertInfo []byte `cbor:"certInfo"`
	} `cbor:"kat"`
	Pat struct {
		TpmVer     string `cbor:"tpmVer"`
		Kid        []byte `cbor:"kid"`
		Sig        []byte `cbor:"sig"`
		AttestInfo []byte `cbor:"attestInfo"`
	} `cbor:"pat"`
}

func checkSignature(key *ecdsa.PublicKey, raw, message []byte) error {
	sig, err := tpm2.DecodeSignature(bytes.NewBuffer(raw))
	if err != nil {
		return err
	}
	if sig.Alg != tpm2.AlgECDSA {
		return errors.New("not ECDSA")
	}
	hash, err := sig.ECC.HashAlg.Hash()
	if err != nil {
		return err
	}
	h := hash.New()
	h.Write(message)
	if !ecdsa.Verify(key, h.Sum(nil), sig.ECC.R, sig.ECC.S) {
		return errors.New("signature verification failed")
	}
	return nil
}

// One submodule of a result.
type appraisal struct {
	status  string
	vector  map[string]int
	problem string
	akpub   []byte
	claims  any
}

func all(value int) map[string]int {
	out := map[string]int{}
	for _, name := range []string{"instance-identity", "configuration", "executables", "file-system", "hardware", "runtime-opaque", "storage-opaque", "sourced-data"} {
		out[name] = value
	}
	return out
}

func failed(submodule string, problem error) map[string]appraisal {
	return map[string]appraisal{submodule: {status: "contraindicated", vector: all(99), problem: problem.Error()}}
}

// The scheme PARSEC_TPM. An error is a malfunction of the Verifier's.
func (s *store) appraiseTPM(raw, _ []byte) (map[string]appraisal, error) {
	const name = "PARSEC_TPM"
	unidentified := errors.New("could not establish identity from evidence")
	var e evidence
	if err := cbor.Unmarshal(raw, &e); err != nil || e.Kat.TpmVer == "" || e.Pat.TpmVer == "" || !bytes.Equal(e.Kat.Kid, e.Pat.Kid) {
		return failed(name, unidentified), nil
	}
	cert, err := tpm2.DecodeAttestationData(e.Kat.CertInfo)
	if err != nil || cert.Type != tpm2.TagAttestCertify || cert.AttestedCertifyInfo.Name.Digest == nil {
		return failed(name, unidentified), nil
	}
	pub, err := tpm2.DecodePublic(e.Kat.PubArea)
	if err != nil || pub.Type != tpm2.AlgECC || pub.Attributes&(tpm2.FlagFixedTPM|tpm2.FlagSensitiveDataOrigin) != tpm2.FlagFixedTPM|tpm2.FlagSensitiveDataOrigin {
		return failed(name, unidentified), nil
	}
	if matches, err := cert.AttestedCertifyInfo.Name.MatchesPublic(pub); err != nil || !matches {
		return failed(name, unidentified), nil
	}
	quote, err := tpm2.DecodeAttestationData(e.Pat.AttestInfo)
	if err != nil || quote.Type != tpm2.TagAttestQuote {
		return failed(name, unidentified), nil
	}

	s.Lock()
	defer s.Unlock()
	anchors := s.anchors[hex.EncodeToString(e.Kat.Kid)]
	if len(anchors) == 0 {
		return failed(name, errors.New("no trust anchor for evidence")), nil
	}
	if len(anchors) > 1 {
		return nil, fmt.Errorf("expected exactly one trust anchor, got %d", len(anchors))
	}
	if err := checkSignature(anchors[0].key, e.Kat.Sig, e.Kat.CertInfo); err != nil {
		return failed(name, fmt.Errorf("integrity validation failed: bad evidence: %w", err)), nil
	}
	if err := checkSignature(anchors[0].key, e.Pat.Sig, e.Pat.AttestInfo); err != nil {
		return failed(name, fmt.Errorf("integrity validation failed: bad evidence: %w", err)), nil
	}

	pcrs := append([]int(nil), quote.AttestedQuoteInfo.PCRSelection.PCRs...)
	sort.Ints(pcrs)
	for _, reference := range s.references[anchors[0].class] {
		h := sha256.New()
		complete := true
		for _, pcr := range pcrs {
			digest, known := reference[uint64(pcr)]
			complete = complete && known
			h.Write(digest)
		}
		if complete && bytes.Equal(h.Sum(nil), quote.AttestedQuoteInfo.PCRDigest) {
			key, _ := pub.Key()
			spki, _ := x509.MarshalPKIXPublicKey(key)
			vector := all(0)
			vector["hardware"], vector["executables"], vector["instance-identity"] = 2, 2, 2
			return map[string]appraisal{name: {status: "affirming", vector: vector, akpub: spki, claims: e}}, nil
		}
	}
	if release.mismatchFails {
		return nil, errors.New("no reference values match")
	}
	return map[string]appraisal{name: {status: "none", vector: all(0)}}, nil
}

// The API.

type session struct {
	Status   string   `json:"status"`
	Nonce    string   `json:"nonce"`
	Expiry   string   `json:"expiry"`
	Accept   []string `json:"accept"`
	Evidence any      `json:"evidence,omitempty"`
	Result   string   `json:"result,omitempty"`
	nonce    []byte
}

type scheme struct {
	name      string
	mediaType string
	appraise  func(evidence, nonce []byte) (map[string]appraisal, error)
}

type server struct {
	store    *store
	schemes  []scheme
	key      *ecdsa.PrivateKey
	mutex    sync.Mutex
	sessions map[string]*session
	// What provisioning asks for; empty: nothing.
	authorization string
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
}

func answer(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func (s *server) mediaTypes() []string {
	var out []string
	for _, one := range s.schemes {
		out = append(out, one.mediaType)
	}
	return out
}

func (s *server) schemeFor(mediaType string) *scheme {
	for i := range s.schemes {
		if s.schemes[i].mediaType == mediaType {
			return &s.schemes[i]
		}
	}
	return nil
}

func (s *server) newSession(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("nonce")
	nonce, err := base64.URLEncoding.DecodeString(text)
	if err != nil && release.nonceIsURL {
		nonce, err = base64.RawURLEncoding.DecodeString(text)
	}
	if err != nil {
		problem(w, 400, "failed handling nonce request: nonce must be valid base64")
		return
	}
	encoding := base64.StdEncoding
	if release.nonceIsURL {
		encoding = base64.URLEncoding
	}
	id := uuid.Must(uuid.NewUUID()).String()
	made := &session{Status: "waiting", Nonce: encoding.EncodeToString(nonce), nonce: nonce,
		Expiry: time.Now().Add(150 * time.Second).Format(time.RFC3339Nano),
		Accept: append(s.mediaTypes(), "application/vnd.enacttrust.tpm-evidence")}
	s.mutex.Lock()
	s.sessions[id] = made
	s.mutex.Unlock()
	w.Header().Set("Location", "session/"+id)
	answer(w, 201, sessionType, made)
}

func (s *server) sign(claims any) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`))
	body, _ := json.Marshal(claims)
	input := header + "." + base64.RawURLEncoding.EncodeToString(body)
	digest := sha256.Sum256([]byte(input))
	r, t, _ := ecdsa.Sign(rand.Reader, s.key, digest[:])
	raw := append(r.FillBytes(make([]byte, 32)), t.FillBytes(make([]byte, 32))...)
	return input + "." + base64.RawURLEncoding.EncodeToString(raw)
}

// As it stands in a result of this scheme.
func (a appraisal) claimsOf(scheme string) map[string]any {
	out := map[string]any{"ear.status": a.status, "ear.trustworthiness-vector": a.vector, "ear.appraisal-policy-id": "policy:" + scheme}
	if a.problem != "" {
		out["ear.veraison.policy-claims"] = map[string]string{"problem": a.problem}
	}
	if a.akpub != nil {
		out["ear.veraison.key-attestation"] = map[string]string{"akpub": base64.RawURLEncoding.EncodeToString(a.akpub)}
	}
	if a.claims != nil {
		out["ear.veraison.annotated-evidence"] = a.claims
	}
	return out
}

func (s *server) submit(w http.ResponseWriter, r *http.Request, target *session) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		problem(w, 400, "unable to read evidence from the request body")
		return
	}
	kind := r.Header.Get("Content-Type")
	if strings.Contains(kind, "cmw") {
		var record []any
		if err := cbor.Unmarshal(body, &record); err != nil || len(record) < 2 {
			problem(w, 400, "could not unwrap the CMW: "+fmt.Sprint(err))
			return
		}
		kind, body = record[0].(string), record[1].([]byte)
	}
	scheme := s.schemeFor(kind)
	if scheme == nil {
		w.Header().Set("Accept", strings.Join(s.mediaTypes(), ", "))
		problem(w, 415, "no active plugin found for "+kind)
		return
	}
	appraisals, err := scheme.appraise(body, target.nonce)
	if err != nil {
		log.Printf("appraisal failed: %v", err)
		s.mutex.Lock()
		target.Status = "failed"
		s.mutex.Unlock()
		problem(w, 500, "error encountered while processing evidence: "+err.Error())
		return
	}
	submodules := map[string]any{}
	for name, a := range appraisals {
		log.Printf("appraised: %s %s %s", name, a.status, a.problem)
		submodules[name] = a.claimsOf(scheme.name)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	target.Status = "complete"
	target.Evidence = map[string]string{"type": kind, "value": base64.StdEncoding.EncodeToString(body)}
	target.Result = s.sign(map[string]any{
		"eat_profile": "tag:github.com,2023:veraison/ear", "iat": time.Now().Unix(),
		"ear.verifier-id": map[string]string{"build": "N/A", "developer": "Veraison Project"},
		"eat_nonce":       base64.URLEncoding.EncodeToString(target.nonce),
		"submods":         submodules})
	answer(w, 200, sessionType, target)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const prefix = "/challenge-response/v1/"
	switch {
	case r.Method == "POST" && r.URL.Path == prefix+"newSession":
		s.newSession(w, r)
	case strings.HasPrefix(r.URL.Path, prefix+"session/"):
		id := strings.TrimPrefix(r.URL.Path, prefix+"session/")
		s.mutex.Lock()
		target := s.sessions[id]
		s.mutex.Unlock()
		if target == nil {
			problem(w, 404, "session not found for (id, tenant)=("+id+", 0)")
		} else if r.Method == "POST" {
			s.submit(w, r, target)
		} else {
			answer(w, 200, sessionType, target)
		}
	case r.URL.Path == "/.well-known/veraison/verification":
		answer(w, 200, discoveryType, map[string]any{
			"ear-verification-key": jwk(&s.key.PublicKey), "media-types": s.mediaTypes(),
			"version": "N/A", "service-state": "READY",
			"api-endpoints": map[string]string{"newChallengeResponseSession": prefix + "newSession"}})
	case r.Method == "POST" && r.URL.Path == "/endorsement-provisioning/v1/submit":
		s.provision(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *server) provision(w http.ResponseWriter, r *http.Request) {
	if s.authorization != "" && r.Header.Get("Authorization") != s.authorization {
		w.Header().Set("WWW-Authenticate", "Basic realm=veraison")
		problem(w, 401, "wrong or missing authorization")
		return
	}
	wanted := release.corimType + "; profile=\"" + corimProfile + "\""
	if kind := r.Header.Get("Content-Type"); kind != wanted {
		w.Header().Set("Accept", wanted)
		problem(w, 415, "no active plugin found for "+kind)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		problem(w, 400, "empty body")
		return
	}
	s.store.Lock()
	err = s.store.submit(body)
	s.store.Unlock()
	out := map[string]string{"status": "success", "expiry": time.Now().Format(time.RFC3339)}
	if err != nil {
		out["status"], out["failure-reason"] = "failed", "submit endorsement returned error: "+err.Error()
	}
	answer(w, 200, "application/vnd.veraison.provisioning-session+json", out)
}

func jwk(key *ecdsa.PublicKey) map[string]string {
	encode := func(n *big.Int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32)))
	}
	return map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "x": encode(key.X), "y": encode(key.Y)}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	keyFile := flag.String("result-key", "", "where the public JWK goes")
	name := flag.String("release", "veraison-2608", "whose dialect it speaks")
	authorization := flag.String("authorization", "", "what provisioning asks for")
	platformsFile := flag.String("platforms", "", "what is known of confidential VMs; see confidential_vms.go")
	flag.Parse()
	var known bool
	if release, known = dialects[*name]; !known {
		log.Fatalf("no release %s", *name)
	}
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	text, _ := json.Marshal(jwk(&key.PublicKey))
	if err := os.WriteFile(*keyFile, text, 0o644); err != nil {
		log.Fatal(err)
	}
	at, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", at.Addr())
	confidential, err := readPlatforms(*platformsFile)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{store: newStore(), key: key, sessions: map[string]*session{}, authorization: *authorization}
	s.schemes = []scheme{{"PARSEC_TPM", tpmType, s.store.appraiseTPM}, {"ARM_CCA", ccaType, confidential.appraiseCCA}}
	if release.knowsSNP {
		s.schemes = append(s.schemes, scheme{"SEVSNP", snpType, confidential.appraiseSNP})
	}
	log.Fatal(http.Serve(at, s))
}
