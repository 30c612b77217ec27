// SPDX-License-Identifier: BSD-2-Clause
// What one would have typed for a text with its formatting: the way back of shortcuts.js. Knows nothing of the page.
import {linkify} from './linkify.js';
import {addressLength, fromShortcuts, isBetweenWords} from './shortcuts.js';

const SIGNS = {bold: '**', italic: '*', strikethrough: '~~', spoiler: '||'};

// {text, kept}: what one would have typed for it. kept: the entities that no shortcut can say. Where nothing that is typed
// would become the content it is the content itself, to be edited without shortcuts (isLiteral).
export function toShortcuts(content, entities) {
    const all = entities ?? [];
    const tries = [[all, false], [all, true], [[], false], [[], true]];
    let best = null;
    for (const [said, escapes] of tries) {
        const text = typed(content, said.filter((e) => isSayable(content, e)), escapes);
        const lost = lostOf(text, content, all);
        if (lost !== null && (best === null || lost.length < best.kept.length))
            best = {text, kept: lost};
        if (best?.kept.length === 0)
            break;
    }
    return best ?? {text: content, kept: all};
}

// Whether the text that was given for that content has signs that are no shortcuts.
export function isLiteral(text, content) {
    return fromShortcuts(text).content !== content;
}

const keyOf = ({type, offset, length, url, language}) => [type, offset, length, url, language].join(' ');

// Those that are not in what the text would become; null where it would become something else.
function lostOf(text, content, entities) {
    const became = fromShortcuts(text);
    if (became.content !== content)
        return null;
    const made = new Set((became.entities ?? []).map(keyOf));
    const lost = entities.filter((e) => !made.delete(keyOf(e)));
    return made.size === 0 ? lost : null;
}

function isSayable(content, {type, offset, length}) {
    const part = content.slice(offset, offset + length), end = offset + length;
    const isBlank = part.trim() === '';
    if (type === 'quote')
        return !isBlank && (offset === 0 || content[offset - 1] === '\n') && (end === content.length || content[end] === '\n');
    if (type === 'pre')
        return !isBlank && !part.includes('```');
    if (type === 'code')
        return !isBlank && !/[`\n]/.test(part);
    if (type === 'link')
        return !isBlank;
    if (type === 'italic' && !isBetweenWords(content.slice(0, offset), content.slice(end)))
        return false;
    return SIGNS[type] !== undefined && part !== '' && !/^\s|\s$/.test(part);
}

function typed(content, entities, escapes) {
    const parts = [];
    const open = []; // the entities that one is in, the innermost last
    let next = 0;
    const stops = [...new Set([0, content.length, ...entities.flatMap(({offset, length}) => [offset, offset + length])])].sort((a, b) => a - b);
    for (const [i, at] of stops.entries()) {
        while (open.length > 0 && open.at(-1).offset + open.at(-1).length <= at)
            parts.push(endOf(open.pop()));
        for (; next < entities.length && entities[next].offset <= at; next++) {
            parts.push(beginOf(entities[next]));
            open.push(entities[next]);
        }
        const isCode = open.some(({type}) => type === 'code' || type === 'pre');
        const isQuote = open.some(({type}) => type === 'quote');
        let part = content.slice(at, stops[i + 1] ?? at);
        if (escapes && !isCode)
            part = escaped(part, !isQuote, at === 0 || content[at - 1] === '\n');
        parts.push(isQuote ? part.replaceAll('\n', '\n> ') : part);
    }
    return parts.join('');
}

function asLetters(text) {
    return text.replace(/(\\*)([*_~`|[\]])/g, '$1$1\\$2');
}

// outside: no quote is around it.
function escaped(text, outside, atLineStart) {
    const signs = linkify(text).map((part) => (typeof part === 'string' ? asLetters(part) :
        part.text.slice(0, addressLength(part.text)) + asLetters(part.text.slice(addressLength(part.text))))).join('');
    return outside ? signs.replace(/^\\*> /gm, (begin, at) => (at > 0 || atLineStart ? `\\${begin}` : begin)) : signs;
}

function beginOf({type, language}) {
    if (type === 'pre')
        return `\`\`\`${language ? language : ''}\n`;
    return {quote: '> ', code: '`', link: '['}[type] ?? SIGNS[type];
}

function endOf({type, url}) {
    if (type === 'pre')
        return '\n```';
    return {quote: '', code: '`', link: `](${url})`}[type] ?? SIGNS[type];
}
