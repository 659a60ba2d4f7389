// What makes the console's pages live. They can be read without it.
"use strict";
(() => {
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const root = document.documentElement, base = document.body.dataset.base;
  root.classList.add("js");

  // The reader's time zone, for axes and times. A page that was made for another one is made again.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  const cookie = (name) => (document.cookie.match("(?:^|; )" + name + "=([^;]*)") || [])[1];
  const keep = (name, value) => { document.cookie = name + "=" + encodeURIComponent(value) + ";path=" + (base || "") + "/;max-age=31536000;samesite=strict"; };
  if (zone && decodeURIComponent(cookie("lookout_tz") || "") !== zone) {
    keep("lookout_tz", zone);
    if (cookie("lookout_tz") && $("time, #board, #tz") && !document.body.dataset.again) return location.reload();
  }

  // Light and dark.
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  $("#theme")?.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    keep("lookout_theme", root.dataset.theme);
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());

  // Menus close when something else is meant.
  document.addEventListener("click", (e) => { for (const m of $$("details.menu[open]")) if (!m.contains(e.target)) m.open = false; });
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    const open = $("details.menu[open]");
    if (open) { open.open = false; $("summary", open).focus(); } else if ($("#leave")) $("#leave").click();
  });

  // Lists are searched while one types.
  const search = $("#search"), folders = $("#folders");
  if (search && folders) {
    const all = $$("li", folders).map((li) => [li, (li.textContent + " " + $("h2", li.closest(".folder")).textContent).toLowerCase()]);
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const [li, text] of all) { li.hidden = !words.every((w) => text.includes(w)); if (!li.hidden) n++; }
      for (const f of $$(".folder", folders)) f.hidden = !$("li:not([hidden])", f);
      $("#shown").textContent = n;
    });
  }

  // Pages of lists are made again every few seconds, unless the reader is in the middle of something.
  const live = $("#live");
  if (live) {
    const again = async () => {
      if (document.hidden || $("details.menu[open]") || (document.activeElement && live.contains(document.activeElement)) || !getSelection().isCollapsed) return;
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = $("#live", page);
        if (!answer.ok || !fresh) return;
        live.replaceChildren(...fresh.childNodes);
        for (const s of ["nav", "title"]) { const x = $(s, page); if (x && $(s)) $(s).replaceWith(x); }
        say("");
      } catch { say("gone"); }
    };
    setInterval(again, +live.dataset.every * 1000);
  }

  const words = { gone: document.documentElement.lang === "zh-CN" ? "控制台没有应答，显示的是之前的内容。" : "The console does not answer; what is shown is from before." };
  function say(what) {
    let p = $("#gone");
    if (!what) return p?.remove();
    if (!p) { p = document.createElement("p"); p.id = "gone"; p.className = "notice error"; $("#notices").append(p); }
    p.textContent = words[what] || what;
  }

  // The form of a silence.
  const silence = $("#silence");
  if (silence) {
    if (zone) $("#tz").value = zone;
    const rows = $("#matchers");
    $("#add").addEventListener("click", () => {
      const row = $(".matcher", rows).cloneNode(true);
      for (const i of $$("input", row)) { i.value = ""; i.removeAttribute("value"); }
      rows.append(row);
      $("input", row).focus();
    });
    rows.addEventListener("click", (e) => {
      const row = e.target.closest(".remove")?.closest(".matcher");
      if (!row) return;
      if ($$(".matcher", rows).length > 1) row.remove(); else for (const i of $$("input", row)) i.value = "";
    });
  }

  const board = $("#board");
  if (!board) return;
  const uid = encodeURIComponent(board.dataset.uid);

  // Parameters that name what is looked at; the address holds all of it.
  const params = () => {
    const q = new URLSearchParams(location.search);
    if (!root.dataset.theme) q.set("scheme", dark() ? "dark" : "light"); else q.set("theme", root.dataset.theme);
    return q;
  };
  const visit = (change) => {
    const q = new URLSearchParams(location.search);
    for (const [k, v] of Object.entries(change)) v === null ? q.delete(k) : q.set(k, v);
    location.assign(location.pathname + "?" + q);
  };

  const panels = $$(".panel:not([data-static])");
  const state = new Map(panels.map((p) => [p.dataset.key, { el: p, body: $(".body", p), seen: false, drawn: "", values: null, tries: 0 }]));
  const want = (s) => {
    const w = Math.round(s.body.clientWidth - 20), h = Math.round(s.body.clientHeight - 8);
    return w > 40 && h > 20 ? Math.max(w, 120) + "x" + Math.max(h, 20) : "";
  };

  let running = null, pending = new Set(), timer = 0;
  const ask = (keys) => { for (const k of keys) pending.add(k); clearTimeout(timer); timer = setTimeout(fetchPanels, 15); };
  async function fetchPanels() {
    if (!pending.size) return;
    const keys = [...pending].slice(0, 40);
    for (const k of keys) pending.delete(k);
    const q = params();
    let n = 0;
    for (const k of keys) {
      const s = state.get(k), size = want(s);
      if (!size) continue;
      q.append("p", k + ":" + size);
      s.asked = size;
      n++;
    }
    if (pending.size) timer = setTimeout(fetchPanels, 0);
    if (!n) return;
    // Slow answers are said before a reader wonders; the server says it, too, but may itself be gone.
    const slow = setTimeout(() => { for (const k of keys) state.get(k).el.classList.add("loading"); }, 700);
    try {
      const answer = await fetch(base + "/panels/" + uid + "?" + q, { signal: running?.signal });
      if (!answer.ok) throw new Error(answer.status);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { done, value } = await reader.read();
        rest += value || "";
        const lines = rest.split("\n");
        rest = lines.pop();
        for (const l of lines) if (l) show(JSON.parse(l));
        if (done) break;
      }
      say("");
    } catch (e) {
      if (e.name !== "AbortError") { say("gone"); setTimeout(() => ask(keys), 5000); }
    } finally {
      clearTimeout(slow);
      for (const k of keys) state.get(k)?.el.classList.remove("loading");
    }
  }

  function show(p) {
    const s = state.get(p.key);
    if (!s) return;
    // A picture that fails while an older one is there leaves the older one, with the reason above it.
    const legend = $(".legend", s.body), scroll = legend?.scrollTop, held = s.body.contains(document.activeElement) && document.activeElement.dataset.series;
    s.body.innerHTML = p.html;
    s.drawn = s.asked;
    s.values = null;
    for (const td of $$("td[data-fill],td[data-ink],td[data-bar]", s.body)) {
      const d = td.dataset;
      if (d.fill) td.style.background = d.fill;
      if (d.ink) td.style.color = d.ink;
      if (d.bar) { const i = document.createElement("span"); i.className = "barline"; i.style.background = d.color; i.style.width = Math.round(d.bar * 90) + "px"; td.prepend(i); }
    }
    if (scroll) $(".legend", s.body)?.scrollTo(0, scroll);
    if (held) $$("[data-series]", s.body).find((a) => a.dataset.series === held)?.focus();
    const plot = $(".plot[data-start]", s.body);
    if (plot) hover(s, plot);
    if (p.slow) { s.tries++; setTimeout(() => ask([p.key]), Math.min(1000 * s.tries, 5000)); } else if (p.bad) setTimeout(() => ask([p.key]), 5000); else s.tries = 0;
  }

  const eye = new IntersectionObserver((entries) => {
    const keys = [];
    for (const e of entries) {
      const s = state.get(e.target.dataset.key);
      s.seen = e.isIntersecting;
      if (s.seen && !s.drawn && !s.asked) keys.push(e.target.dataset.key);
    }
    if (keys.length) ask(keys);
  }, { rootMargin: "400px 0px" });
  for (const p of panels) eye.observe(p);
  const visible = () => [...state].filter(([, s]) => s.seen).map(([k]) => k);
  function redraw() {
    if (!board) return;
    for (const s of state.values()) if (!s.seen) s.drawn = s.asked = "";
    ask(visible());
  }
  let width = innerWidth, resized = 0;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => { if (Math.abs(innerWidth - width) > 4 || board.hasAttribute("data-single")) { width = innerWidth; redraw(); } }, 150); });
  for (const r of $$("details.row")) r.addEventListener("toggle", () => {
    const q = new URLSearchParams(location.search), n = r.id.slice(4), set = new Set((q.get("rows") || "").split(",").filter(Boolean));
    r.open === (r.dataset.was === "open") ? set.delete(n) : set.add(n);
    set.size ? q.set("rows", [...set].join(",")) : q.delete("rows");
    history.replaceState(null, "", location.pathname + (q.size ? "?" + q : ""));
  });
  {
    const toggled = new Set((new URLSearchParams(location.search).get("rows") || "").split(","));
    for (const r of $$("details.row")) r.dataset.was = r.open !== toggled.has(r.id.slice(4)) ? "open" : "closed";
  }

  // Refresh.
  const every = { "5s": 5, "10s": 10, "30s": 30, "1m": 60, "5m": 300, "15m": 900, "1h": 3600 };
  let ticking = 0;
  const refresh = (text) => { clearInterval(ticking); if (every[text] && board.hasAttribute("data-follows")) ticking = setInterval(() => { if (!document.hidden && !dragging) redraw(); }, every[text] * 1000); };
  const select = $("#refresh");
  select?.addEventListener("change", () => {
    const q = new URLSearchParams(location.search);
    q.set("refresh", select.value);
    history.replaceState(null, "", location.pathname + "?" + q);
    refresh(select.value);
  });
  $("#again")?.addEventListener("click", () => redraw());
  refresh(board.dataset.refresh);

  // Variables: what is chosen counts at once; variables whose choices depend on it are chosen anew.
  const vars = $("#variables");
  if (vars) {
    const dependent = (name, seen = new Set()) => {
      for (const e of $$("[data-uses]", vars)) {
        const own = (e.name || $("input[type=checkbox]", e)?.name || "").slice(4);
        if (own && !seen.has(own) && e.dataset.uses.split(" ").includes(name)) { seen.add(own); dependent(own, seen); }
      }
      return seen;
    };
    const send = (name) => {
      for (const d of dependent(name)) for (const e of $$("select,input", vars)) if (e.name === "var-" + d) e.disabled = true;
      for (const e of $$("input", vars)) if (!e.value) e.disabled = true;
      vars.requestSubmit();
    };
    vars.addEventListener("change", (e) => {
      const t = e.target;
      if (t.matches("select") || t.matches("label.var>input")) return send(t.name.slice(4));
      if (t.type === "checkbox") {
        const same = $$("input[type=checkbox]", vars).filter((c) => c.name === t.name);
        if (t.value === "$__all" && t.checked) for (const c of same) c.checked = c === t;
        if (t.value !== "$__all" && t.checked) for (const c of same) if (c.value === "$__all") c.checked = false;
        t.closest("details").dataset.changed = t.name.slice(4);
      }
    });
    vars.addEventListener("input", (e) => {
      if (!e.target.matches(".filter")) return;
      const w = e.target.value.toLowerCase();
      for (const l of $$(".scroll label", e.target.closest(".sheet"))) l.hidden = !l.textContent.toLowerCase().includes(w);
    });
    vars.addEventListener("submit", () => {
      const d = $("details[data-changed]", vars);
      if (d) for (const x of dependent(d.dataset.changed)) for (const i of $$("select,input", vars)) if (i.name === "var-" + x) i.disabled = true;
      for (const e of $$("input", vars)) if (!e.value && e.type !== "hidden") e.disabled = true;
    });
    for (const d of $$("details.var", vars)) d.addEventListener("toggle", () => { if (!d.open && d.dataset.changed) send(d.dataset.changed); });
  }

  // Legend: one series alone, or all again. The link works by itself; here only the panel is drawn again.
  board.addEventListener("click", (e) => {
    const a = e.target.closest("[data-series]");
    if (!a || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    const key = a.closest(".panel").dataset.key, name = "show-" + key, q = new URLSearchParams(location.search), shown = q.getAll(name), one = a.dataset.series;
    q.delete(name);
    let next = [one];
    if (e.ctrlKey) next = shown.includes(one) ? shown.filter((s) => s !== one) : shown.concat(one); else if (shown.length === 1 && shown[0] === one) next = [];
    for (const s of next) q.append(name, s);
    history.replaceState(null, "", location.pathname + (q.size ? "?" + q : ""));
    ask([key]);
  });

  // Pointing at a chart: the values of all series at that time; dragging zooms.
  const tip = $("#tip");
  let dragging = null;
  const format = new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "medium" });
  const geometry = (plot) => { const d = plot.dataset; return { x: +d.x, y: +d.y, w: +d.w, h: +d.h, start: +d.start, end: +d.end }; };
  const line = (cls) => { const i = document.createElement("div"); i.className = cls; return i; };
  function hover(s, plot) {
    const g = geometry(plot), cross = line("cross");
    cross.hidden = true;
    cross.style.top = g.y + "px"; cross.style.height = g.h + "px";
    plot.append(cross);
    const load = () => s.values ||= fetch(base + "/values/" + uid + "/" + encodeURIComponent(s.el.dataset.key) + "?" + params() + "&w=" + s.asked.split("x")[0]).then((r) => r.ok ? r.json() : null).catch(() => null);
    const move = async (e) => {
      const box = plot.getBoundingClientRect(), x = e.clientX - box.left;
      if (x < g.x || x > g.x + g.w) { cross.hidden = tip.hidden = true; return; }
      const t = g.start + (x - g.x) / g.w * (g.end - g.start), v = await load();
      if (!v || v.slow) s.values = null;
      if (!v || !v.times.length || !plot.isConnected || !plot.matches(":hover") && e.pointerType === "mouse") return;
      let lo = 0, hi = v.times.length - 1;
      while (lo < hi) { const m = (lo + hi) >> 1; v.times[m] < t ? lo = m + 1 : hi = m; }
      if (lo > 0 && t - v.times[lo - 1] < v.times[lo] - t) lo--;
      cross.style.left = g.x + (v.times[lo] - g.start) / (g.end - g.start) * g.w + "px";
      cross.hidden = false;
      const head = document.createElement("b");
      head.textContent = format.format(v.times[lo]);
      const rows = v.series.filter((x) => x.texts[lo] !== "").slice(0, 24).map((x) => {
        const d = document.createElement("div"), i = document.createElement("i"), n = document.createElement("span"), em = document.createElement("em");
        i.style.background = x.color; n.textContent = x.name; em.textContent = x.texts[lo];
        d.append(i, n, em);
        return d;
      });
      const left = v.series.length + (v.more || 0) - rows.length;
      if (left > 0 && rows.length === 24) { const d = document.createElement("div"); d.textContent = "+ " + left; rows.push(d); }
      tip.replaceChildren(head, ...rows);
      tip.hidden = false;
      const w = tip.offsetWidth, h = tip.offsetHeight;
      tip.style.left = Math.max(4, e.clientX + 16 + w > innerWidth ? e.clientX - w - 16 : e.clientX + 16) + "px";
      tip.style.top = Math.max(4, Math.min(e.clientY + 12, innerHeight - h - 6)) + "px";
    };
    const leave = () => { cross.hidden = tip.hidden = true; };
    plot.addEventListener("pointermove", (e) => {
      if (!dragging) return move(e);
      const x = Math.min(Math.max(e.clientX - plot.getBoundingClientRect().left, g.x), g.x + g.w);
      dragging.to = x;
      Object.assign(dragging.el.style, { left: Math.min(dragging.from, x) + "px", width: Math.abs(x - dragging.from) + "px" });
    });
    plot.addEventListener("pointerleave", () => { if (!dragging) leave(); });
    plot.addEventListener("pointerdown", (e) => {
      if (e.pointerType !== "mouse") return move(e);
      const x = e.clientX - plot.getBoundingClientRect().left;
      if (e.button || x < g.x || x > g.x + g.w) return;
      e.preventDefault();
      dragging = { from: x, to: x, el: line("zoom") };
      Object.assign(dragging.el.style, { top: g.y + "px", height: g.h + "px", left: x + "px", width: "0" });
      plot.append(dragging.el);
      plot.setPointerCapture(e.pointerId);
    });
    const end = (e) => {
      const d = dragging;
      if (!d) return;
      dragging = null;
      d.el.remove();
      leave();
      if (e.type !== "pointerup" || Math.abs(d.to - d.from) < 6) return;
      const at = (x) => Math.round(g.start + (x - g.x) / g.w * (g.end - g.start));
      const a = at(Math.min(d.from, d.to)), b = at(Math.max(d.from, d.to));
      if (b - a >= 1000) visit({ from: a, to: b });
    };
    plot.addEventListener("pointerup", end);
    plot.addEventListener("pointercancel", end);
  }

  // Findings of lint and check beside their panels.
  async function findings() {
    if (!board.hasAttribute("data-file")) return;
    const answer = await fetch(base + "/findings/" + uid).catch(() => null);
    if (!answer?.ok) return;
    const list = await answer.json();
    for (const p of $$(".panel")) { const m = $(".marks", p); m.replaceChildren(); m.hidden = true; }
    const all = $("#findings"), item = (f, place) => {
      const li = document.createElement("li"), code = document.createElement("code");
      li.className = f.severity;
      code.textContent = f.rule + " ";
      li.append(code, f.text + (f.line && place ? " (" + place + f.line + ")" : ""));
      return li;
    };
    if (all) {
      all.hidden = !list.length;
      $("summary", all).textContent = "⚑ " + list.length;
      $("summary", all).setAttribute("aria-label", list.length + " findings");
      $("ul", all).replaceChildren(...list.map((f) => item(f, ":")));
    }
    if (!board.hasAttribute("data-editing")) return;
    for (const f of list) {
      const p = f.key && $$(".panel").find((p) => p.dataset.key === f.key);
      if (!p) continue;
      const m = $(".marks", p);
      m.append(item(f, ":"));
      m.hidden = false;
    }
    redraw();
  }

  // A saved file is shown at once: panels keep their place on the screen.
  let version = board.dataset.version, failing = "";
  if (window.EventSource && board.hasAttribute("data-file") && !document.body.classList.contains("embed")) {
    const source = new EventSource(base + "/events?uid=" + uid);
    source.onmessage = async (m) => {
      const e = JSON.parse(m.data);
      if (e.uid !== board.dataset.uid || e.version === version && (e.error || "") === failing) return;
      const first = e.version === version;
      version = e.version;
      failing = e.error || "";
      if (first && !failing) return;
      await again();
    };
  }
  async function again() {
    const answer = await fetch(location.href).catch(() => null);
    if (!answer) return say("gone");
    if (answer.status === 404) return location.reload();
    // The new style element has a nonce that this page's policy does not know, so it is only compared.
    const text = await answer.text(), style = (text.match(/<style nonce="[^"]*">([^<]*)/) || [])[1] || "";
    const page = new DOMParser().parseFromString(text.replace(/<style [^>]*>[^<]*<\/style>/, ""), "text/html"), fresh = $("#board", page);
    if (!fresh || board.hasAttribute("data-reload")) return location.reload();
    const bar = (e) => $$(".tabs", e).map((n) => n.innerHTML).join("\n");
    const old = new Map(panels.map((p) => [p.id, p]));
    const same = $$(".panel", fresh).length === $$(".panel").length && $$(".panel", fresh).every((p) => old.has(p.id) || p.hasAttribute("data-static"));
    if (!same || !!failing !== board.hasAttribute("data-failing") || style !== ($("head style")?.textContent || "") || $$("details.row", fresh).length !== $$("details.row").length || bar(fresh) !== bar(document)) { sessionStorage.setItem("scroll", scrollY); return location.reload(); }
    for (const p of $$(".panel", fresh)) {
      const mine = document.getElementById(p.id), header = $("header", p);
      $("header", mine).replaceWith(header);
      if (p.hasAttribute("data-static")) $(".body", mine).replaceWith($(".body", p));
    }
    for (const s of [".crumbs", "#variables"]) if ($(s, fresh) && $(s)) $(s).innerHTML = $(s, fresh).innerHTML;
    $("#notices").innerHTML = $("#notices", page).innerHTML;
    redraw();
    findings();
  }
  // A Prometheus that was too slow for the variables: the page is made anew when it answers.
  const heal = async (wait) => {
    const text = await fetch(location.href).then((r) => r.ok ? r.text() : "").catch(() => "");
    const fresh = $("#board", new DOMParser().parseFromString(text.replace(/<style [^>]*>[^<]*<\/style>/, ""), "text/html"));
    if (fresh && !fresh.hasAttribute("data-unasked")) location.reload(); else setTimeout(heal, wait, Math.min(wait * 1.5, 30000));
  };
  if (board.hasAttribute("data-unasked")) setTimeout(heal, 2000, 3000);
  if (sessionStorage.getItem("scroll")) { scrollTo(0, +sessionStorage.getItem("scroll")); sessionStorage.removeItem("scroll"); }
  if (panels.length && !document.body.classList.contains("embed")) requestIdleCallback ? requestIdleCallback(findings, { timeout: 1500 }) : setTimeout(findings, 300);
})();
