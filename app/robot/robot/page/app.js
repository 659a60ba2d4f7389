// Keeps the page up to date. The messages come from the server as HTML that it has sanitised.
"use strict";

const body = document.body;
const chat = document.getElementById("chat");
const list = document.getElementById("messages");
const state = document.getElementById("state");
const newest = document.getElementById("newest");
const showRefused = document.getElementById("show-refused");
const keep = Number(body.dataset.keep);
const title = document.title;

const trusted = window.trustedTypes
  ? window.trustedTypes.createPolicy("messages", { createHTML: (html) => html })
  : { createHTML: (html) => html };

let unseen = 0;

const atBottom = () => chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
const toBottom = () => { chat.scrollTop = chat.scrollHeight; };

function seen() {
  unseen = 0;
  newest.hidden = true;
  document.title = title;
}

function tell() {
  unseen++;
  newest.textContent = `${unseen} ${body.dataset.new}`;
  newest.hidden = atBottom();
  document.title = `(${unseen}) ${title}`;
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = trusted.createHTML(html);
  return template.content.querySelector("article");
}

function append(article) {
  const last = list.querySelector("article:last-of-type");
  if (!last || last.dataset.day !== article.dataset.day) {
    const day = document.createElement("div");
    day.className = "day";
    day.append(Object.assign(document.createElement("span"), { textContent: article.dataset.day }));
    list.append(day);
  }
  article.classList.add("arriving");
  list.append(article);
  for (const old of [...list.querySelectorAll("article")].slice(0, -keep)) old.remove();
  for (const day of list.querySelectorAll(".day")) {
    if (!day.nextElementSibling || day.nextElementSibling.className === "day") day.remove();
  }
}

function arrived(message) {
  if (document.getElementById(`m${message.id}`)) return;
  const follow = atBottom();
  append(parse(message.html));
  if (follow) toBottom();
  if (!follow || document.hidden) tell();
}

function changed(message) {
  const old = document.getElementById(`m${message.id}`);
  if (old) old.replaceWith(parse(message.html));
}

function show(name) {
  state.dataset.state = name;
  state.textContent = body.dataset[name];
}

const events = new EventSource(`/api/events?since=${body.dataset.last}&lang=${body.dataset.lang}`);
events.addEventListener("open", () => show("live"));
events.addEventListener("error", () => show("offline"));
events.addEventListener("hello", (e) => {
  // Another run of the program: its ids begin anew, so that what is shown here means nothing to it.
  if (JSON.parse(e.data).boot !== body.dataset.boot) location.reload();
});
events.addEventListener("message", (e) => arrived(JSON.parse(e.data)));
events.addEventListener("changed", (e) => changed(JSON.parse(e.data)));
events.addEventListener("cleared", () => { list.replaceChildren(); seen(); });

newest.addEventListener("click", () => { toBottom(); seen(); });
chat.addEventListener("scroll", () => { if (atBottom() && !document.hidden) seen(); }, { passive: true });
document.addEventListener("visibilitychange", () => { if (!document.hidden && atBottom()) seen(); });
document.getElementById("clear").addEventListener("click", () => fetch("/api/messages", { method: "DELETE" }));

function applyFilter() {
  body.classList.toggle("hide-refused", !showRefused.checked);
  localStorage.setItem("show-refused", showRefused.checked ? "yes" : "no");
}
showRefused.checked = localStorage.getItem("show-refused") !== "no";
showRefused.addEventListener("change", applyFilter);
applyFilter();
toBottom();
