// SPDX-License-Identifier: BSD-2-Clause
// Finds names by a few of their letters, whatever their case, width and accents. Knows nothing of the page.

const WORD_BREAK = /[\s._@:/-]/;

const FOLDED_MAX = 20000;
const foldedTexts = new Map(); // the same names are compared with each letter that is typed

function folded(text) {
    let known = foldedTexts.get(text);
    if (known === undefined) {
        if (foldedTexts.size >= FOLDED_MAX)
            foldedTexts.clear();
        foldedTexts.set(text, known = fold(text));
    }
    return known;
}

// Letters as they are compared; at[i] is where the letter i comes from in the text.
function fold(text) {
    let letters = '';
    const at = [];
    let from = 0;
    for (const char of text) {
        const plain = char.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
        letters += plain;
        for (let i = 0; i < plain.length; i++)
            at.push(from);
        from += char.length;
    }
    at.push(text.length);
    return {letters, at};
}

// Where the letters of the word come one after another, as early as they can: [[from, to], …], or null.
function scattered(word, letters) {
    const spans = [];
    let from = 0;
    for (const char of word) {
        const at = letters.indexOf(char, from);
        if (at < 0)
            return null;
        from = at + char.length;
        if (spans.at(-1)?.[1] === at)
            spans.at(-1)[1] = from;
        else
            spans.push([at, from]);
    }
    return spans;
}

// Of one word: how well it fits, and where. A beginning counts more than what is within, together more than scattered.
function fit(word, letters) {
    if (letters.startsWith(word))
        return {score: letters.length === word.length ? 5 : 4, spans: [[0, word.length]]};
    let within = -1;
    for (let at = letters.indexOf(word); at >= 0; at = letters.indexOf(word, at + 1)) {
        if (WORD_BREAK.test(letters[at - 1]))
            return {score: 3, spans: [[at, at + word.length]]};
        within = within < 0 ? at : within;
    }
    if (within >= 0)
        return {score: 2, spans: [[within, within + word.length]]};
    const spans = scattered(word, letters);
    return spans && {score: 1 / spans.length, spans};
}

// {score, ranges: [[from, to], …] of the text}, the higher the better; null where a word of the query is not in it.
export function fuzzyMatch(query, text) {
    const words = folded(query).letters.split(/\s+/).filter(Boolean);
    const {letters, at} = folded(text);
    let score = 0;
    const ranges = [];
    for (const word of words) {
        const found = fit(word, letters);
        if (found === null)
            return null;
        score += found.score;
        found.spans.forEach(([from, to]) => ranges.push([at[from], at[to]]));
    }
    return {score, ranges: merged(ranges)};
}

function merged(ranges) {
    const whole = [];
    for (const [from, to] of ranges.sort((a, b) => a[0] - b[0])) {
        if (whole.length > 0 && from <= whole.at(-1)[1])
            whole.at(-1)[1] = Math.max(whole.at(-1)[1], to);
        else
            whole.push([from, to]);
    }
    return whole;
}
