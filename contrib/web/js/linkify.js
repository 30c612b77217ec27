// SPDX-License-Identifier: BSD-2-Clause
// Finds the web addresses in a text. What ends one: white space, quotes, what reorders or hides text, and everything of
// the scripts that are written without spaces, for there the next sentence follows at once. Brackets belong to it as far
// as they are paired. Knows nothing of the page.

const BEGIN = /https?:\/\//gi;
const WITHIN_A_WORD = /[a-z0-9]$/i;
// ASCII and others that no address has, bidirectional controls, characters without width, quotes and dashes of texts.
const NEVER = /[\s\u0000-\u0020\u007f-\u00a0<>"'`\u00ab\u00bb\u00ad\u034f\u060c\u061b\u061c\u061f\u180e\u200b-\u206f\ufeff\u{e0000}-\u{e0fff}]/u;
// Chinese, Japanese, Korean with their punctuation and full-width forms; Thai, Lao, Burmese, Khmer.
const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u303f\u3040-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uffef\u{1b000}-\u{1b2ff}\u{20000}-\u{3ffff}]/u;
const HOST = /[\p{L}\p{M}\p{N}.:@%_-]/u;
const LETTER = /\p{L}/u;
const PAIRS = {')': '(', ']': '[', '}': '{'};
const AT_END = /[.,;:!?*~|([{]$/; // they end the sentence, or frame the address

// [text | {text, url, host}]: the parts in order. host: where it leads, if that is not what it says; else null.
export function linkify(text) {
    const parts = [];
    let end = 0, looked = 0;
    for (const match of text.matchAll(BEGIN)) {
        if (match.index < looked || WITHIN_A_WORD.test(text.slice(0, match.index).slice(-1)))
            continue;
        const shown = addressAt(text, match.index, match[0].length);
        const url = parsed(shown);
        looked = match.index + Math.max(shown.length, match[0].length);
        if (url === null)
            continue;
        if (match.index > end)
            parts.push(text.slice(end, match.index));
        parts.push({text: shown, url: url.href, host: hostToTell(shown, url)});
        end = match.index + shown.length;
    }
    if (end < text.length)
        parts.push(text.slice(end));
    return parts;
}

function addressAt(text, from, schemeLength) {
    const host = hostAt(text, from + schemeLength);
    let at = from + schemeLength + host.length;
    if (/[/?#\\]/.test(text[at] ?? ''))
        at += pathAt(text, at).length;
    let shown = text.slice(from, at);
    while (AT_END.test(shown))
        shown = shown.slice(0, -1);
    return shown;
}

// A host of letters that are written without spaces ends where others have been: what follows them is the text.
function hostAt(text, start) {
    const literal = text.slice(start, start + 50).match(/^\[[0-9a-f:.]+\](?::\d+)?/i);
    if (literal)
        return literal[0];
    let at = start, unspacedAllowed = true;
    for (const char of text.slice(start)) {
        const unspaced = UNSPACED.test(char);
        if (!HOST.test(char) || NEVER.test(char) || (unspaced && !(unspacedAllowed && LETTER.test(char))))
            break;
        unspacedAllowed &&= unspaced || !(LETTER.test(char) || ':@'.includes(char));
        at += char.length;
    }
    return text.slice(start, at);
}

function pathAt(text, start) {
    const open = {'(': 0, '[': 0, '{': 0};
    let at = start;
    for (const char of text.slice(start)) {
        if (NEVER.test(char) || UNSPACED.test(char) || (char in PAIRS && --open[PAIRS[char]] < 0))
            break;
        if (char in open)
            open[char]++;
        at += char.length;
    }
    return text.slice(start, at);
}

function parsed(shown) {
    try {
        return /^\w+:\/\/[/?#\\]/.test(shown) ? null : new URL(shown);
    } catch {
        return null;
    }
}

// The host is told where it is written in letters that look like others, as numbers that are not an address yet, or
// behind a user name that looks like one.
function hostToTell(shown, url) {
    const written = shown.match(/^\w+:\/\/([^/?#\\]*)/u)[1];
    return written.toLowerCase().replace(/:\d*$/, '') === url.hostname ? null : url.hostname;
}
