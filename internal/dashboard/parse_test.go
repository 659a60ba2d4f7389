package dashboard

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, src string) *Document {
	t.Helper()
	d, err := Parse("f.json", []byte(src))
	require.NoError(t, err)
	return d
}

func TestEveryLeafHasAPointerAndAPosition(t *testing.T) {
	d := parse(t, "{\n  \"a\": [1, \"zwei\", {\"b/~\": null}],\n  \"é\": {},\n  \"x\": true\n}\n")
	type leaf struct{ pointer, pos, raw string }
	var got []leaf
	for n := range d.Root.Leaves() {
		got = append(got, leaf{n.Pointer(), n.Pos().String(), n.Raw()})
		require.Same(t, n, d.Root.Find(n.Pointer()))
	}
	require.Equal(t, []leaf{
		{"/a/0", "f.json:2:9", "1"},
		{"/a/1", "f.json:2:12", `"zwei"`},
		{"/a/2/b~1~0", "f.json:2:28", "null"},
		{"/é", "f.json:3:8", "{}"},
		{"/x", "f.json:4:8", "true"},
	}, got)
	require.Equal(t, "f.json:4:3", d.Root.Get("x").KeyPos().String())
}

func TestWrongJSONIsNamedWithLineAndColumn(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"", "f.json:1:1: the file is empty"},
		{"{\n \"a\": 1,\n}", "f.json:3:1: a comma before '}'; remove it"},
		{"[1,]", "f.json:1:4: a comma before ']'; remove it"},
		{"{\"a\" 1}", "f.json:1:6: '1' where ':' should be after \"a\""},
		{"{\"a\": 1 \"b\": 2}", "f.json:1:9: '\"' where ',' or '}' should be"},
		{"{\"a\": [1\n", "f.json:2:1: the file ends inside the array that began on line 1"},
		{"{\"a\": 1", "f.json:1:8: the file ends inside the object that began on line 1"},
		{"{\"ä\": \"ö\", x}", "f.json:1:12: 'x' where a member name in double quotes should be"},
		{"{\"a\": \"b\nc\"}", "f.json:1:7: a string that is not closed on its line"},
		{"{\"a\": \"b\tc\"}", "f.json:1:9: control character 0x09 inside a string; write it as \\u0009"},
		{"{\"a\": \"\\q\"}", "f.json:1:8: unknown escape \\q inside a string"},
		{"{\"a\": \"\\u12\"}", "f.json:1:8: \\u without four hexadecimal digits"},
		{"{\"a\": 01}", "f.json:1:7: a number with a leading zero"},
		{"{\"a\": 1.}", "f.json:1:9: '}' where a digit should be"},
		{"{\"a\": NaN}", "f.json:1:7: 'N' where a value should be"},
		{"{} {}", "f.json:1:4: '{' after the end of the document"},
		{"{\n<<<<<<< HEAD\n", "f.json:2:1: an unresolved merge conflict where a member name in double quotes should be"},
		{"\xff\xfe{\x00", "f.json:1:1: the file is UTF-16; save it as UTF-8"},
		{"{\"a\": \"b\xff\"}", "f.json:1:9: byte 0xff is not UTF-8"},
		{strings.Repeat("[", 100_000), "f.json:1:513: values nest deeper than 512 levels"},
	} {
		_, err := Parse("f.json", []byte(tt.src))
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax)
		require.EqualError(t, err, tt.want)
	}
}

func TestOfDuplicateMembersTheLastCounts(t *testing.T) {
	d := parse(t, `{"a": 1, "b": 2, "a": 3}`)
	require.Equal(t, "3", d.Root.Get("a").Literal())
	require.Len(t, d.Duplicates, 1)
	require.Equal(t, "f.json:1:18", d.Duplicates[0].KeyPos().String())
	require.JSONEq(t, `{"a": 3, "b": 2}`, d.Root.Compact())
}

func TestStringsAreDecodedLikeEncodingJSON(t *testing.T) {
	for _, src := range []string{`"a\"\\\/\b\f\n\r\tz"`, `"\u00e9\u4e2d"`, `"\ud83d\ude00!"`, `"\ud83d!"`, `"\ude00\ud83d"`, `"报警"`, `"\u0000"`} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(src), &want))
		require.Equal(t, want, parse(t, src).Root.Text(), src)
	}
}

func TestPositionInsideAStringSkipsEscapes(t *testing.T) {
	d := parse(t, `{"e": "a{b=\"\u4e2d\"} + x"}`)
	n := d.Root.Get("e")
	require.Equal(t, "a{b=\"中\"} + x", n.Text())
	require.Equal(t, d.Source[:strings.Index(d.Source, "+")], d.Source[:n.PosIn(strings.Index(n.Text(), "+")).Column-1])
}

func TestWritingKeepsOrderAndMatchesJSONStringify(t *testing.T) {
	src := `{"z":1.0,"a":[],"o":{},"n":[1e3,-0.0,1e21,0.0000001,12345678901234567890,1.50],"s":"<&>\u2028\u0001é"}`
	want := "{\n  \"z\": 1,\n  \"a\": [],\n  \"o\": {},\n  \"n\": [\n    1000,\n    0,\n    1e+21,\n    1e-7,\n    12345678901234567890,\n    1.5\n  ],\n  \"s\": \"<&>\u2028\\u0001é\"\n}\n"
	d := parse(t, src)
	require.Equal(t, want, string(d.Root.JSON()))
	require.Equal(t, want, string(parse(t, want).Root.JSON()))
	require.True(t, Equal(d.Root, parse(t, want).Root))
}

func TestEditing(t *testing.T) {
	d := parse(t, `{"list": [1, 2, 3], "keep": "x"}`)
	list := d.Root.Get("list")
	list.RemoveAt(0)
	list.Insert(1, "", NewString("new"))
	list.Append(NewBool(true))
	d.Root.Set("keep", NewNull())
	d.Root.Set("last", NewNumber(0.5))
	require.Equal(t, `{"list":[2,"new",3,true],"keep":null,"last":0.5}`, d.Root.Compact())
	require.Equal(t, "/list/2", list.At(2).Pointer())
	c := d.Root.Clone()
	c.Get("list").At(0).Replace(NewInt(9))
	require.False(t, Equal(c, d.Root))
	require.True(t, d.Root.Remove("list"))
	require.Equal(t, `{"list":[9,"new",3,true],"keep":null,"last":0.5}`, c.Compact())
	require.Panics(t, func() { d.Root.Set("again", c.Get("list")) })
}

func TestNilNodesAnswer(t *testing.T) {
	var n *Node
	require.Nil(t, n.Get("a").At(3).Path("b", "c").Find("/d"))
	require.Equal(t, "", n.Text()+n.Literal()+n.Scalarish()+n.Pointer()+n.Raw()+n.Key())
	require.Zero(t, n.Pos())
	require.True(t, Equal(n, nil))
	require.False(t, Equal(n, NewNull()))
}

// FuzzParse holds the reader against encoding/json: both accept the same documents, and writing keeps the meaning.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9",null,true,{}]}`, `{"a":1,"a":2}`, "\ufeff[]", `"\ud800"`, `[1,]`, `{"panels":[{"type":"row","panels":[{"id":"1"}]}],"rows":[{"panels":[{"span":4}]}],"title":"x","schemaVersion":"16"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("f", data)
		trimmed := strings.TrimPrefix(string(data), "\ufeff")
		var want any
		jsonErr := json.Unmarshal([]byte(trimmed), &want)
		if err != nil {
			var syntax *SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.GreaterOrEqual(t, syntax.Line, 1)
			require.GreaterOrEqual(t, syntax.Column, 1)
			tolerated := strings.Contains(syntax.Msg, "UTF-8") || strings.Contains(syntax.Msg, "deeper") || strings.Contains(syntax.Msg, "UTF-16")
			require.True(t, jsonErr != nil || tolerated, "encoding/json accepts what we refuse: %v", err)
			return
		}
		if jsonErr != nil { // numbers that float64 cannot hold are JSON all the same
			var typed *json.UnmarshalTypeError
			require.True(t, errors.As(jsonErr, &typed), "we accept what encoding/json refuses: %v", jsonErr)
			return
		}
		out := d.Root.JSON()
		again, err := Parse("f", out)
		require.NoError(t, err)
		require.True(t, Equal(d.Root, again.Root))
		require.Equal(t, string(out), string(again.Root.JSON()), "writing is not a fixed point")
		for n := range d.Root.Leaves() {
			n.Pos()
			n.PosIn(len(n.Text()))
		}
		if m, err := Read(d); err == nil {
			once := m.Canonical()
			m2, err := Load("f", once)
			require.NoError(t, err)
			require.Equal(t, string(once), string(m2.Canonical()))
		}
	})
}
