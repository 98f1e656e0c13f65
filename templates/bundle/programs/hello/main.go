// hello answers every request with where it runs: enough to see that a pod is up on each node and
// that its service answers.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "pod=%s node=%s\n", host, os.Getenv("NODE_NAME"))
	})
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
