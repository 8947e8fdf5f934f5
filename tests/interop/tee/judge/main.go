// judge -kind KIND -report FILE: says whether the report is good, in the last line of its output, which
// is a JSON document. What the libraries warn of stands before it.
package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"log"
	"os"
	"time"

	"interop/tee"
)

// What kernels call the firmware.
var providers = map[string]string{"snp": "sev_guest", "tdx": "tdx_guest"}

func content(file string) []byte {
	if file == "" {
		return nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	return raw
}

func main() {
	log.SetFlags(0)
	kind := flag.String("kind", "", "snp, tdx or cca")
	report := flag.String("report", "", "file: as the hardware signed it")
	certificates := flag.String("certificates", "", "file: the host's table (snp)")
	evidence := flag.String("evidence", "", "file: a TSM report, in place of both")
	root := flag.String("root", "", "PEM file: root certificate; the platform's public key (cca)")
	collateral := flag.String("collateral", "", "JSON file (tdx)")
	reportData := flag.String("report-data", "", "in hexadecimal; any if not given")
	vmpl := flag.Int("vmpl", 0, "that asked for it (snp)")
	at := flag.Int64("at", time.Now().Unix(), "seconds since 1970")
	flag.Parse()

	judge, isKnown := tee.Judges[*kind]
	if !isKnown {
		log.Fatalf("no kind %q", *kind)
	}
	asked := tee.Question{Report: content(*report), Certificates: content(*certificates), Root: content(*root),
		Collateral: content(*collateral), VMPL: *vmpl, At: time.Unix(*at, 0)}
	if *evidence != "" {
		read, err := tee.ParseTSMReport(content(*evidence))
		if err != nil {
			log.Fatal(err)
		}
		if read.Provider != providers[*kind] {
			log.Fatalf("provider %q", read.Provider)
		}
		asked.Report, asked.Certificates = read.Report, read.Certificates
	}
	if *reportData != "" {
		var err error
		if asked.ReportData, err = hex.DecodeString(*reportData); err != nil {
			log.Fatal(err)
		}
	}
	json.NewEncoder(os.Stdout).Encode(judge(asked))
}
