// SPDX-License-Identifier: BSD-2-Clause
// What people type for formatting, as **bold**, becomes `entities`. What is no complete shortcut stays text as it is. A
// backslash makes a sign one of the text, where there would be a shortcut without it. Takes time in proportion to the
// text. Knows nothing of the page.
import {ENTITIES_MAX, linkUrl, sorted} from './formatting.js';
import {linkify} from './linkify.js';

const URL_MAX = 2048; // of one link
const URLS_MAX = 12000; // bytes of all links of a text: the protocol has 16 KiB for its entities
const TYPES = {'**': 'bold', '*': 'italic', '_': 'italic', '~~': 'strikethrough', '||': 'spoiler'};
const RUN = /\\+|\*+|_+|~+|`+|\|+|\[|\]/g;
const ESCAPED = /\\+(?:[*_~`|[\]]|$)/;
const SIGN = /[*_~`|[\]]/;
const LANGUAGE = /^[A-Za-z0-9+#_.-]{1,32}\n/;
// Of scripts whose words have spaces between them: within a word * and _ are letters.
const WORD_END = /(?![\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}])[\p{L}\p{N}]$/u;
const WORD_BEGIN = /^(?![\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}])[\p{L}\p{N}]/u;

// Whether * and _ can stand there.
export function isBetweenWords(before, after) {
    return !WORD_END.test(before.slice(-2)) && !WORD_BEGIN.test(after.slice(0, 2));
}

// {content, entities}: entities as in a message, null where there are none.
export function fromShortcuts(text) {
    const {escapes, spans, escapesQuote} = new Parser(text).parse();
    const isPlain = spans.length === 0 && !escapesQuote &&
        new Parser(without(text, escapes), false).parse().spans.length === 0; // with or without its backslashes
    return isPlain ? {content: text, entities: null} : outcome(text, spans, escapes);
}

// cuts: [{from, to}] that do not overlap.
function without(text, cuts) {
    let end = 0;
    const parts = cuts.map(({from, to}) => {
        const part = text.slice(end, from);
        end = to;
        return part;
    });
    return parts.join('') + text.slice(end);
}

function outcome(text, spans, escapes) {
    const cuts = [...escapes, ...spans.flatMap((span) => span.cuts)].sort((a, b) => a.from - b.from);
    const places = new Map(); // offset in the text -> in the content
    let next = 0, gone = 0;
    for (const at of spans.flatMap(({from, to}) => [from, to]).sort((a, b) => a - b)) {
        for (; next < cuts.length && cuts[next].to <= at; next++)
            gone += cuts[next].to - cuts[next].from;
        places.set(at, at - gone);
    }
    const entities = spans.map(({type, from, to, more}) => ({type, offset: places.get(from), length: places.get(to) - places.get(from), ...more}));
    return {content: without(text, cuts), entities: entities.length === 0 ? null : sorted(entities.reverse())}; // the outer one first
}

class Parser {
    #text;
    #hasEscapes;
    #spans = []; // {type, from, to, cuts: what of the text is the shortcut, more: further members}
    #escapes = []; // {from, to}
    #escapesQuote = false;
    #urls = 0;
    #fence = -1; // the next ``` that was found
    #noFence = false; // there is no pair of them any more

    // hasEscapes: backslashes count
    constructor(text, hasEscapes = true) {
        this.#text = text;
        this.#hasEscapes = hasEscapes;
    }

    parse() {
        const text = this.#text;
        let from = 0; // of what is neither quote nor block
        for (let at = 0; at < text.length;) {
            const lineStart = at === 0 || text[at - 1] === '\n';
            if (lineStart && text.startsWith('> ', at)) {
                this.#inline(from, at);
                at = from = this.#quote(at);
                continue;
            }
            const lineEnd = endOfLine(text, at);
            const fence = this.#fenceIn(at, lineEnd);
            if (fence === null) {
                at = lineEnd + 1;
                continue;
            }
            this.#inline(from, fence.start);
            this.#block(fence);
            at = from = fence.end;
        }
        this.#inline(from, text.length);
        return {spans: this.#spans, escapes: this.#escapes.sort((a, b) => a.from - b.from), escapesQuote: this.#escapesQuote};
    }

    get #isFull() {
        return this.#spans.length >= ENTITIES_MAX;
    }

    // The first ``` of that part, and the one that ends it.
    #fenceIn(from, to) {
        const text = this.#text;
        for (let at = from; !this.#noFence && !this.#isFull; at += 3) {
            const start = this.#fence >= at ? this.#fence : text.indexOf('```', at);
            this.#fence = start;
            this.#noFence = start < 0;
            if (start < 0 || start >= to)
                return null;
            const end = text.indexOf('```', start + 3);
            this.#noFence = end < 0;
            if (end < 0)
                return null;
            if (!this.#isEscaped(start) && text.slice(start + 3, end).trim() !== '')
                return {start, end: end + 3};
            at = start;
        }
        return null;
    }

    #isEscaped(at) {
        let from = at;
        while (this.#hasEscapes && from > 0 && this.#text[from - 1] === '\\')
            from--;
        return (at - from) % 2 === 1;
    }

    #block({start, end}) {
        const inside = this.#text.slice(start + 3, end - 3);
        const language = inside.match(LANGUAGE)?.[0] ?? '';
        const isNamed = language !== '' && inside.slice(language.length).trim() !== '';
        const head = isNamed ? language.length : inside.startsWith('\n') ? 1 : 0;
        const tail = inside.length > head + 1 && inside.endsWith('\n') ? 1 : 0;
        const from = start + 3 + head, to = end - 3 - tail;
        this.add({type: 'pre', from, to, cuts: [{from: start, to: from}, {from: to, to: end}],
            more: isNamed ? {language: language.slice(0, -1)} : {}});
    }

    // Lines that begin with "> ". Returns where what follows begins.
    #quote(start) {
        const text = this.#text;
        const cuts = [];
        let end = start, at = start, hasText = false;
        while (text.startsWith('> ', at)) {
            end = endOfLine(text, at);
            cuts.push({from: at, to: at + 2});
            hasText ||= text.slice(at + 2, end).trim() !== '';
            at = end + 1;
        }
        if (!hasText || this.#isFull) {
            this.#inline(start, end);
            return Math.min(end + 1, text.length);
        }
        this.#inline(start + 2, end);
        this.add({type: 'quote', from: start + 2, to: end, cuts});
        return Math.min(end + 1, text.length);
    }

    // What is in lines: everything but blocks, and the inside of quotes.
    #inline(from, to) {
        if (from < to)
            new Stretch(this, this.#text.slice(0, to), from, this.#hasEscapes).parse();
    }

    // ---- for Stretch, too: what is within another is added before that ----

    // False where there are too many.
    add(span) {
        const size = span.more?.url ? new TextEncoder().encode(span.more.url).length : 0;
        if (this.#isFull || this.#urls + size > URLS_MAX)
            return false;
        this.#urls += size;
        this.#spans.push({more: {}, ...span});
        return true;
    }

    escape(at, ofQuote = false) {
        this.#escapes.push({from: at, to: at + 1});
        this.#escapesQuote ||= ofQuote;
    }
}

function endOfLine(text, at) {
    const end = text.indexOf('\n', at);
    return end < 0 ? text.length : end;
}

// Signs open and close one another. Of each kind one is open at most, the last that could be; what is closed ends those
// that were opened within it, which are text then.
class Stretch {
    #parser;
    #text;
    #from;
    #hasEscapes;
    #open = []; // {sign, from, to, run}: where the sign is, and the run of signs that it is in
    #addresses; // [{from, to}]: signs in them are theirs

    // Of `text` what is from there on.
    constructor(parser, text, from, hasEscapes) {
        this.#parser = parser;
        this.#text = text;
        this.#from = from;
        this.#hasEscapes = hasEscapes;
        this.#addresses = addressesIn(text.slice(from), from);
    }

    parse() {
        let at = this.#from;
        let address = 0;
        for (;;) {
            RUN.lastIndex = at;
            const match = RUN.exec(this.#text);
            if (match === null)
                break;
            const from = match.index, to = from + match[0].length;
            while (address < this.#addresses.length && this.#addresses[address].to <= from)
                address++;
            at = from >= (this.#addresses[address]?.from ?? Infinity) ? this.#addresses[address].to : this.#sign(from, to);
        }
        if (this.#hasEscapes)
            this.#lineStarts();
    }

    // Of \> at the beginning of a line, and of \\> too, one backslash goes.
    #lineStarts() {
        const text = this.#text;
        for (let at = this.#from; at < text.length; at = endOfLine(text, at) + 1) {
            let sign = at;
            while (text[sign] === '\\')
                sign++;
            if (sign > at && (at === 0 || text[at - 1] === '\n') && text.startsWith('> ', sign))
                this.#parser.escape(at, true);
        }
    }

    // Returns where to go on.
    #sign(from, to) {
        const text = this.#text, sign = text.slice(from, to);
        if (sign[0] === '\\')
            return this.#backslashes(from, to);
        if (sign === '`')
            return this.#code(from);
        if (sign === '[')
            this.#push({sign, from, to, run: from});
        else if (sign === ']')
            return this.#link(from);
        else if (sign === '***')
            this.#three(from);
        else if (TYPES[sign] !== undefined)
            this.#mark(sign, from, to, from, to);
        return to;
    }

    // Two are one, and one makes the sign after it a letter. Elsewhere they are what they are.
    #backslashes(from, to) {
        if (!this.#hasEscapes || !SIGN.test(this.#text[to] ?? ''))
            return to;
        const count = to - from;
        for (let at = from; at + 1 < to; at += 2)
            this.#parser.escape(at);
        if (count % 2 === 0)
            return to;
        this.#parser.escape(to - 1);
        return to + 1;
    }

    // On one line, up to the next single one.
    #code(from) {
        const text = this.#text, end = endOfLine(text, from);
        for (let at = text.indexOf('`', from + 1); at >= 0 && at < end;) {
            let after = at + 1;
            while (after < end && text[after] === '`')
                after++;
            if (after === at + 1)
                return text.slice(from + 1, at).trim() !== '' && this.#parser.add({type: 'code', from: from + 1, to: at,
                    cuts: [{from, to: from + 1}, {from: at, to: after}]}) ? after : from + 1;
            at = text.indexOf('`', after);
        }
        return end;
    }

    // Bold and italic: as they were opened, they are closed.
    #three(from) {
        const top = this.#open.findLast(({sign}) => sign === '*' || sign === '**');
        const signs = top?.sign === '*' ? ['*', '**'] : ['**', '*'];
        let at = from;
        for (const sign of signs) {
            this.#mark(sign, at, at + sign.length, from, from + 3);
            at += sign.length;
        }
    }

    // runFrom, runTo: of the run of signs that it is in
    #mark(sign, from, to, runFrom, runTo) {
        const text = this.#text;
        const before = runFrom > this.#from ? text.slice(Math.max(this.#from, runFrom - 2), runFrom) : '';
        const after = text.slice(runTo, runTo + 2);
        const withinWords = sign.length > 1;
        const opener = this.#open.find((open) => open.sign === sign);
        const closes = opener !== undefined && opener.to < from && !/\s$/.test(before) && (withinWords || !WORD_BEGIN.test(after));
        if (closes) {
            this.#turn(opener);
            this.#close(opener, {type: TYPES[sign], from: opener.to, to: from, cuts: [{from: opener.from, to: opener.to}, {from, to}]});
        } else if (after !== '' && !/^\s/.test(after) && (withinWords || !WORD_END.test(before)))
            this.#push({sign, from, to, run: runFrom});
    }

    // Which of the two that a run of three has opened is the outer one, the first that is closed tells.
    #turn(opener) {
        const inner = this.#open.at(-1);
        if (inner === opener || inner.run !== opener.run)
            return;
        [inner.from, inner.to] = [inner.run, inner.run + inner.sign.length];
        [opener.from, opener.to] = [inner.to, inner.to + opener.sign.length];
        this.#open.splice(-2, 2, inner, opener);
    }

    #push(open) {
        this.#open = [...this.#open.filter(({sign}) => sign !== open.sign), open];
    }

    #close(opener, span) {
        this.#open.splice(this.#open.indexOf(opener));
        return this.#parser.add(span);
    }

    #link(from) {
        const opener = this.#open.find(({sign}) => sign === '[');
        if (opener === undefined)
            return from + 1;
        const end = this.#text[from + 1] === '(' ? this.#endOfUrl(from + 2) : null;
        const url = end === null ? null : linkUrl(this.#text.slice(from + 2, end));
        if (url === null || this.#text.slice(opener.to, from).trim() === '') {
            this.#open.splice(this.#open.indexOf(opener), 1);
            return from + 1;
        }
        this.#close(opener, {type: 'link', from: opener.to, to: from, cuts: [{from: opener.from, to: opener.to}, {from, to: end + 1}], more: {url: this.#text.slice(from + 2, end)}});
        return end + 1;
    }

    // The bracket that closes the address; null where there is none.
    #endOfUrl(from) {
        const last = Math.min(from + URL_MAX + 1, this.#text.length);
        for (let at = from, depth = 0; at < last; at++) {
            const char = this.#text[at];
            if (char <= ' ' || char === '\u007f')
                return null;
            depth += char === '(' ? 1 : char === ')' ? -1 : 0;
            if (depth < 0)
                return at;
        }
        return null;
    }
}

// An address ends before a sign that a backslash makes a letter.
export function addressLength(shown) {
    const at = shown.search(ESCAPED);
    return at < 0 ? shown.length : at;
}

function addressesIn(text, offset) {
    if (!text.includes('://'))
        return [];
    let at = offset;
    const found = [];
    for (const part of linkify(text)) {
        const {length} = part.text ?? part;
        if (typeof part !== 'string')
            found.push({from: at, to: at + addressLength(part.text)});
        at += length;
    }
    return found;
}
