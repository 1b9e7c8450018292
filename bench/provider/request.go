package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// request is the little this provider reads of an HTTP request.
type request struct {
	path string
	body []byte
}

var errTooLarge = errors.New("request larger than 4 MiB")

const maxRequest = 4 << 20

// parse takes one request from the front of data. It returns the bytes it used, 0 if more are needed.
func parse(data []byte) (request, int, error) {
	if len(data) > maxRequest {
		return request{}, 0, errTooLarge
	}
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return request{}, 0, nil
	}
	head, bodyAt := data[:end], end+4
	length, err := contentLength(head)
	if err != nil || len(data) < bodyAt+length {
		return request{}, 0, err
	}
	path, err := pathOf(head)
	return request{path, data[bodyAt : bodyAt+length]}, bodyAt + length, err
}

func pathOf(head []byte) (string, error) {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	words := bytes.Split(line, []byte(" "))
	if len(words) != 3 {
		return "", fmt.Errorf("not a request line: %q", line)
	}
	return string(words[1]), nil
}

func contentLength(head []byte) (int, error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			return strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if bytes.EqualFold(name, []byte("transfer-encoding")) {
			return 0, errors.New("a chunked request body: send a content-length")
		}
	}
	return 0, nil
}

// modelOf finds the model in the body. The usual place of the key is found by a scan, which is cheaper
// than decoding the whole prompt; anything else is decoded as JSON.
func modelOf(body []byte) (string, error) {
	const key = `"model":`
	if at := bytes.Index(body, []byte(key+`"`+planPrefix)); at >= 0 {
		name, _, closed := bytes.Cut(body[at+len(key)+1:], []byte(`"`))
		if closed {
			return string(name), nil
		}
	}
	var fields struct{ Model string }
	err := json.Unmarshal(body, &fields)
	return fields.Model, err
}
