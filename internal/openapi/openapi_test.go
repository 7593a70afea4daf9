package openapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

type animal struct {
	Name  string    `json:"name"`
	Legs  []int     `json:"legs"`
	Kind  kind      `json:"kind"`
	Owner *owner    `json:"owner"`
	Old   *owner    `json:"old,omitempty"`
	Born  time.Time `json:"born"`
	Note  string    `json:"note,omitempty"`
}

type owner struct {
	Name string `json:"name"`
}

type kind string

func entries(taken bool) []Entry {
	return []Entry{
		{Name: "Animal", Type: reflect.TypeFor[animal](), About: "An animal.", Taken: taken, Fields: map[string]string{
			"name": "its name", "legs": "its legs", "kind": "its kind", "owner": "whose", "old": "whose before", "born": "when", "note": "more",
		}},
		{Name: "Owner", Type: reflect.TypeFor[owner](), Fields: map[string]string{"name": "the name"}},
		{Name: "Kind", Type: reflect.TypeFor[kind](), Enum: []string{"cat", "dog"}},
	}
}

// zoo is a document of one path.
func zoo(t *testing.T, taken bool) *Checker {
	t.Helper()
	var b Book
	b.Add(entries(taken)...)
	schemas, err := b.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(Document{
		OpenAPI: Version, Info: Info{Title: "Zoo", Version: "1"}, Components: Components{Schemas: schemas},
		Paths: map[string]map[string]*Operation{
			"/animals/{id}": {"get": {ID: "animal", Responses: map[string]*Response{
				"200": {Description: "The animal.", Headers: map[string]*Header{"Age": {Required: true, Schema: &Schema{Type: "integer"}}}, Content: map[string]*Media{
					"application/json":  {Schema: Ref("Animal")},
					"text/event-stream": {Events: map[string]*Schema{"born": Ref("Animal")}},
				}},
				"204": {Description: "None."},
			}}},
			"/animals/all": {"get": {ID: "all", Responses: map[string]*Response{"200": {Description: "All."}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewChecker(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const cat = `{"name":"Tom","legs":[],"kind":"cat","owner":null,"born":"2026-01-01T00:00:00Z"}`

func TestCheck(t *testing.T) {
	c := zoo(t, false)
	for _, tt := range []struct {
		name, method, path string
		status             int
		kind, age, body    string
		want               string
	}{
		{"right", "GET", "/animals/1", 200, "application/json", "3", cat, ""},
		{"right, with an owner", "GET", "/animals/1", 200, "application/json", "3", strings.Replace(cat, `"owner":null`, `"owner":{"name":"Ann"}`, 1), ""},
		{"a head", "HEAD", "/animals/1", 200, "application/json", "3", "", ""},
		{"nothing", "GET", "/animals/1", 204, "", "", "", ""},
		{"events", "GET", "/animals/1", 200, "text/event-stream", "3", ": hm\n\nevent: born\ndata: " + cat + "\n\n", ""},
		{"refused elsewhere", "GET", "/plants", 404, "", "", "", ""},
		{"refused method", "PUT", "/animals/1", 405, "", "", "", ""},

		{"no such path", "GET", "/plants", 200, "", "", "", "no such path"},
		{"no such method", "PUT", "/animals/1", 200, "", "", "", "no such method"},
		{"no such status", "GET", "/animals/1", 201, "", "", "", "does not have this status"},
		{"no such status of the narrower path", "GET", "/animals/all", 204, "", "", "", "does not have this status"},
		{"header missing", "GET", "/animals/1", 200, "application/json", "", cat, "Age: it is missing"},
		{"header wrong", "GET", "/animals/1", 200, "application/json", "old", cat, "no whole number"},
		{"another media type", "GET", "/animals/1", 200, "text/plain", "3", cat, "does not have the Content-Type"},
		{"no media type", "GET", "/animals/1", 200, "", "3", cat, "Content-Type"},
		{"no JSON", "GET", "/animals/1", 200, "application/json", "3", "x", "not JSON"},
		{"a body too much", "GET", "/animals/1", 204, "", "", "x", "no body"},
		{"a member too much", "GET", "/animals/1", 200, "application/json", "3", strings.Replace(cat, `{`, `{"x":1,`, 1), "schema"},
		{"a member too few", "GET", "/animals/1", 200, "application/json", "3", strings.Replace(cat, `"name":"Tom",`, ``, 1), "name"},
		{"a list that is null", "GET", "/animals/1", 200, "application/json", "3", strings.Replace(cat, `[]`, `null`, 1), "legs"},
		{"not of the list", "GET", "/animals/1", 200, "application/json", "3", strings.Replace(cat, `"cat"`, `"cow"`, 1), "Kind"},
		{"null for what may be absent", "GET", "/animals/1", 200, "application/json", "3", strings.Replace(cat, `{`, `{"old":null,`, 1), "old"},
		{"another event", "GET", "/animals/1", 200, "text/event-stream", "3", "event: died\ndata: {}\n\n", "does not have"},
		{"a wrong event", "GET", "/animals/1", 200, "text/event-stream", "3", "event: born\ndata: {}\n\n", "event 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.kind != "" {
				h.Set("Content-Type", tt.kind)
			}
			if tt.age != "" {
				h.Set("Age", tt.age)
			}
			err := c.Check(Answer{Method: tt.method, Path: tt.path, Status: tt.status, Header: h, Body: []byte(tt.body)})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What requests hold may be null where it may be left out, and has no members
// but its own.
func TestTaken(t *testing.T) {
	c := zoo(t, true)
	for body, want := range map[string]bool{
		cat: true,
		strings.Replace(cat, `{`, `{"old":null,"note":null,`, 1): true,
		strings.Replace(cat, `"Tom"`, `null`, 1):                 false,
		strings.Replace(cat, `{`, `{"x":1,`, 1):                  false,
	} {
		if err := c.Named("Animal", []byte(body)); (err == nil) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := c.Named("Plant", []byte("{}")); err == nil {
		t.Error("a schema that is not there takes everything")
	}
}

func TestWhatIsSaidMustBeThere(t *testing.T) {
	var b Book
	b.Add(
		Entry{Name: "Owner", Type: reflect.TypeFor[owner](), Fields: map[string]string{"name": "a", "age": "b"}},
		Entry{Name: "Animal", Type: reflect.TypeFor[animal](), Fields: map[string]string{}},
		Entry{Name: "Kind", Type: reflect.TypeFor[kind](), Enum: []string{"a"}},
		Entry{Name: "Kind", Type: reflect.TypeFor[http.Header](), Enum: []string{"b"}},
	)
	_, err := b.Schemas()
	for _, want := range []string{"Owner: there is no field age", "nothing is said of the field legs", "two entries are called Kind"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestReferencesLeadSomewhere(t *testing.T) {
	for name, text := range map[string]string{
		"a schema":   `{"paths":{"/":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/None"}}}}}}}}}`,
		"a response": `{"paths":{"/":{"get":{"responses":{"200":{"$ref":"#/components/responses/None"}}}}}}`,
		"an example": `{"paths":{"/":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"type":"string"},"examples":{"a":{"value":1}}}}}}}}}}`,
		"no JSON":    `{`,
	} {
		if _, err := NewChecker([]byte(text)); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
}
