module interop/verifier

go 1.19

require (
	github.com/fxamacker/cbor/v2 v2.5.0
	github.com/google/go-tpm v0.3.3
	github.com/google/uuid v1.6.0
)

require (
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/sys v0.0.0-20210629170331-7dc0b73dc9fb // indirect
)
