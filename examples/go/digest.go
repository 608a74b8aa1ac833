// Answers with JSON: how long the posted body is, its SHA-256, and who asked for what. The meta-variables are the
// environment, the body is standard input; net/http/cgi would do as well, and make the module four times as large.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type answer struct {
	Method   string `json:"method"`
	PathInfo string `json:"path_info"`
	Query    string `json:"query"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
}

func main() {
	digest := sha256.New()
	length, err := io.Copy(digest, os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "reading the body:", err)
		os.Exit(1) // no head was written: the gateway answers 502 and logs the line above
	}
	fmt.Print("Content-Type: application/json\r\n\r\n")
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	encoder.Encode(answer{
		Method:   os.Getenv("REQUEST_METHOD"),
		PathInfo: os.Getenv("PATH_INFO"),
		Query:    os.Getenv("QUERY_STRING"),
		Bytes:    length,
		SHA256:   hex.EncodeToString(digest.Sum(nil)),
	})
}
