"use strict";

// Everything shown here was written by users and models: it becomes text nodes and never markup.

const ROWS_A_PAGE = 25;
const CHARACTERS_SHOWN = 4000;
const TOOLS_SHOWN = 50;
const NAME_SHOWN = 80;
const MARKS = { right: ["✓", "good"], wrong: ["✗", "bad"], unscored: ["–", "quiet"] };
const OFFERED = ["no tools", "1 tool", "2–4 tools", "5–9 tools", "10 or more tools"];

const at = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// The selects that ask one thing of the row itself; variant, outcome and reason are asked of its results.
const OF_ROW = {
  suite: (row) => row.suite,
  decision: (row) => row.decision,
  source: (row) => row.source,
  language: (row) => row.language,
  offered: (row) => row.offered,
  overlaps: (row) => (row.overlaps ? "yes" : "no"),
};
const SELECTS = ["variant", "outcome", "reason", ...Object.keys(OF_ROW)];

const shorten = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

function offer(name, values) {
  const select = at(`filter-${name}`);
  for (const value of values) select.append(new Option(shorten(value, NAME_SHOWN), value));
  // A choice of one is none.
  select.closest("div").hidden = values.length < 2 && name !== "outcome";
}

function distinct(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([value]) => value);
}

function offerAll(data) {
  const results = data.rows.flatMap((row) => Object.values(row.results));
  offer("variant", data.variants);
  offer("outcome", Object.keys(MARKS));
  offer("reason", distinct(results.map((one) => one.reason).filter(Boolean)));
  for (const [name, of] of Object.entries(OF_ROW)) {
    const seen = distinct(data.rows.map(of));
    const known = { suite: Object.keys(data.suites), offered: OFFERED }[name];
    offer(name, known ? known.filter((value) => seen.includes(value)) : seen);
  }
}

function readHash() {
  const text = location.hash.slice(1);
  // A link of the contents names a section, and says nothing about the filters.
  return text.includes("=") ? new URLSearchParams(text) : null;
}

function applyHash(params) {
  for (const name of SELECTS) {
    const select = at(`filter-${name}`);
    select.value = params.get(name) || "";
    if (select.selectedIndex < 0) select.value = "";
  }
  at("filter-differs").checked = params.get("differs") === "yes";
  at("filter-text").value = params.get("text") || "";
  return { row: params.get("row"), page: Math.max(1, Number.parseInt(params.get("page"), 10) || 1) };
}

function readFilters() {
  const filters = new URLSearchParams();
  for (const name of SELECTS) {
    const value = at(`filter-${name}`).value;
    if (value) filters.set(name, value);
  }
  if (at("filter-differs").checked) filters.set("differs", "yes");
  const text = at("filter-text").value.trim();
  if (text) filters.set("text", text);
  return filters;
}

const textOfTools = (tools) => tools.map((one) => `${one.name}\n${one.description}\n${one.parameters}`).join("\n").toLowerCase();

function textOfRow(row) {
  return [
    row.id,
    ...row.messages.flatMap((one) => [one.text, ...one.calls]),
    ...row.gold.map((one) => one.text),
    ...Object.values(row.results).map((one) => one.text),
  ].join("\n").toLowerCase();
}

function holdsWords(data, row, words) {
  if (!words.length) return true;
  data.tool_texts ||= data.tool_lists.map(textOfTools);
  row.all_text ||= textOfRow(row);
  return words.every((word) => row.all_text.includes(word) || data.tool_texts[row.tools].includes(word));
}

function holdsResults(row, filters) {
  const [variant, outcome, reason] = ["variant", "outcome", "reason"].map((name) => filters.get(name));
  if (!variant && !outcome && !reason) return true;
  const results = variant ? [row.results[variant]].filter(Boolean) : Object.values(row.results);
  return results.some((one) => (!outcome || one.outcome === outcome) && (!reason || one.reason === reason));
}

function differs(row) {
  const outcomes = Object.values(row.results).map((one) => one.outcome);
  return outcomes.includes("right") && outcomes.includes("wrong");
}

function findRows(data, filters, rowId) {
  const words = (filters.get("text") || "").toLowerCase().split(/\s+/).filter(Boolean);
  const asked = Object.keys(OF_ROW).filter((name) => filters.has(name));
  return data.rows.filter((row) =>
    (rowId === null || row.id === rowId) &&
    asked.every((name) => OF_ROW[name](row) === filters.get(name)) &&
    holdsResults(row, filters) &&
    (!filters.has("differs") || differs(row)) &&
    holdsWords(data, row, words));
}

function showText(text) {
  const pre = make("pre", { dir: "auto" }, text.slice(0, CHARACTERS_SHOWN));
  if (text.length <= CHARACTERS_SHOWN) return [pre];
  const button = make("button", { type: "button" }, `Show all ${text.length.toLocaleString("en")} characters`);
  button.addEventListener("click", () => {
    pre.textContent = text;
    pre.tabIndex = -1;
    pre.focus();
    button.remove();
  });
  return [pre, button];
}

function showMark(outcome, name) {
  const [sign, style] = MARKS[outcome];
  return make("span", { class: style }, make("span", { "aria-hidden": "true" }, `${sign} `), `${name} ${outcome}`.trim());
}

function showMessage(message) {
  const part = make("div", {}, make("p", { class: "label" }, message.role));
  if (message.text) part.append(...showText(message.text));
  for (const call of message.calls) part.append(make("p", { class: "label" }, "calls"), ...showText(call));
  return part;
}

function showTool(tool) {
  const part = make("details", {}, make("summary", {}, tool.name || "without a name"));
  part.addEventListener("toggle", () => {
    if (tool.description) part.append(make("p", {}, ...showText(tool.description)));
    if (tool.parameters) part.append(...showText(tool.parameters));
  }, { once: true });
  return part;
}

function showTools(tools) {
  if (!tools.length) return [make("p", { class: "quiet" }, "No tool was offered.")];
  const part = make("details", {}, make("summary", {}, `${tools.length.toLocaleString("en")} offered`));
  const fill = (first) => part.append(...tools.slice(first, first + TOOLS_SHOWN).map(showTool), ...more(first + TOOLS_SHOWN));
  const more = (first) => {
    if (first >= tools.length) return [];
    const button = make("button", { type: "button" }, `Show more of ${tools.length.toLocaleString("en")} tools`);
    button.addEventListener("click", () => { button.remove(); fill(first); part.children[first + 1].firstChild.focus(); });
    return [button];
  };
  part.addEventListener("toggle", () => fill(0), { once: true });
  return [part];
}

function showGold(row) {
  const parts = row.gold.flatMap((one) => [make("p", { class: "label" }, one.label), ...showText(one.text)]);
  return [make("p", {}, "Expected decision: ", make("strong", {}, row.decision)), ...parts];
}

function showResult(variant, result) {
  const facts = [
    result.reason && `${result.outcome === "unscored" ? "Not scored: " : "Reason: "}${result.reason}`,
    result.decision && `Decision: ${result.decision}`,
    result.value && `Value: ${result.value}${result.parts && ` (${result.parts})`}`,
  ].filter(Boolean);
  const card = make("div", { class: "variant" }, make("h4", {}, variant, showMark(result.outcome, "")));
  card.append(...facts.map((fact) => make("p", {}, fact)));
  card.append(...(result.text ? showText(result.text) : [make("p", { class: "quiet" }, "Nothing was written.")]));
  return card;
}

// A name that a file's author chose may be a page long.
function showName(label, name) {
  if (name.length <= NAME_SHOWN) return [`${label} ${name} · `];
  return [make("details", {}, make("summary", {}, `${label} ${shorten(name, NAME_SHOWN)}`), ...showText(name))];
}

function fillRow(part, data, row) {
  const link = make("a", { href: `#${new URLSearchParams({ suite: row.suite, row: row.id })}` }, "Link to this row");
  const facts = [...showName(`${row.suite}, row`, row.id), ...showName("source", row.source), `language ${row.language} · `];
  if (row.overlaps) facts.push("a training row asks the same · ");
  const prompt = make("div", {}, make("h3", {}, "Prompt"), ...row.messages.map(showMessage));
  const rest = make("div", {}, make("h3", {}, "Tools"), ...showTools(data.tool_lists[row.tools]),
    make("h3", {}, "Gold"), ...showGold(row));
  const results = Object.entries(row.results).map(([variant, result]) => showResult(variant, result));
  part.append(make("div", { class: "inside" },
    make("div", { class: "quiet facts" }, ...facts, link),
    make("div", { class: "split" }, prompt, rest),
    make("h3", {}, "Completions"), make("div", { class: "variants" }, ...results)));
}

function showRow(data, row, isOpen) {
  const asked = row.messages.filter((one) => one.role === "user").at(-1)?.text || row.id;
  const marks = Object.entries(row.results).map(([variant, one]) => showMark(one.outcome, variant));
  const part = make("details", { class: "row" }, make("summary", {},
    make("bdi", { class: "asked" }, shorten(asked, 160)),
    make("span", { class: "outcomes" }, make("span", { class: "quiet" }, `expects ${row.decision}`), ...marks)));
  if (isOpen) fillRow(part, data, row);
  else part.addEventListener("toggle", () => fillRow(part, data, row), { once: true });
  part.open = isOpen;
  return part;
}

function countInWords(found, all, rowId) {
  const count = `${found.toLocaleString("en")} of ${all.toLocaleString("en")} rows`;
  if (rowId === null) return count;
  return found ? `${count}: what the link names` : `No row has the id ${shorten(rowId, NAME_SHOWN)} that the link names.`;
}

function start(data) {
  let state = { row: null, page: 1 };

  const show = () => {
    const filters = readFilters();
    const found = findRows(data, filters, state.row);
    const pages = Math.max(1, Math.ceil(found.length / ROWS_A_PAGE));
    state.page = Math.min(state.page, pages);
    const first = (state.page - 1) * ROWS_A_PAGE;
    const shown = found.slice(first, first + ROWS_A_PAGE);
    at("found").replaceChildren(...shown.map((row) => showRow(data, row, state.row !== null)));
    at("count").textContent = countInWords(found.length, data.rows.length, state.row);
    at("place").textContent = `Page ${state.page} of ${pages}`;
    at("before").disabled = state.page <= 1;
    at("after").disabled = state.page >= pages;
    return filters;
  };
  const keep = (filters) => {
    if (state.row !== null) filters.set("row", state.row);
    if (state.page > 1) filters.set("page", state.page);
    const hash = filters.size ? `#${filters}` : "#rows";
    if (hash !== location.hash) history.replaceState(null, "", hash);
  };
  const change = () => { state = { row: null, page: 1 }; keep(show()); };
  const turn = (step) => { state.page += step; keep(show()); at("count").focus(); };
  const follow = () => {
    const params = readHash();
    if (params === null) {
      show();
      return;
    }
    state = applyHash(params);
    // What no filter offers is dropped from the address, which would else say more than is shown.
    keep(show());
    if (state.row !== null) at("count").focus({ preventScroll: true });
    const scroll = () => at(state.row === null ? "rows" : "count").scrollIntoView();
    // Pictures above that are still being read would push the rows away.
    if (document.readyState === "complete") scroll();
    else window.addEventListener("load", scroll, { once: true });
  };

  let typing = 0;
  at("filter-text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(change, 200); });
  for (const name of [...SELECTS, "differs"]) at(`filter-${name}`).addEventListener("change", change);
  at("reset").addEventListener("click", () => { applyHash(new URLSearchParams()); change(); });
  at("before").addEventListener("click", () => turn(-1));
  at("after").addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", () => readHash() && follow());
  offerAll(data);
  at("browser").hidden = false;
  at("loading").hidden = true;
  follow();
}

unpack(at("data").textContent).then(start).catch((error) => {
  at("loading").textContent = `The rows cannot be shown: ${error.message}. A browser of 2023 or later reads them.`;
});
