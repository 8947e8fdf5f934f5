package tee

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

// CCAPlatform is what the platform token says (Arm DEN 0137).
type CCAPlatform struct {
	Profile          string `cbor:"265,keyasint"`
	Challenge        []byte `cbor:"10,keyasint"`
	ImplementationID []byte `cbor:"2396,keyasint"`
	InstanceID       []byte `cbor:"256,keyasint"`
	Config           []byte `cbor:"2401,keyasint"`
	Lifecycle        uint16 `cbor:"2395,keyasint"`
	Software         []struct {
		Measurement []byte `cbor:"2,keyasint"`
	} `cbor:"2399,keyasint"`
}

// CCARealm is what the realm token says.
type CCARealm struct {
	Profile      *string  `cbor:"265,keyasint"`
	Challenge    []byte   `cbor:"10,keyasint"`
	RPV          []byte   `cbor:"44235,keyasint"`
	RIM          []byte   `cbor:"44238,keyasint"`
	REM          [][]byte `cbor:"44239,keyasint"`
	Key          []byte   `cbor:"44237,keyasint"`
	KeyHashNamed string   `cbor:"44240,keyasint"`
}

// CCAToken has both.
type CCAToken struct {
	Platform                CCAPlatform
	Realm                   CCARealm
	platformSign, realmSign coseSign1
}

type coseSign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[any]any
	Payload     []byte
	Signature   []byte
}

const (
	collectionTag    = 907
	oldCollectionTag = 399
	platformLabel    = 44234
	realmLabel       = 44241
	sign1Tag         = 18
	securedFrom      = 0x3000
	securedTo        = 0x30ff
)

// ECDSA by its number in COSE, with the size of r and of s (RFC 9053 section 2.1).
var ecdsaAlgorithms = map[int]struct {
	hash   crypto.Hash
	number int
}{-7: {crypto.SHA256, 32}, -35: {crypto.SHA384, 48}}

func readSign1(raw []byte, claims any) (coseSign1, error) {
	var out coseSign1
	var tag cbor.RawTag
	if err := cbor.Unmarshal(raw, &tag); err != nil || tag.Number != sign1Tag {
		return out, errors.New("a member is not COSE_Sign1")
	}
	if err := cbor.Unmarshal(tag.Content, &out); err != nil {
		return out, err
	}
	return out, cbor.Unmarshal(out.Payload, claims)
}

func (s coseSign1) verify(key *ecdsa.PublicKey) error {
	var header struct {
		Algorithm int `cbor:"1,keyasint"`
	}
	if err := cbor.Unmarshal(s.Protected, &header); err != nil {
		return err
	}
	algorithm, isKnown := ecdsaAlgorithms[header.Algorithm]
	if !isKnown || len(s.Signature) != 2*algorithm.number {
		return fmt.Errorf("algorithm %d with a signature of %d bytes", header.Algorithm, len(s.Signature))
	}
	message, err := cbor.Marshal([]any{"Signature1", s.Protected, []byte{}, s.Payload})
	if err != nil {
		return err
	}
	hash := algorithm.hash.New()
	hash.Write(message)
	r, t := new(big.Int).SetBytes(s.Signature[:algorithm.number]), new(big.Int).SetBytes(s.Signature[algorithm.number:])
	if !ecdsa.Verify(key, hash.Sum(nil), r, t) {
		return errors.New("the signature is wrong")
	}
	return nil
}

// ParseCCA takes both forms of the collection: tag 907, whose members name their content-format, and
// tag 399, which was before it.
func ParseCCA(raw []byte) (*CCAToken, error) {
	var tag cbor.RawTag
	var members map[int]cbor.RawMessage
	if err := cbor.Unmarshal(raw, &tag); err != nil {
		return nil, err
	}
	if tag.Number != collectionTag && tag.Number != oldCollectionTag {
		return nil, fmt.Errorf("tag %d", tag.Number)
	}
	if err := cbor.Unmarshal(tag.Content, &members); err != nil {
		return nil, err
	}
	member := func(label int) ([]byte, error) {
		var typed struct {
			_       struct{} `cbor:",toarray"`
			Format  uint16
			Content []byte
		}
		if tag.Number == collectionTag {
			err := cbor.Unmarshal(members[label], &typed)
			return typed.Content, err
		}
		err := cbor.Unmarshal(members[label], &typed.Content)
		return typed.Content, err
	}
	var out CCAToken
	platform, err := member(platformLabel)
	if err == nil {
		out.platformSign, err = readSign1(platform, &out.Platform)
	}
	if err != nil {
		return nil, fmt.Errorf("platform token: %w", err)
	}
	realm, err := member(realmLabel)
	if err == nil {
		out.realmSign, err = readSign1(realm, &out.Realm)
	}
	if err != nil {
		return nil, fmt.Errorf("realm token: %w", err)
	}
	return &out, nil
}

func (r CCARealm) publicKey() (*ecdsa.PublicKey, error) {
	key := &ecdsa.PublicKey{Curve: elliptic.P384()}
	if r.Profile == nil {
		key.X, key.Y = elliptic.Unmarshal(key.Curve, r.Key)
	} else {
		var cose struct {
			Curve int    `cbor:"-1,keyasint"`
			X     []byte `cbor:"-2,keyasint"`
			Y     []byte `cbor:"-3,keyasint"`
		}
		if err := cbor.Unmarshal(r.Key, &cose); err != nil {
			return nil, err
		}
		key.X, key.Y = new(big.Int).SetBytes(cose.X), new(big.Int).SetBytes(cose.Y)
	}
	if key.X == nil || !key.Curve.IsOnCurve(key.X, key.Y) {
		return nil, errors.New("the realm's key is not on P-384")
	}
	return key, nil
}

// Verify checks the platform's signature, that the platform vouches for the realm's key, and that
// key's signature.
func (t CCAToken) Verify(platformKey []byte) error {
	block, _ := pem.Decode(platformKey)
	if block == nil {
		return errors.New("no key of the platform")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	key, isEC := parsed.(*ecdsa.PublicKey)
	if !isEC {
		return fmt.Errorf("the platform's key is %T", parsed)
	}
	if err := t.platformSign.verify(key); err != nil {
		return fmt.Errorf("platform token: %w", err)
	}
	hashes := map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}
	named, isKnown := hashes[t.Realm.KeyHashNamed]
	if !isKnown {
		return fmt.Errorf("the realm's key is hashed with %q", t.Realm.KeyHashNamed)
	}
	hash := named.New()
	hash.Write(t.Realm.Key)
	if !bytes.Equal(hash.Sum(nil), t.Platform.Challenge) {
		return errors.New("the platform vouches for another realm's key")
	}
	if key, err = t.Realm.publicKey(); err != nil {
		return err
	}
	if err := t.realmSign.verify(key); err != nil {
		return fmt.Errorf("realm token: %w", err)
	}
	return nil
}

// IsSecured says that no debugger of the platform can look in.
func (p CCAPlatform) IsSecured() bool {
	return p.Lifecycle >= securedFrom && p.Lifecycle <= securedTo
}

// Facts of the token.
func (t CCAToken) Facts() map[string]any {
	components := []string{}
	for _, one := range t.Platform.Software {
		components = append(components, hex.EncodeToString(one.Measurement))
	}
	facts := map[string]any{
		"rim":               hex.EncodeToString(t.Realm.RIM),
		"rpv":               hex.EncodeToString(t.Realm.RPV),
		"implementation_id": hex.EncodeToString(t.Platform.ImplementationID),
		"instance_id":       hex.EncodeToString(t.Platform.InstanceID),
		"lifecycle":         t.Platform.Lifecycle,
		"components":        components,
		"config":            hex.EncodeToString(t.Platform.Config),
	}
	for i, value := range t.Realm.REM {
		facts[fmt.Sprintf("rem%d", i)] = hex.EncodeToString(value)
	}
	return facts
}

// JudgeCCA takes tokens of secured platforms.
func JudgeCCA(asked Question) Verdict {
	token, err := ParseCCA(asked.Report)
	if err != nil {
		return verdict(err, nil, nil)
	}
	if err = token.Verify(asked.Root); err == nil && !token.Platform.IsSecured() {
		err = fmt.Errorf("lifecycle 0x%04x", token.Platform.Lifecycle)
	}
	if err == nil && asked.ReportData != nil && !bytes.Equal(asked.ReportData, token.Realm.Challenge) {
		err = fmt.Errorf("challenge is %x, expected %x", token.Realm.Challenge, asked.ReportData)
	}
	return verdict(err, token.Facts(), token.Realm.Challenge)
}
