"use strict";

// Which rows are shown, and what the address says of it. How a row is shown: rows.js, which stands before.

const ROWS_A_PAGE = 25;
const OFFERED = ["no tools", "1 tool", "2–4 tools", "5–9 tools", "10 or more tools"];

const at = (id) => document.getElementById(id);

async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// The selects that ask one thing of the row itself; the others are asked of its results.
const OF_ROW = {
  suite: (row) => row.suite,
  decision: (row) => row.decision,
  source: (row) => row.source,
  language: (row) => row.language,
  offered: (row) => row.offered,
  overlaps: (row) => (row.overlaps ? "yes" : "no"),
};
const SELECTS = ["variant", "outcome", "reason", "changed", ...Object.keys(OF_ROW)];

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
  offer("changed", data.stages.map((one) => one.name));
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

const isLinked = (id) => [...document.links].some((one) => one.getAttribute("href") === `#${id}`);

function applyHash(params) {
  for (const name of SELECTS) {
    const select = at(`filter-${name}`);
    select.value = params.get(name) || "";
    if (select.selectedIndex < 0) select.value = "";
  }
  at("filter-differs").checked = params.get("differs") === "yes";
  at("filter-text").value = params.get("text") || "";
  const section = params.get("section");
  return {
    row: params.get("row"),
    page: Math.max(1, Number.parseInt(params.get("page"), 10) || 1),
    section: isLinked(section) ? section : null,
  };
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
    ...Object.values(row.results).map((one) => one.text || ""),
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

function changed(row, stage) {
  return [stage.before, stage.after].every((one) => row.results[one.variant]?.outcome === one.outcome);
}

function differs(row) {
  const outcomes = Object.values(row.results).map((one) => one.outcome);
  return outcomes.includes("right") && outcomes.includes("wrong");
}

function findRows(data, filters, rowId) {
  const words = (filters.get("text") || "").toLowerCase().split(/\s+/).filter(Boolean);
  const asked = Object.keys(OF_ROW).filter((name) => filters.has(name));
  const stage = data.stages.find((one) => one.name === filters.get("changed"));
  return data.rows.filter((row) =>
    (rowId === null || row.id === rowId) &&
    asked.every((name) => OF_ROW[name](row) === filters.get(name)) &&
    holdsResults(row, filters) &&
    (!stage || changed(row, stage)) &&
    (!filters.has("differs") || differs(row)) &&
    holdsWords(data, row, words));
}

function countInWords(found, all, rowId) {
  const count = `${found.toLocaleString("en")} of ${all.toLocaleString("en")} rows`;
  if (rowId === null) return count;
  return found ? `${count}: what the link names` : `No row has the id ${shorten(rowId, NAME_SHOWN)} that the link names.`;
}

// Of several pages, which rows are shown: told anew at every turn.
function placeInWords(found, page, pages) {
  if (pages < 2) return "";
  const last = Math.min(page * ROWS_A_PAGE, found);
  return `: ${((page - 1) * ROWS_A_PAGE + 1).toLocaleString("en")} to ${last.toLocaleString("en")}, page ${page} of ${pages}`;
}

// A table is a stop of the keyboard only where it scrolls.
function watchTables() {
  const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => {
    const box = target.closest(".scroll");
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }));
  for (const box of document.querySelectorAll(".scroll")) { watch.observe(box); watch.observe(box.firstElementChild); }
}

// What is folded away on the screen is printed all the same.
function openForPrint() {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")].filter((one) => !one.closest("#rows"));
    for (const one of opened) one.open = true;
  });
  window.addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
}

function start(data) {
  let state = { row: null, page: 1, section: null };

  const show = () => {
    const filters = readFilters();
    const found = findRows(data, filters, state.row);
    const pages = Math.max(1, Math.ceil(found.length / ROWS_A_PAGE));
    state.page = Math.min(state.page, pages);
    const first = (state.page - 1) * ROWS_A_PAGE;
    const shown = found.slice(first, first + ROWS_A_PAGE);
    at("found").replaceChildren(...shown.map((row) => showRow(data, row, filters.get("variant"), state.row !== null)));
    at("count").textContent = countInWords(found.length, data.rows.length, state.row)
      + placeInWords(found.length, state.page, pages);
    at("place").textContent = `Page ${state.page} of ${pages}`;
    at("before").disabled = state.page <= 1;
    at("after").disabled = state.page >= pages;
    return filters;
  };
  const keep = (filters) => {
    if (state.row !== null) filters.set("row", state.row);
    if (state.page > 1) filters.set("page", state.page);
    if (state.section !== null) filters.set("section", state.section);
    const hash = filters.size ? `#${filters}` : "#rows";
    if (hash !== location.hash) history.replaceState(null, "", hash);
  };
  const change = () => { state = { row: null, page: 1, section: null }; keep(show()); };
  const turn = (step) => { state.page += step; state.section = null; keep(show()); at("count").focus(); };
  const follow = () => {
    const params = readHash();
    if (params === null) {
      show();
      return;
    }
    state = applyHash(params);
    // What no filter offers is dropped from the address, which would else say more than is shown.
    keep(show());
    if (state.row !== null && state.section === null) at("count").focus({ preventScroll: true });
    const scroll = () => at(state.section || (state.row === null ? "rows" : "count")).scrollIntoView();
    // Pictures above that are still being read would push the rows away.
    if (document.readyState === "complete") scroll();
    else window.addEventListener("load", scroll, { once: true });
  };

  // The browser has gone to a section of the page: what is chosen here stays, and stays in the address.
  const visit = (id) => {
    const filters = readFilters();
    if (!isLinked(id) || (!filters.size && state.row === null && state.page === 1)) return;
    state.section = id === "rows" ? null : id;
    keep(filters);
  };

  let typing = 0;
  at("filter-text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(change, 200); });
  for (const name of [...SELECTS, "differs"]) at(`filter-${name}`).addEventListener("change", change);
  at("reset").addEventListener("click", () => { applyHash(new URLSearchParams()); change(); });
  at("before").addEventListener("click", () => turn(-1));
  at("after").addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", () => (readHash() ? follow() : visit(location.hash.slice(1))));
  offerAll(data);
  at("browser").hidden = false;
  at("loading").hidden = true;
  follow();
}

watchTables();
openForPrint();
unpack(at("data").textContent).then(start).catch((error) => {
  at("loading").textContent = `The rows cannot be shown: ${error.message}. A browser of 2023 or later reads them.`;
});
