package console

import (
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"strings"
	"time"
)

// pages are the templates by language.
type pages map[string]map[string]*template.Template

// parsePages reads the templates: each page is a file that defines "main", inside of layout.html; files that begin with "_" are shared parts.
func parsePages() (pages, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	var shared []string
	for _, n := range names {
		if strings.HasPrefix(n, "templates/_") {
			shared = append(shared, n)
		}
	}
	out := pages{}
	for _, lang := range []string{"en", "zh-CN"} {
		out[lang] = map[string]*template.Template{}
		base, err := template.New("_layout.html").Funcs(functions(lang)).ParseFS(files, shared...)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		for _, n := range names {
			page := strings.TrimSuffix(strings.TrimPrefix(n, "templates/"), ".html")
			if strings.HasPrefix(page, "_") {
				continue
			}
			t, err := base.Clone()
			if err == nil {
				t, err = t.ParseFS(files, n)
			}
			if err != nil {
				return nil, fmt.Errorf("template %s: %w", page, err)
			}
			out[lang][page] = t
		}
		out[lang]["_"] = base
	}
	return out, nil
}

func (p pages) execute(w io.Writer, lang, page string, data any) error {
	return p[lang][page].ExecuteTemplate(w, "_layout.html", data)
}

// part writes one of the shared parts.
func (p pages) part(w io.Writer, lang, name string, data any) error {
	return p[lang]["_"].ExecuteTemplate(w, name, data)
}

func functions(lang string) template.FuncMap {
	return template.FuncMap{
		"t": func(text string, args ...any) string { return translate(lang, text, args...) },
		// Pictures come from render, which escapes all text and makes no scripts; texts come from its sanitiser.
		//lint:ignore G203 see above
		"picture": func(svg []byte) template.HTML { return template.HTML(svg) },
		//lint:ignore G203 see above
		"clean":  func(html string) template.HTML { return template.HTML(html) },
		"pair":   func(a, b any) []any { return []any{a, b} },
		"triple": func(a, b, c any) []any { return []any{a, b, c} },
		"clock":  func(t time.Time) string { return t.Format("01-02 15:04:05") },
	}
}

func (r *request) t(text string, args ...any) string { return translate(r.Lang, text, args...) }

func translate(lang, text string, args ...any) string {
	if lang == "zh-CN" {
		if zh, ok := chinese[text]; ok {
			text = zh
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}
