package telnyx_test

import (
	"net/http"
	"os"
	"testing"
)

// freshSandbox replaces t.Skip in the generated tests: it resets the mock.
func freshSandbox(t *testing.T) {
	response, err := http.Post(os.Getenv("MOCKVOICE_RESET"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}
