// SPDX-License-Identifier: BSD-2-Clause
// The part of a message around what was searched for, in one line, without what the message hides. Knows nothing of the
// page.

const BEFORE = 28; // characters shown before what was found
const LENGTH = 140;
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const WITHIN = /^[\p{M}\u200d\ufe0f\u{1f3fb}-\u{1f3ff}]/u; // belongs to the letter before

// [[offset, length], …] of the server as [[from, to], …] within a text of that length: sorted, none in another, none empty.
export function rangesOf(highlights, length) {
    const ranges = [];
    const given = (Array.isArray(highlights) ? highlights : []).filter((h) => Array.isArray(h) && h.every(Number.isSafeInteger));
    for (const [offset, size] of given.sort((a, b) => a[0] - b[0])) {
        const from = Math.max(offset, ranges.at(-1)?.[1] ?? 0), to = Math.min(offset + size, length);
        if (from < to)
            ranges.push([from, to]);
    }
    return ranges;
}

// {text, ranges}: what is found in it. Letters keep their places until it is cut.
export function snippetOf(content, entities, highlights) {
    const all = rangesOf(highlights, content.length);
    const spoilers = (Array.isArray(entities) ? entities : []).filter(({type}) => type === 'spoiler');
    const hidden = ([from, to]) => spoilers.some(({offset, length}) => from < offset + length && to > offset);
    const ranges = all.filter((range) => !hidden(range));
    const line = masked(content, spoilers).replace(/\s/g, ' ').replace(BIDI, '\u200b');
    const from = beginning(line, ranges[0]?.[0] ?? 0);
    const to = ending(line, from);
    const dots = from > 0 ? '…' : '';
    return {
        text: dots + line.slice(from, to) + (to < line.length ? '…' : ''),
        ranges: ranges.filter(([start]) => start < to).map(([start, end]) => [start - from + dots.length, Math.min(end, to) - from + dots.length]),
    };
}

function masked(content, spoilers) {
    let text = content;
    for (const {offset, length} of spoilers)
        text = text.slice(0, offset) + '▒'.repeat(Math.max(0, Math.min(length, text.length - offset))) + text.slice(offset + length);
    return text;
}

function isWithinLetter(line, at) {
    return at > 0 && at < line.length && (/[\udc00-\udfff]/.test(line[at]) || WITHIN.test(line.slice(at, at + 2)) || line[at - 1] === '\u200d');
}

// Some words before what was found, or some letters where there are no words.
function beginning(line, found) {
    if (found <= BEFORE)
        return 0;
    const near = line.slice(found - BEFORE, found);
    let from = found - BEFORE + (/ /.test(near.slice(0, BEFORE / 2)) ? near.indexOf(' ') + 1 : 0);
    while (isWithinLetter(line, from))
        from--;
    return from;
}

function ending(line, from) {
    let to = Math.min(line.length, from + LENGTH);
    while (isWithinLetter(line, to))
        to--;
    return to;
}
