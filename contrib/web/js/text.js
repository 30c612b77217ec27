// SPDX-License-Identifier: BSD-2-Clause
// What people write, as people see it: characters that reorder or hide text, letters of several code points, and which
// way a text runs. Knows nothing of the page.

// They change the order in which what follows is shown: a name may look like another, an .exe like a .jpg.
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
// Control characters, and what takes no room. U+200C and U+200D are left: Persian, Indic scripts and emoji need them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u180e\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]/gu;
// Letters, digits, signs and symbols that are to be seen; not the fillers among them, which are blank.
const SEEN = /(?![\u115f\u1160\u2800\u3164\uffa0])[\p{L}\p{N}\p{P}\p{S}]/u;
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

const FSI = '\u2068', PDI = '\u2069'; // first strong isolate, pop directional isolate

// A name of a person or a file in one line, as it is shown: without what only serves to deceive.
export function plain(text) {
    return text.replace(BIDI, '').replace(UNSEEN, (char) => (/\s/.test(char) ? ' ' : '')).replace(/\s+/g, ' ').trim();
}

// A text of several lines for where there is one, and other text around it.
export function withoutBidi(text) {
    return text.replace(BIDI, '');
}

export function isVisible(text) {
    return SEEN.test(text);
}

// What is wrong with a name that somebody wishes to have: 'reorders', 'unseen' or 'blank'; null: nothing.
export function nameFault(name) {
    if (name.search(BIDI) >= 0)
        return 'reorders';
    if (name.search(UNSEEN) >= 0)
        return 'unseen';
    return isVisible(name) && !/^[\p{M}\u200c\u200d]/u.test(name) ? null : 'blank';
}

// Of a text that may run from right to left, as a part of one that runs the other way: it keeps its order to itself.
export function isolated(text) {
    return RTL.test(text) || text.search(BIDI) >= 0 ? FSI + text + PDI : text;
}

// 'rtl' or 'ltr', by the first letter.
export function directionOf(text) {
    const letter = text.match(/\p{L}/u);
    return letter !== null && RTL.test(letter[0]) ? 'rtl' : 'ltr';
}

const segmenter = globalThis.Intl?.Segmenter ? new Intl.Segmenter(undefined, {granularity: 'grapheme'}) : null;
// For browsers without one: a pair of regional indicators, or a character with its marks and what is joined to it.
const CLUSTER = /\r\n|[\u1100-\u115f]+[\u1160-\u11ff]*|[\u{1f1e6}-\u{1f1ff}]{2}|\P{M}(?:[\p{M}\u200c\u{1f3fb}-\u{1f3ff}\u{e0020}-\u{e007f}]|\u200d.?)*|\p{M}+/gsu;

// The letters of a text as people count them.
export function graphemes(text) {
    return segmenter ? Array.from(segmenter.segment(text), ({segment}) => segment) : clusters(text);
}

export function clusters(text) {
    return text.match(CLUSTER) ?? [];
}

// At most so many letters of it, none of them cut.
export function shortened(text, count) {
    const beginning = graphemes(text.slice(0, count * 32)); // a letter may have many code points; not the whole of a long text
    return beginning.length > count ? `${beginning.slice(0, count).join('')}…` : text.length > count * 32 ?
        `${beginning.slice(0, -1).join('')}…` : text;
}

// The first letter that is to be seen, as a capital; '?' where there is none.
export function initialOf(name) {
    const first = graphemes(plain(name)).find(isVisible) ?? '?';
    return graphemes(first.toUpperCase())[0];
}
