"use strict";

// How a row is shown. What users and models wrote becomes text nodes and never markup.

const CHARACTERS_SHOWN = 4000;
// A browser lays out so many at once without a pause that is felt.
const CHARACTERS_MORE = 100000;
const TOOLS_SHOWN = 50;
const NAME_SHOWN = 80;
const MARKS = { right: ["✓", "good"], wrong: ["✗", "bad"], unscored: ["–", "quiet"] };

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const shorten = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

// Parts of at most so many characters, cut between whole ones.
function showText(text) {
  const pre = make("pre", { dir: "auto" });
  const button = make("button", { type: "button" });
  let end = 0;
  const grow = (count) => {
    const start = end;
    end = Math.min(text.length, start + count);
    if (/[\ud800-\udbff]/.test(text.charAt(end - 1))) end += 1;
    pre.append(make("span", {}, text.slice(start, end)));
    const left = text.length - end;
    const length = text.length.toLocaleString("en");
    button.textContent = left > CHARACTERS_MORE
      ? `Show ${CHARACTERS_MORE.toLocaleString("en")} more of ${length} characters`
      : `Show all ${length} characters`;
    if (!left) button.remove();
  };
  grow(CHARACTERS_SHOWN);
  if (end === text.length) return [pre];
  button.addEventListener("click", () => {
    grow(CHARACTERS_MORE);
    if (end < text.length) return;
    pre.tabIndex = -1;
    pre.focus();
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
  const absent = result.text === null ? "The completion is not in this report." : "Nothing was written.";
  card.append(...(result.text ? showText(result.text) : [make("p", { class: "quiet" }, absent)]));
  return card;
}

// A name that a file's author chose may be a page long.
function showName(label, name) {
  if (name.length <= NAME_SHOWN) return [`${label} ${name} · `];
  return [make("details", {}, make("summary", {}, `${label} ${shorten(name, NAME_SHOWN)}`), ...showText(name))];
}

// The variant that is chosen stands first.
function resultsOf(row, variant) {
  return Object.entries(row.results).sort(([one], [other]) => (other === variant) - (one === variant));
}

function fillRow(part, data, row, variant) {
  const link = make("a", { href: `#${new URLSearchParams({ suite: row.suite, row: row.id })}` }, "Link to this row");
  const facts = [...showName(`${row.suite}, row`, row.id), ...showName("source", row.source), `language ${row.language} · `];
  if (row.overlaps) facts.push("contaminated · ");
  const prompt = make("div", {}, make("h3", {}, "Prompt"), ...row.messages.map(showMessage));
  const rest = make("div", {}, make("h3", {}, "Tools"), ...showTools(data.tool_lists[row.tools]),
    make("h3", {}, "Gold"), ...showGold(row));
  const results = resultsOf(row, variant).map(([name, result]) => showResult(name, result));
  part.append(make("div", { class: "inside" },
    make("div", { class: "quiet facts" }, ...facts, link),
    make("div", { class: "split" }, prompt, rest),
    make("h3", {}, "Completions"), make("div", { class: "variants" }, ...results)));
}

function showRow(data, row, variant, isOpen) {
  const asked = row.messages.filter((one) => one.role === "user").at(-1)?.text || row.id;
  const marks = resultsOf(row, variant).map(([name, one]) => showMark(one.outcome, name));
  const part = make("details", { class: "row" }, make("summary", {},
    make("bdi", { class: "asked" }, shorten(asked, 160)),
    make("span", { class: "outcomes" }, make("span", { class: "quiet" }, `expects ${row.decision}`), ...marks)));
  if (isOpen) fillRow(part, data, row, variant);
  else part.addEventListener("toggle", () => fillRow(part, data, row, variant), { once: true });
  part.open = isOpen;
  return part;
}
