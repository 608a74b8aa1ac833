// A worker of Wasm Workers Server: reads its request as JSON, prints its answer as JSON, and counts visits by name.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

type request struct {
	KV     map[string]string `json:"kv"`
	Params map[string]string `json:"params"`
}

type answer struct {
	Data    string            `json:"data"`
	Headers map[string]string `json:"headers"`
	Status  int               `json:"status"`
	KV      map[string]string `json:"kv"`
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	name := asked.Params["name"]
	count, _ := strconv.Atoi(asked.KV[name])
	asked.KV[name] = strconv.Itoa(count + 1)

	json.NewEncoder(os.Stdout).Encode(answer{
		Data:    fmt.Sprintf("%s %s, visit %d\n", os.Getenv("GREETING"), name, count+1),
		Headers: map[string]string{"content-type": "text/plain"},
		Status:  200,
		KV:      asked.KV,
	})
}
