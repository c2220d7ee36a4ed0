// Telnyx's Go SDK. Its uploads lack all fields, so the story passes the body itself.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"mime/multipart"
	"os"
	"strings"

	"github.com/team-telnyx/telnyx-go/v4"
	"github.com/team-telnyx/telnyx-go/v4/option"
)

var (
	ctx    = context.Background()
	client = telnyx.NewClient(
		option.WithBaseURL(os.Getenv("MOCKVOICE_URL")+"/telnyx/v2"),
		option.WithAPIKey("KEY"),
	)
)

func clone(language string) (string, error) {
	sample, err := os.ReadFile(os.Getenv("SAMPLE"))
	check(err == nil, err)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, _ := form.CreateFormFile("audio_file", "sample.wav")
	file.Write(sample)
	form.WriteField("name", "narrator")
	form.WriteField("language", language)
	form.WriteField("gender", "male")
	form.WriteField("provider", "telnyx")
	form.Close()
	created, err := client.VoiceClones.NewFromUpload(
		ctx,
		telnyx.VoiceCloneNewFromUploadParams{},
		option.WithRequestBody(form.FormDataContentType(), body.Bytes()),
	)
	if err != nil {
		return "", err
	}
	return created.Data.ID, nil
}

func ids() (found []string) {
	pages := client.VoiceClones.ListAutoPaging(ctx, telnyx.VoiceCloneListParams{})
	for pages.Next() {
		found = append(found, pages.Current().ID)
	}
	check(pages.Err() == nil, "list", pages.Err())
	return found
}

// check ends the program if a condition is false.
func check(condition bool, found ...any) {
	if !condition {
		log.Fatal(found...)
	}
}

func main() {
	id, err := clone("en")
	check(err == nil, err)
	fmt.Println("clone")
	found := ids()
	check(len(found) == 1 && found[0] == id, found)
	fmt.Println("list")
	err = client.VoiceClones.Delete(ctx, id)
	check(err == nil, err)
	fmt.Println("delete")
	var failure *telnyx.Error
	err = client.VoiceClones.Delete(ctx, id)
	check(errors.As(err, &failure) && failure.StatusCode == 404, err)
	fmt.Println("unknown")
	_, err = clone("EN")
	check(errors.As(err, &failure) && failure.StatusCode == 422, err)
	check(strings.Contains(failure.RawJSON(), "/language"), failure.RawJSON())
	fmt.Println("invalid")
	found = ids()
	check(len(found) == 0, found)
	fmt.Println("retry")
}
