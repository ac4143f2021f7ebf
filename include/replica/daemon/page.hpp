// The page at /: what an operator wants to see of a node, in a browser and without anything else.
// It is one text without outside assets, and shows what /status.json says. Every number is a link
// to its place there.
#ifndef REPLICA_DAEMON_PAGE_HPP
#define REPLICA_DAEMON_PAGE_HPP

#include <string_view>

namespace replica::daemon {

/// HTML in UTF-8. Texts of the JSON are put in as text, never as HTML.
inline constexpr std::string_view status_page = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'self';
  style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>replica</title>
<style>
:root {
  color-scheme: light dark;
  --back: #f6f7f9; --card: #fff; --ink: #1b2430; --soft: #5d6a7a; --line: #dde2e8;
  --good: #187a45; --bad: #b3261e; --warn: #8a5a00; --bar: #3267d6; --link: #1d4fbf;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #11151b; --card: #1a2029; --ink: #e6eaf0; --soft: #9aa7b7; --line: #2d3642;
    --good: #5fd394; --bad: #ff8a80; --warn: #f0bd5a; --bar: #6f9bff; --link: #8fb2ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 12px; max-width: 1100px; background: var(--back);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; }
h1 { font-size: 1.25rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 20px 0 8px; }
a { color: inherit; text-decoration: underline dotted var(--soft); text-underline-offset: 3px; }
a:hover { color: var(--link); }
.soft { color: var(--soft); } .good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; } .warn { color: var(--warn); font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 310px), 1fr));
  gap: 10px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 12px; min-width: 0; overflow-wrap: anywhere; }
.card.wrong { border-left: 4px solid var(--bad); }
.name { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 10px;
  font-weight: 600; }
.bar { height: 6px; border-radius: 3px; background: var(--line); margin: 7px 0; overflow: hidden; }
.bar div { height: 100%; background: var(--bar); }
.facts { display: flex; flex-wrap: wrap; gap: 0 14px; font-variant-numeric: tabular-nums; }
#alone { margin: 10px 0 0; }
</style>
</head>
<body>
<header>
  <h1 id="title">replica</h1><span id="versions" class="soft"></span><span id="fresh"></span>
</header>
<p id="pass" class="soft">Waiting for the first answer. Without scripts: <a href="/status.json"
  >status.json</a>, <a href="/metrics.txt">metrics</a>.</p>
<section id="brakes" hidden><h2>Brakes that are on</h2><div class="cards"></div></section>
<section><h2>Devices of this node</h2><div id="devices" class="cards"></div></section>
<section><h2>Peers asked since the start</h2><div id="peers" class="cards"></div></section>
<section><h2>Last failures</h2><div id="failures" class="cards"></div></section>
<p class="soft"><a href="/status.json">status.json</a> &middot;
  <a href="/metrics.txt">metrics</a> &middot; <a href="/recon/diskusage">disk usage</a></p>
<script>
"use strict";
const at = id => document.getElementById(id);

function el(name, given, ...parts) {
  const made = Object.assign(document.createElement(name), given);
  made.append(...parts);
  return made;
}
// A number, as a link to its place in the JSON.
function number(value, place, words = String) {
  return el("a", {href: "/status.json#" + place}, value === null ? "?" : words(value));
}
const count = value => value.toLocaleString("en");
const some = (value, place, noun) =>
  [number(value, place, count), " " + noun + (value === 1 ? "" : "s")];
const bytes = value => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit < 4; unit++) value /= 1024;
  return (unit ? value.toFixed(1) : value) + " " + units[unit];
};
const time = seconds => seconds < 10 ? seconds.toFixed(1) + " s"
  : seconds < 120 ? Math.round(seconds) + " s"
  : seconds < 7200 ? Math.round(seconds / 60) + " min"
  : seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " days";
const fact = (...parts) => el("span", {}, ...parts);
const facts = (...parts) => el("div", {className: "facts"}, ...parts);

function ago(then, now, place) {
  return then ? [number(Math.max(0, now - then), place, time), " ago"] : ["never"];
}
function card(wrong, title, mark, ...parts) {
  return el("div", {className: wrong ? "card wrong" : "card"},
    el("div", {className: "name"}, el("span", {}, title), mark), ...parts);
}
const mark = (kind, text) => el("span", {className: kind}, text);

function device(each, i, all) {
  const place = "/devices/" + i;
  const share = each.progress === null ? null : Math.round(100 * each.progress);
  const bar = el("div", {className: "bar"}, el("div", {}));
  bar.firstChild.style.width = (share || 0) + "%";
  const state = !each.usable ? mark("bad", "left out") : each.brake ? mark("bad", "braked")
    : mark("good", "in use");
  const parts = [fact(...some(each.databases, place + "/databases", "database"))];
  if (share !== null) parts.unshift(fact(number(share, place + "/progress"), " % done"));
  if (all.pass.running && each.left !== 0)
    parts.push(fact("left: ", number(each.left, place + "/left", time)));
  parts.push(fact(...some(each.turns_failed, place + "/turns_failed", "failed turn")));
  if (each.quarantined)
    parts.push(fact(number(each.quarantined, place + "/quarantined", count), " quarantined"));
  return card(!each.usable || each.brake, each.device, state, bar, facts(...parts),
    el("div", {className: "bad"}, each.reason));
}

function peer(each, i, all) {
  const place = "/peers/" + i;
  const behind = each.databases_behind > 0;
  const state = !each.up ? mark("bad", "fails") : behind ? mark("warn", "behind")
    : mark("good", "has all");
  return card(!each.up, each.peer, state,
    facts(fact(...some(each.databases_behind, place + "/databases_behind", "database"), " behind"),
      fact(...some(each.rows_behind, place + "/rows_behind", "row")),
      fact("for ", number(each.lag, place + "/lag", time))),
    facts(fact("sent: ", ...some(each.rows_sent, place + "/rows_sent", "row"), ", ",
        number(each.bytes_sent, place + "/bytes_sent", bytes)),
      fact("agreed ", ...ago(each.last_success, all.at, place + "/last_success")),
      fact(...some(each.failures, place + "/failures", "failure"))),
    el("div", {className: "bad"}, each.reason));
}

function failure(each, i, all) {
  const place = "/failures/" + i;
  const over = each.over_since > 0;
  const state = over
    ? el("span", {className: "good"}, "over for ",
        number(Math.max(0, all.at - each.over_since), place + "/over_since", time))
    : mark("soft", each.word);
  return card(false, each.subject, state,
    el("div", {}, over ? each.word + ": " + each.what : each.what),
    el("div", {className: over ? "soft" : "warn"}, each.advice),
    el("div", {className: "soft"}, ...some(each.count, place + "/count", "time"), ", last ",
      ...ago(each.last, all.at, place + "/last")));
}

function fill(where, list, none) {
  where.replaceChildren(...(list.length ? list : [el("p", {className: "soft"}, none)]));
}

function show(all) {
  document.title = all.kind + " replica on " + location.host;
  at("title").textContent = location.host;
  at("versions").textContent = all.kind + " replicator, version " + all.version;
  const pass = all.pass;
  const now = pass.running
    ? ["A pass has run for ", number(Math.max(0, all.at - pass.began), "/pass/began", time)]
    : ["Resting, a pass every ", number(pass.interval, "/pass/interval", time)];
  const last = pass.ended
    ? ["; the last one ended ", ...ago(pass.ended, all.at, "/pass/ended"), ", took ",
       number(pass.took, "/pass/took", time), " for ",
       ...some(pass.databases, "/pass/databases", "database"), ", with ",
       ...some(pass.figures.failure, "/pass/figures/failure", "failure"), "."]
    : ["; none has ended since the start."];
  at("pass").replaceChildren(...now, ...last);
  const braked = all.devices.filter(each => each.brake);
  at("brakes").hidden = braked.length === 0;
  fill(at("brakes").lastChild, braked.map(each => card(true, each.device, mark("bad", "brake"),
    el("div", {}, each.brake))), "");
  fill(at("devices"), all.devices.map((each, i) => device(each, i, all)),
    "No pass has come to a device yet.");
  fill(at("peers"), all.peers.map((each, i) => peer(each, i, all)), "None yet.");
  fill(at("failures"), all.failures.map((each, i) => failure(each, i, all)),
    "None since the start.");
}

let updates = 0;
async function update() {
  try {
    const reply = await fetch("/status.json", {cache: "no-store"});
    if (!reply.ok) throw new Error(reply.status + " " + reply.statusText);
    show(await reply.json());
    document.body.dataset.updates = ++updates;
    at("fresh").replaceChildren(mark("good", "live"));
  } catch (failure) {
    at("fresh").replaceChildren(mark("bad", "no answer: " + failure.message));
  }
  setTimeout(update, document.hidden ? 10000 : 2000);
}
update();
</script>
</body>
</html>
)html";

} // namespace replica::daemon

#endif
