// SPDX-License-Identifier: BSD-2-Clause
// The text of a message as elements, with its formatting, web addresses and mentions. Elements are made one by one, and
// text goes in as text nodes.
import {el, externalLink, linked} from './dom.js';
import {linkUrl, tree} from './formatting.js';
import {t} from './i18n.js';
import {marked} from './marked.js';
import {spansOfMentions} from './mention.js';

const INLINE = {bold: 'strong', italic: 'em', underline: 'u', strikethrough: 's'};
const BLOCKS = new Set(['pre', 'quote']);
const REVEALED_MAX = 1000;

const revealed = new Set(); // keys of the spoilers that the user has seen: they stay so when a message is drawn anew

// message: {id or client_msg_id, content, entities, edited_at}. mentions: [{id, name}], whom it mentions. found: [[from, to]],
// parts of the content to be marked.
export function richText({id, client_msg_id, content, entities, edited_at}, mentions, found = []) {
    const parts = tree(content, entities);
    const isBlock = parts.some(({type}) => BLOCKS.has(type));
    const state = {mentions, key: `${id ?? client_msg_id} ${edited_at ?? ''}`, spoilers: 0, found, at: 0};
    return el(isBlock ? 'div.text' : 'p.text', {dir: 'auto'}, nodesOf(parts, state));
}

// A line ends where a block does, whether the text has one there or not.
function nodesOf(parts, state) {
    return parts.map((part, i) => {
        if (typeof part !== 'string')
            return nodeOf(part, state);
        const after = i > 0 && BLOCKS.has(parts[i - 1].type) ? part.replace(/^\n/, '') : part;
        const text = BLOCKS.has(parts[i + 1]?.type) ? after.replace(/\n$/, '') : after;
        state.at += part.length - after.length;
        const nodes = linked(text, (plain) => withMentions(plain, state), (label) => take(label, state));
        state.at += after.length - text.length;
        return nodes;
    });
}

// The next text of the content, with what is to be marked in it. state.at: how much of the content has been taken.
function take(text, state) {
    const from = state.at;
    state.at += text.length;
    const ranges = state.found.filter(([start, end]) => start < state.at && end > from)
        .map(([start, end]) => [Math.max(start, from) - from, Math.min(end, state.at) - from]);
    return ranges.length === 0 ? text : marked(text, ranges);
}

function nodeOf(part, state) {
    const inside = () => nodesOf(part.parts, state);
    switch (part.type) {
    case 'code':
        return el('code', {dir: 'auto'}, take(plainOf(part.parts), state));
    case 'pre':
        return el('pre', {dir: 'auto', 'data-language': typeof part.language === 'string' ? part.language : null}, el('code', {}, take(plainOf(part.parts), state)));
    case 'quote':
        return el('blockquote', {dir: 'auto'}, inside());
    case 'spoiler':
        return spoiler(inside(), `${state.key} ${state.spoilers++}`);
    case 'mention':
        return el('span.mention', {'data-user': typeof part.user_id === 'string' ? part.user_id : null}, inside());
    case 'link':
        return link(part, state);
    default:
        return Object.hasOwn(INLINE, part.type) ? el(INLINE[part.type], {}, inside()) : inside();
    }
}

// In code an address is none, and a name nobody.
const plainOf = (parts) => parts.map((part) => (typeof part === 'string' ? part : plainOf(part.parts))).join('');

// It says where it leads where its text does not.
function link({url, parts}, state) {
    const href = typeof url === 'string' ? linkUrl(url) : null;
    if (href === null)
        return take(plainOf(parts), state);
    const text = plainOf(parts).trim();
    const {protocol, hostname, pathname} = new URL(href);
    const target = protocol === 'mailto:' ? decoded(pathname) : hostname;
    const says = protocol === 'mailto:' ? text === target : linkUrl(text) === href;
    return [externalLink(href, {title: href}, styled(parts, state)), !says && el('small.host', {dir: 'ltr'}, ` (${target})`)];
}

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

// Within a link nothing else can be pressed.
function styled(parts, state) {
    return parts.map((part) => (typeof part === 'string' ? take(part, state) :
        Object.hasOwn(INLINE, part.type) ? el(INLINE[part.type], {}, styled(part.parts, state)) : styled(part.parts, state)));
}

// Hidden until it is pressed: what is inside is there for nobody before, also not for a screen reader.
function spoiler(nodes, key) {
    const inside = el('span.inside', {}, nodes);
    const node = el('span.spoiler', {}, inside);
    if (revealed.has(key)) {
        node.classList.add('revealed');
        return node;
    }
    const reveal = (event) => {
        event.preventDefault();
        event.stopPropagation();
        if (revealed.size >= REVEALED_MAX)
            revealed.delete(revealed.keys().next().value);
        revealed.add(key);
        node.removeEventListener('click', reveal);
        node.removeEventListener('keydown', onKey);
        for (const name of ['role', 'aria-label', 'title'])
            node.removeAttribute(name);
        node.tabIndex = -1; // the focus, if it is here, stays
        node.classList.add('revealed');
        inside.inert = false;
    };
    const onKey = (event) => (event.key === 'Enter' || event.key === ' ') && reveal(event);
    node.setAttribute('role', 'button');
    node.setAttribute('aria-label', t('format.reveal'));
    node.title = t('format.reveal');
    node.tabIndex = 0;
    inside.inert = true;
    node.addEventListener('click', reveal);
    node.addEventListener('keydown', onKey);
    return node;
}

function withMentions(text, state) {
    const parts = [];
    let end = 0;
    for (const {from, to, id} of spansOfMentions(text, state.mentions)) {
        parts.push(take(text.slice(end, from), state), el('span.mention', {'data-user': id}, take(text.slice(from, to), state)));
        end = to;
    }
    return [...parts, take(text.slice(end), state)];
}
