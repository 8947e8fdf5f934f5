module interop/verifier

go 1.19

require (
	github.com/fxamacker/cbor/v2 v2.5.0
	github.com/google/go-sev-guest v0.15.0
	github.com/google/go-tpm v0.3.3
	github.com/google/uuid v1.6.0
	interop/tee v0.0.0
)

require (
	github.com/google/go-tdx-guest v0.3.1 // indirect
	github.com/google/logger v1.1.1 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/crypto v0.17.0 // indirect
	golang.org/x/sys v0.15.0 // indirect
	google.golang.org/protobuf v1.33.0 // indirect
)

replace interop/tee => ../tee
