// SPDX-License-Identifier: Apache-2.0 OR MIT

// Finds sentences that have to be read twice, in Markdown and in the comments of Rust files:
// `node lint.mjs FILE..`. Prints each with its line, and how many there are of each kind. Exits with
// 1 if there is one that `exceptions.json` does not list.

import { TextlintKernel } from "@textlint/kernel";
import markdown from "@textlint/textlint-plugin-markdown";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { split, SentenceSplitterSyntax } from "sentence-splitter";
import strings from "textlint-util-to-string";

/// A sentence may have this many words.
const WORDS = 30;

/// What is wrong with a sentence, by kind.
const KINDS = {
  "opens with a pronoun": (text) => /^(What|Who|Whoever|That|Nobody) [a-z]/.test(text) && !text.endsWith("?"),
  "too long": (text) => text.split(/\s+/).filter((word) => /[A-Za-z]/.test(word)).length > WORDS,
  "names no fact": (text) => /^(SAFETY: )?(As above|As before|See above)\.$/.test(text),
  "says nothing": (text) => /^(Does it all|All of (it|them)|The rest|See there)\.$/.test(text),
};

/// The rule that textlint runs over each paragraph.
function rule({ Syntax, RuleError, report, locator }) {
  return {
    [Syntax.Paragraph](node) {
      const source = new StringSource(node, {
        // Code is one word, whatever is in it.
        replacer: ({ node, maskValue }) => (node.type === Syntax.Code ? maskValue("x") : undefined),
      });
      for (const sentence of split(source.toString())) {
        if (sentence.type !== SentenceSplitterSyntax.Sentence) continue;
        const text = sentence.raw.trim().replace(/\s+/g, " ");
        for (const [kind, isWrong] of Object.entries(KINDS)) {
          if (!isWrong(text)) continue;
          const index = source.originalIndexFromIndex(sentence.range[0]);
          report(node, new RuleError(`${kind}: ${text}`, { padding: locator.at(index ?? 0) }));
        }
      }
    },
  };
}

/// The comments of a Rust file as Markdown, line by line. Code becomes empty lines.
function comments(rust) {
  return rust
    .split("\n")
    .map((line) => line.match(/^\s*\/\/[/!]? ?(.*)$/)?.[1] ?? "")
    .join("\n");
}

const { StringSource } = strings;
const exceptions = JSON.parse(readFileSync(new URL("exceptions.json", import.meta.url)));
const kernel = new TextlintKernel();
const found = new Map(Object.keys(KINDS).map((kind) => [kind, 0]));

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8");
  const { messages } = await kernel.lintText(extname(file) === ".rs" ? comments(text) : text, {
    filePath: file,
    ext: ".md",
    plugins: [{ pluginId: "markdown", plugin: markdown.default ?? markdown }],
    rules: [{ ruleId: "plain", rule }],
  });
  for (const { line, message } of messages) {
    if (exceptions.some((it) => file.endsWith(it.file) && message.includes(it.text))) continue;
    console.log(`${file}:${line}: ${message}`);
    const kind = message.slice(0, message.indexOf(": "));
    found.set(kind, found.get(kind) + 1);
  }
}

for (const [kind, number] of found) console.log(`${number} ${kind}`);
process.exitCode = [...found.values()].some((number) => number > 0) ? 1 : 0;
