// SPDX-License-Identifier: BSD-2-Clause
// The formatting of a text by `entities`, as messages have it: parts of the text by offset and length in UTF-16 code units,
// properly nested. Knows nothing of the page.

export const ENTITIES_MAX = 100; // of the protocol
const URL_MAX = 2048; // bytes, of the protocol

// Only these are followed, and stored; null for another.
export function linkUrl(text) {
    try {
        const url = new URL(text);
        const isWhole = /^(?:https?:\/\/[^/]|mailto:.)/i.test(text) && new TextEncoder().encode(text).length <= URL_MAX;
        return isWhole && ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : null;
    } catch {
        return null;
    }
}

export function sorted(entities) {
    return entities.sort((a, b) => a.offset - b.offset || b.length - a.length);
}

// The content as a tree: [text | {type, …, parts}]. Entities that do not fit are left out.
export function tree(content, entities) {
    const root = {parts: [], end: content.length};
    const open = [root];
    let at = 0;
    const text = (to) => {
        if (to > at)
            open.at(-1).parts.push(content.slice(at, to));
        at = Math.max(at, to);
    };
    for (const entity of Array.isArray(entities) ? entities : []) {
        const {offset, length} = entity ?? {};
        if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && length > 0 && offset >= at && offset + length <= content.length))
            continue;
        for (; open.at(-1) !== root && open.at(-1).end <= offset; open.pop())
            text(open.at(-1).end);
        if (offset + length > open.at(-1).end)
            continue;
        text(offset);
        const node = {...entity, parts: [], end: offset + length};
        open.at(-1).parts.push(node);
        open.push(node);
    }
    for (; open.length > 0; open.pop())
        text(open.at(-1).end);
    return root.parts;
}

// Without what is hidden.
export function unspoiled(content, entities, placeholder) {
    const plain = (parts) => parts.map((part) => (typeof part === 'string' ? part :
        part.type === 'spoiler' ? placeholder : plain(part.parts))).join('');
    return plain(tree(content, entities));
}

// Of the entities `kept` from before an edit those whose text is still there, with the others of the new content.
export function carriedOver(before, kept, {content, entities}) {
    let same = 0;
    const least = Math.min(before.length, content.length);
    while (same < least && before[same] === content[same])
        same++;
    let tail = 0;
    while (tail < least - same && before.at(-1 - tail) === content.at(-1 - tail))
        tail++;
    const all = [...entities ?? []];
    for (const e of kept) {
        const end = e.offset + e.length;
        const by = end <= same ? 0 : e.offset >= before.length - tail ? content.length - before.length : null;
        const moved = by === null ? null : {...e, offset: e.offset + by};
        if (moved !== null && all.length < ENTITIES_MAX && all.every((other) => nests(moved, other)))
            all.push(moved);
    }
    return {content, entities: all.length === 0 ? null : sorted(all)};
}

function nests(a, b) {
    const [first, second] = a.offset < b.offset ? [a, b] : [b, a];
    const firstEnd = first.offset + first.length, secondEnd = second.offset + second.length;
    return first.offset === second.offset || second.offset >= firstEnd || secondEnd <= firstEnd;
}
